"""Prefix beam search: the labels that CTC finds likeliest over all paths that spell them, with a language model if wanted."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from models.search import END, Found, Model, State, require_labels

BLANK = 0
NEVER = -math.inf
NEXT = 32  # labels of a frame with which a prefix may go on: the likeliest, as many for any beam

Prefix = tuple[int, ...]


@dataclass
class Mass:
    """The log-probability of a prefix so far: of the paths that end in a blank, and of those that end in its last label."""

    blank: float = NEVER
    label: float = NEVER

    @property
    def total(self) -> float:
        """Of all paths."""
        return added(self.blank, self.label)


def added(one: float, other: float) -> float:
    """log(exp(one) + exp(other))."""
    high, low = max(one, other), min(one, other)
    return high if low == NEVER else high + math.log1p(math.exp(low - high))


class Knowledge:
    """What a language model says of the prefixes of all utterances; nothing at all where there is none, or it counts nothing.

    It knows those that were asked for last, and what may come after each.
    """

    def __init__(self, model: Model | None, start: State, weight: float) -> None:
        self.model, self.weight = model if weight else None, weight
        self.scores: dict[Prefix, float] = {(): 0.0}
        self.nexts: dict[Prefix, Sequence[float]] = {}
        self.states: dict[Prefix, State] = {(): start}
        self.ask([()])

    def ask(self, prefixes: Collection[Prefix]) -> None:
        """Learn what may come after prefixes, all together, and forget the others: a row of word pieces is long."""
        if self.model is None:
            return
        self.scores = {prefix: self.score(prefix) for prefix in prefixes}
        if new := [prefix for prefix in self.scores if prefix not in self.nexts]:
            before = [self.states[prefix[:-1]] for prefix in new]
            last = torch.tensor([prefix[-1] if prefix else END for prefix in new], device=before[0][0].device)
            step = self.model(last, tuple(torch.cat(rows) for rows in zip(*before, strict=True)))
            for place, prefix in enumerate(new):
                self.nexts[prefix] = (self.weight * step.log_probs[place]).tolist()
                self.states[prefix] = tuple(rows[place : place + 1] for rows in step.state)
        self.nexts = {prefix: self.nexts[prefix] for prefix in self.scores}
        self.states = {prefix: self.states[prefix] for prefix in self.scores}

    def score(self, prefix: Prefix) -> float:
        """What the labels of a prefix add to its score, which is known or one label longer than one that is."""
        if self.model is None:
            return 0.0
        if prefix in self.scores:
            return self.scores[prefix]
        return self.scores[prefix[:-1]] + self.nexts[prefix[:-1]][prefix[-1]]

    def end(self, prefix: Prefix) -> float:
        """What it adds that the prefix is all."""
        return 0.0 if self.model is None else self.score(prefix) + self.nexts[prefix][END]


@torch.no_grad()
def search_prefixes(
    utterances: Sequence[Float[Tensor, "_ vocab"]],
    beam: int,
    lm: Model | None = None,
    start: State = (),
    weight: float = 0.0,
) -> list[Found]:
    """The best of `beam` prefixes of each utterance, by its CTC likelihood and `weight` times the language model's.

    Hannun et al. 2014. At each frame a prefix goes on with one of the NEXT likeliest labels. Place i is filled from places 0 to i,
    as in `search`, and in the end the likelihood of each prefix is summed over all its paths: so a wider beam never
    ends in a worse score. `start` is the language model's state, of one row, before the first label; it is asked once
    a frame, for all utterances.
    """
    known = Knowledge(lm, start, weight)
    if known.nexts and utterances:
        require_labels(len(known.nexts[()]), utterances[0].shape[1])
    beams: list[list[tuple[Prefix, Mass]]] = [[((), Mass(blank=0.0))] for _ in utterances]
    likely = [rows.topk(min(NEXT, rows.shape[1]), dim=1).indices.tolist() for rows in utterances]
    for frame in range(max(map(len, utterances), default=0)):
        for i, rows in enumerate(utterances):
            if frame < len(rows):
                labels = [label for label in likely[i][frame] if label != BLANK]
                beams[i] = following(beams[i], rows[frame].tolist(), labels, beam, known)
        known.ask([prefix for places in beams for prefix, _ in places])
    return [best_of(rows, places, known) for rows, places in zip(utterances, beams, strict=True)]


def best_of(
    log_probs: Float[Tensor, "frames vocab"], places: Sequence[tuple[Prefix, Mass]], known: Knowledge
) -> Found:
    """The prefix with the highest score when all is heard."""
    scores = [
        likelihood + known.end(prefix)
        for (prefix, _), likelihood in zip(places, likelihoods(log_probs, places), strict=True)
    ]
    best = max(range(len(places)), key=lambda place: scores[place])
    return Found(list(places[best][0]), scores[best])


def following(
    places: Sequence[tuple[Prefix, Mass]],
    row: Sequence[float],
    labels: Sequence[int],
    beam: int,
    known: Knowledge,
) -> list[tuple[Prefix, Mass]]:
    """The prefixes after one more frame."""
    pool: dict[Prefix, Mass] = {}
    picked: list[tuple[Prefix, Mass]] = []
    taken: set[Prefix] = set()
    for place in range(beam):
        if place < len(places):
            go_on(pool, *places[place], row, labels)
        left = [prefix for prefix in pool if prefix not in taken]
        if not left:
            break
        best = max(left, key=lambda prefix: pool[prefix].total + known.score(prefix))
        picked.append((best, Mass(pool[best].blank, pool[best].label)))
        taken.add(best)
    return picked


def go_on(
    pool: dict[Prefix, Mass], prefix: Prefix, mass: Mass, row: Sequence[float], labels: Sequence[int]
) -> None:
    """Add to the pool what one prefix becomes: itself, by a blank or its last label again, or one label longer."""
    same = pool.setdefault(prefix, Mass())
    same.blank = mass.total + row[BLANK]
    if prefix:
        same.label = added(same.label, mass.label + row[prefix[-1]])
    for label in labels:
        longer = pool.setdefault((*prefix, label), Mass())
        before = mass.blank if prefix and label == prefix[-1] else mass.total
        longer.label = added(longer.label, before + row[label])


def likelihoods(
    log_probs: Float[Tensor, "frames vocab"], places: Sequence[tuple[Prefix, Mass]]
) -> list[float]:
    """The log-probability of each prefix over all its paths."""
    if not len(log_probs):
        return [0.0 if not prefix else NEVER for prefix, _ in places]
    count = len(places)
    lengths = torch.tensor([len(prefix) for prefix, _ in places])
    targets = torch.tensor([label for prefix, _ in places for label in prefix], dtype=torch.long)
    rows = log_probs.float().cpu()[:, None].expand(-1, count, -1).contiguous()
    frames = torch.full((count,), len(log_probs))
    found: list[float] = (-F.ctc_loss(rows, targets, frames, lengths, BLANK, reduction="none")).tolist()
    return found


def transcribed(
    log_probs: Float[Tensor, "batch frames vocab"],
    frames: Int[Tensor, " batch"],
    beam: int,
    lm: Model | None = None,
    start: State = (),
    weight: float = 0.0,
) -> list[list[int]]:
    """The labels of the best prefix of each utterance."""
    utterances = [rows[:count].float().cpu() for rows, count in zip(log_probs, frames.tolist(), strict=True)]
    return [found.labels for found in search_prefixes(utterances, beam, lm, start, weight)]
