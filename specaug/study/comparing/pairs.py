"""Every policy against every other one of its system, every system against every other one with the same policy, or what a
policy gains with every system against what it gains with every other one (an interaction).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

from specaug.errors import UserError
from specaug.study.comparing.compare import on_part, parts_of
from specaug.study.comparing.measures import WER, Measure, measures_of
from specaug.study.comparing.pairing import Entry, baselines
from specaug.study.comparing.reading import Reading
from specaug.study.stats.statistics import Difference, Runs, estimates

Kind = Literal["policies", "networks", "gains"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A policy minus another one on a part; Holm's p and the verdict are over all pairs of the part and measure.

    Or a system minus another one: then these two have the policy in common, or what it gains over the baseline.
    """

    part: str
    shared: str  # the system of both policies, or the policy of both systems
    one: str
    other: str  # that stands above it in the table
    seeds: int  # that both have
    difference: Difference  # of the rate of errors that the measure is made of
    measure: Measure = WER


@dataclass(frozen=True, slots=True)
class Paired:
    """All pairs of some runs, part by part."""

    title: str
    pairs: Sequence[Pair]
    notes: Sequence[str]
    unfinished: Sequence[Path]
    measures: Sequence[Measure] = (WER,)  # in which differences are told, the first one first
    kind: Kind = "policies"  # what is compared
    baseline: str = ""  # over which a policy gains

    @property
    def family(self) -> int:
        """How many pairs are judged, and so corrected for, at most in a part by one measure."""
        judged = [(pair.part, pair.measure) for pair in self.pairs if pair.difference.adjusted is not None]
        return max(map(judged.count, judged), default=0)


def paired(found: Reading, kind: Kind = "policies") -> Paired:
    """All pairs of policies with one system, or of systems with one policy or its gain (D58, D119).

    Raises UserError where there is none.
    """
    based = baselines(found.entries, found.baseline)
    entries = found.entries
    if kind == "gains":
        entries = [one for one in entries if one.label != found.baseline and one.system.name in based]
    pairs = [
        (later, first)
        for first, later in combinations(entries, 2)
        if _named(first, kind)[0] == _named(later, kind)[0]
    ]
    if not pairs:
        missing = {"policies": "two policies", "networks": "two systems with one policy"}
        what = missing.get(kind, f"two systems with {found.baseline} and one other policy")
        raise UserError(f"{', '.join(map(str, found.paths))}: no {what}; expected some to compare")
    measures = measures_of(found.results)
    told = [
        pair
        for part in parts_of(found)
        for measure in measures
        for pair in _on_part(part, found, pairs, measure, kind)
    ]
    heading = found.entries[0].results[0].heading
    return Paired(heading, told, found.notes, found.unfinished, measures, kind, found.baseline)


def _named(entry: Entry, kind: Kind) -> tuple[str, str]:
    """What the entries of a pair have in common, and what they have not."""
    names = entry.system.name, entry.label
    return names if kind == "policies" else names[::-1]


def _on_part(
    part: str, found: Reading, pairs: Sequence[tuple[Entry, Entry]], measure: Measure, kind: Kind
) -> list[Pair]:
    _, runs = on_part(part, found.entries, measure)
    own = dict(zip(found.entries, runs, strict=True))
    place = {entry: str(number) for number, entry in enumerate(found.entries)}
    based = baselines(found.entries, found.baseline)
    sides: dict[str, Runs] = {}
    names = []
    for one, other in pairs:
        both, called = (own[one], own[other]), (place[one], place[other])
        if kind == "gains":
            both = crossed(*both, *(own[based[entry.system.name]] for entry in (one, other)))
            called = " of ".join(called), " of ".join(called[::-1])
        sides |= zip(called, both, strict=True)
        names.append(called)
    _, differences = estimates(sides, names)
    return [
        Pair(
            part=part,
            shared=_named(one, kind)[0],
            one=_named(one, kind)[1],
            other=_named(other, kind)[1],
            seeds=len(sides[called[0]].common(sides[called[1]])),
            difference=differences[called],
            measure=measure,
        )
        for (one, other), called in zip(pairs, names, strict=True)
    ]


def crossed(one: Runs, other: Runs, base_of_one: Runs, base_of_other: Runs) -> tuple[Runs, Runs]:
    """Two sums of errors, whose difference is that of the two gains: (one - its base) - (other - its base)."""
    return summed(one, base_of_other), summed(other, base_of_one)


def summed(first: Runs, second: Runs) -> Runs:
    """The errors of two policies together, on the seeds that both have."""
    both = first.common(second)
    return Runs(both, first.errors[first.rows(both)] + second.errors[second.rows(both)], first.words)
