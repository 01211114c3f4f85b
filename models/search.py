"""Beam search over label sequences, for any network that tells the next label from those before."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

END = 0  # the label that ends a sentence, and that stands before its first label

State = tuple[Tensor, ...]  # the first axis of each is the hypotheses'


class Step(NamedTuple):
    """What a model says of each hypothesis: of its next label, and of itself after that."""

    log_probs: Float[Tensor, "hypothesis vocab"]
    state: State


# Tells of hypotheses that end in a label, and of their state before it, what may come next.
Model = Callable[[Int[Tensor, " hypothesis"], State], Step]


@runtime_checkable  # tests check it wherever it stands in a signature
class Speaking(Protocol):
    """A language model: a `Model` that knows how a sentence begins, in labels of which 0 is the end."""

    def __call__(self, last: Int[Tensor, " hypothesis"], state: State) -> Step:
        """What may come after a label, and the state then."""
        ...

    def start(self, batch: int) -> State:
        """The state of sentences of which nothing is said; it is asked with END for their first label."""
        ...


class Found(NamedTuple):
    """The best hypothesis of one utterance, without the end, and its score."""

    labels: list[int]
    score: float


class Beam(NamedTuple):
    """The hypotheses of each utterance, in the order in which they were chosen."""

    labels: Int[Tensor, "batch beam label"]
    scores: Float[Tensor, "batch beam"]
    ended: Bool[Tensor, "batch beam"]


@torch.no_grad()
def search(
    model: Model,
    start: State,
    longest: Int[Tensor, " batch"],
    beam: int = 1,
    bonus: Callable[[State], Float[Tensor, " hypothesis"]] | None = None,
) -> list[Found]:
    """The best of `beam` hypotheses an utterance; one of `longest` labels ends there, whatever the model says.

    `start` has a row an utterance. `bonus` adds to the score of a hypothesis what its state says (a coverage
    penalty). An utterance is done when its best hypothesis has ended, since scores only fall; with a bonus they may rise,
    and all hypotheses have to end. A beam of 1 takes the likeliest label each time. A wider beam never ends in a worse
    score: place i is filled from places 0 to i alone (Lemons et al. 2022, Beam Search: Faster and Monotonic), so that
    the first places of a wide beam are the narrow one.
    """
    if beam < 1:
        raise ValueError(f"beam is {beam}; expected 1 or more")
    batch, device = len(longest), longest.device
    state = tuple(rows.repeat_interleave(beam, 0) for rows in start)
    scores = torch.full((batch, beam), -torch.inf, device=device)
    scores[:, 0] = 0.0
    labels = torch.zeros(batch, beam, 0, dtype=torch.long, device=device)
    hypotheses = Beam(labels, scores, (longest == 0)[:, None].expand(batch, beam))
    last = torch.full((batch * beam,), END, device=device)
    extra = torch.zeros(batch, beam, device=device)
    while not bool(settled(hypotheses, rising=bonus is not None).all()):
        step = model(last, state)
        gained = extra if bonus is None else bonus(step.state).view(batch, beam)
        hypotheses, came_from = extended(hypotheses, step.log_probs, gained - extra, longest)
        rows = (came_from + beam * torch.arange(batch, device=device)[:, None]).flatten()
        state = tuple(
            part.index_select(0, rows.to(part.device)) for part in step.state
        )  # n-grams stay on the host
        extra = gained.gather(1, came_from)
        last = hypotheses.labels[:, :, -1].flatten()
    best = hypotheses.scores.argmax(dim=1).tolist()
    return [
        Found(until_end(hypotheses.labels[i, place].tolist()), float(hypotheses.scores[i, place]))
        for i, place in enumerate(best)
    ]


def settled(hypotheses: Beam, rising: bool) -> Bool[Tensor, " batch"]:
    """Whether the best hypothesis of each utterance is known, where scores may rise or only fall.

    The best is the first of equals: those before it are worse, so that it keeps its place.
    """
    best = hypotheses.scores.argmax(dim=1, keepdim=True)
    ended = hypotheses.ended
    return ended.all(dim=1) if rising else ended.gather(1, best)[:, 0]


def fused(model: Model, own: int, lm: Speaking, weight: float) -> Model:
    """Shallow fusion: the log-probabilities of a model, plus `weight` (lambda) times those of a language model.

    Park et al. 2019, section 3.4. The first `own` tensors of the state are the model's, the rest the language model's.
    """

    def both(last: Int[Tensor, " hypothesis"], state: State) -> Step:
        heard, said = model(last, state[:own]), lm(last, state[own:])
        require_labels(said.log_probs.shape[1], heard.log_probs.shape[1])
        return Step(heard.log_probs + weight * said.log_probs, (*heard.state, *said.state))

    return both


def require_labels(said: int, heard: int) -> None:
    """Raise ValueError where a language model tells of other labels than the network that it is to help."""
    if said != heard:
        raise ValueError(f"lm is a language model of {said} labels; expected the {heard} of the network")


def extended(
    old: Beam,
    log_probs: Float[Tensor, "hypothesis vocab"],
    gained: Float[Tensor, "batch beam"],
    longest: Int[Tensor, " batch"],
) -> tuple[Beam, Int[Tensor, "batch beam"]]:
    """The next hypotheses, one label longer, and the place of the old one that each came from.

    A hypothesis that has ended stays as it is; one that is as long as may be can only end.
    """
    batch, beam = old.scores.shape
    nexts = log_probs.float().view(batch, beam, -1) + gained[:, :, None]
    stays = torch.full_like(nexts[0, 0], -torch.inf)
    stays[END] = 0.0
    nexts = torch.where(old.ended[:, :, None], stays, nexts)
    full = (old.labels.shape[2] >= longest)[:, None] & ~old.ended
    nexts = torch.where(full[:, :, None], only_end(nexts), nexts)
    scores, places, labels = chosen(old.scores[:, :, None] + nexts)
    kept = old.labels.gather(1, places[:, :, None].expand(-1, -1, old.labels.shape[2]))
    grown = torch.cat([kept, labels[:, :, None]], dim=2)
    return Beam(grown, scores, (labels == END) | scores.isneginf()), places


def only_end(nexts: Float[Tensor, "batch beam vocab"]) -> Float[Tensor, "batch beam vocab"]:
    """Nothing but the end, at what the model says of it."""
    alone = torch.full_like(nexts, -torch.inf)
    alone[:, :, END] = nexts[:, :, END]
    return alone


def chosen(
    scores: Float[Tensor, "batch beam vocab"],
) -> tuple[Float[Tensor, "batch beam"], Int[Tensor, "batch beam"], Int[Tensor, "batch beam"]]:
    """For each place the best extension of those from the places up to it that is not taken yet: score, place, label."""
    batch, beam, vocab = scores.shape
    few = min(beam, vocab)
    values, labels = scores.topk(few, dim=2)  # no place gives more than `beam` extensions
    values, labels = values.clone(), labels.view(batch, beam * few)
    flat = values.view(batch, beam * few)
    picked, taken = [], []
    for place in range(beam):
        best, at = flat[:, : (place + 1) * few].max(dim=1)
        picked.append(best)
        taken.append(at)
        flat.scatter_(1, at[:, None], -torch.inf)
    at = torch.stack(taken, dim=1)
    return torch.stack(picked, dim=1), at.div(few, rounding_mode="floor"), labels.gather(1, at)


def until_end(labels: list[int]) -> list[int]:
    """The labels before the first end."""
    return labels[: labels.index(END)] if END in labels else labels
