"""Which words, and which confusions of words, a policy fixes or breaks against the baseline.

Both policies are aligned with the same references on the same seeds (rapidfuzz, whose alignments jiwer counts). Where
several alignments have as few errors, one of them is taken, so a confusion may stand for another that is as near.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Generic, TypeVar

import numpy as np
from rapidfuzz.distance import Levenshtein

from specaug.study.comparing.gathered import Gathered, Tested
from specaug.study.results import Counts

WAYS = 1_024  # to swap two policies seed by seed; with up to eleven seeds these are all there are
TOLD = 10  # words and confusions that are told unless another number is asked for

Edit = tuple[
    str, str
]  # a word of the reference and of the hypothesis; "" for an insertion and for a deletion
Key = TypeVar("Key")
Edits = Mapping[int, Sequence[Counter[Edit]]]  # by seed, those of each utterance


@dataclass(frozen=True, slots=True)
class Example:
    """An utterance that one of two policies wrote with an error which the other did not make in it."""

    id: str
    seed: int
    reference: str
    baseline: str  # what was written
    policy: str


@dataclass(frozen=True, slots=True)
class Finding(Generic[Key]):
    """How often a word was wrong, or was taken for another, with the baseline and with the policy."""

    entry: Key
    baseline: float  # the mean over seeds
    policy: float
    net: tuple[int, ...]  # policy minus baseline with each seed
    chance: float  # see `findings`

    @property
    def mean(self) -> float:
        """More errors than with the baseline, the mean over seeds."""
        return sum(self.net) / len(self.net)

    @property
    def agreeing(self) -> int:
        """In how many seeds the sign is that of the mean."""
        return sum(count * self.mean > 0 for count in self.net)


@dataclass(frozen=True, slots=True)
class Changed:
    """What a policy changed in a part: the words and the confusions that changed most, those first."""

    part: str
    policy: str
    baseline: str
    seeds: tuple[int, ...]
    words: Sequence[Finding[str]]
    said: Mapping[str, int]  # how often each of these words is in the references
    confusions: Sequence[Finding[Edit]]
    examples: Sequence[Example | None]  # one for each confusion


def changed(found: Gathered, count: int = TOLD) -> list[Changed]:
    """For each part that is tested, and each policy but the baseline, at most `count` words and confusions.

    The part that is used for choosing is left out where there is another, and so are policies that share no seed
    with the baseline.
    """
    tests = [part for part in found.parts if not part.choosing] or found.parts
    told = []
    for part in tests:
        edits = {label: _edits(part, label) for label in found.seeds}
        for label in found.others:
            seeds = tuple(seed for seed in edits[label] if seed in edits[found.baseline])
            ours, theirs = ({seed: edits[name][seed] for seed in seeds} for name in (label, found.baseline))
            if seeds:
                told.append(_changed(part, label, found.baseline, ours, theirs, count))
    return told


def edits_of(reference: str, hypothesis: str) -> Counter[Edit]:
    """The errors of one utterance: (word, word) substituted, (word, "") deleted, ("", word) inserted."""
    said, written = reference.split(), hypothesis.split()
    return Counter(
        (
            "" if edit.tag == "insert" else said[edit.src_pos],
            "" if edit.tag == "delete" else written[edit.dest_pos],
        )
        for edit in Levenshtein.editops(said, written)
    )


def findings(policy: Mapping[int, Counter[Key]], baseline: Mapping[int, Counter[Key]]) -> list[Finding[Key]]:
    """What was counted otherwise with the policy, the largest net change first; both have the same seeds.

    `chance` is the share of the ways to swap the two policies, seed by seed, in which this entry or one after it
    changes as much as this one did, and no less than that of the entry before it (Westfall and Young 1993, step-down
    maxT). Were the policies alike, one table in 20 would have an entry with 0.05 or less, however many entries it
    has. With n seeds it is no less than 2 / 2^n, which is 0.06 for five.
    """
    entries = sorted(
        {entry for counts in (*policy.values(), *baseline.values()) for entry in counts}, key=str
    )
    net = np.array(
        [[policy[seed][e] - baseline[seed][e] for e in entries] for seed in policy], dtype=np.int64
    )
    moved = np.abs(net.sum(axis=0))
    order = np.argsort(-moved, kind="stable")
    swapped = np.abs(_signs(len(policy)) @ net[:, order])
    largest = np.maximum.accumulate(swapped[:, ::-1], axis=1)[:, ::-1]  # of this entry and those after it
    chances = np.maximum.accumulate((largest >= moved[order]).mean(axis=0))
    return [
        Finding(
            entry=entries[place],
            baseline=_mean(baseline, entries[place]),
            policy=_mean(policy, entries[place]),
            net=tuple(net[:, place].tolist()),
            chance=float(chance),
        )
        for place, chance in zip(order.tolist(), chances, strict=True)
        if moved[place]
    ]


def _changed(part: Tested, label: str, baseline: str, ours: Edits, theirs: Edits, count: int) -> Changed:
    words = findings(_words(ours), _words(theirs))[:count]
    swaps = findings(_added(ours), _added(theirs))[:count]
    said = Counter(word for reference in part.references for word in reference.split())
    return Changed(
        part=part.name,
        policy=label,
        baseline=baseline,
        seeds=tuple(ours),
        words=words,
        said={word.entry: said[word.entry] for word in words},
        confusions=swaps,
        examples=[_example(part, swap, label, baseline, ours, theirs) for swap in swaps],
    )


def _edits(part: Tested, label: str) -> dict[int, list[Counter[Edit]]]:
    return {
        seed: [edits_of(*texts) for texts in zip(part.references, hypotheses, strict=True)]
        for seed, hypotheses in part.hypotheses[label].items()
    }


def _added(edits: Edits) -> dict[int, Counter[Edit]]:
    totals: dict[int, Counter[Edit]] = {seed: Counter() for seed in edits}
    for seed, utterances in edits.items():
        for counts in utterances:
            totals[seed].update(counts)
    return totals


def _words(edits: Edits) -> dict[int, Counter[str]]:
    """How often each word of the references was substituted or deleted."""
    totals: dict[int, Counter[str]] = {seed: Counter() for seed in edits}
    for seed, counts in _added(edits).items():
        for (said, _), times in counts.items():
            totals[seed][said] += times if said else 0
    return {seed: +counts for seed, counts in totals.items()}


def _signs(seeds: int) -> Counts:
    """The ways (ways, seeds) to swap two policies seed by seed, of which the first swaps nothing.

    Swapping all seeds turns the sign of a sum and no more, so the first seed stays as it is.
    """
    if 2 ** (seeds - 1) <= WAYS:
        return np.array([(1, *signs) for signs in product((1, -1), repeat=seeds - 1)], dtype=np.int64)
    signs = np.random.default_rng(seeds).choice(np.array([1, -1]), size=(WAYS, seeds))
    signs[0] = 1
    return signs


def _mean(counts: Mapping[int, Counter[Key]], entry: Key) -> float:
    return sum(counts[seed][entry] for seed in counts) / len(counts)


def _example(
    part: Tested, swap: Finding[Edit], label: str, baseline: str, ours: Edits, theirs: Edits
) -> Example | None:
    """Of the utterances in which one policy alone has this error, that with fewest other errors, then the shortest."""
    wrong, right = (ours, theirs) if swap.mean > 0 else (theirs, ours)
    places = [
        (
            right[seed][place].total() + counts.total(),
            len(part.references[place]),
            part.ids[place],
            seed,
            place,
        )
        for seed in wrong
        for place, counts in enumerate(wrong[seed])
        if swap.entry in counts and swap.entry not in right[seed][place]
    ]
    if not places:
        return None
    seed, place = min(places)[-2:]
    texts = (part.hypotheses[name][seed][place] for name in (baseline, label))
    return Example(part.ids[place], seed, part.references[place], *texts)
