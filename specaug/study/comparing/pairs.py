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
    entries = found.entries
    if kind == "gains":
        entries = [entry for entry in entries if entry.label != found.baseline and _base(entry, found)]
    named = [(entry.system.name, entry.label) for entry in entries]
    # what is shared, and its own
    of = named if kind == "policies" else [(label, system) for system, label in named]
    places = [(two, one) for one, two in combinations(range(len(of)), 2) if of[one][0] == of[two][0]]
    if not places:
        missing = {"policies": "two policies", "networks": "two systems with one policy"}
        what = missing.get(kind, f"two systems with {found.baseline} and one other policy")
        raise UserError(f"{', '.join(map(str, found.paths))}: no {what}; expected some to compare")
    measures = measures_of(found.results)
    pairs = [
        pair
        for part in parts_of(found)
        for measure in measures
        for pair in _on_part(part, found, entries, of, places, measure, kind)
    ]
    heading = found.entries[0].results[0].heading
    return Paired(heading, pairs, found.notes, found.unfinished, measures, kind, found.baseline)


def _base(entry: Entry, found: Reading) -> Entry | None:
    """The baseline of the entry's system, if it has one."""
    return baselines(found.entries, found.baseline).get(entry.system.name)


def _on_part(
    part: str,
    found: Reading,
    entries: Sequence[Entry],
    of: Sequence[tuple[str, str]],
    places: Sequence[tuple[int, int]],
    measure: Measure,
    kind: Kind,
) -> list[Pair]:
    _, runs = on_part(part, found.entries, measure)
    own = dict(zip(map(id, found.entries), runs, strict=True))
    sides: dict[str, Runs] = {}
    named = []
    for one, other in places:
        both = own[id(entries[one])], own[id(entries[other])]
        if kind == "gains":
            both = crossed(*both, *(own[id(_base(entries[place], found))] for place in (one, other)))
        names = (f"{one}", f"{other}") if kind != "gains" else (f"{one}-{other}", f"{other}-{one}")
        sides |= dict(zip(names, both, strict=True))
        named.append(names)
    _, differences = estimates(sides, named)
    return [
        Pair(
            part=part,
            shared=of[one][0],
            one=of[one][1],
            other=of[other][1],
            seeds=len(set(sides[names[0]].seeds) & set(sides[names[1]].seeds)),
            difference=differences[names],
            measure=measure,
        )
        for (one, other), names in zip(places, named, strict=True)
    ]


def crossed(one: Runs, other: Runs, base_of_one: Runs, base_of_other: Runs) -> tuple[Runs, Runs]:
    """Two sums of errors, whose difference is that of the two gains: (one - its base) - (other - its base)."""
    return summed(one, base_of_other), summed(other, base_of_one)


def summed(first: Runs, second: Runs) -> Runs:
    """The errors of two policies together, on the seeds that both have."""
    both = tuple(seed for seed in first.seeds if seed in second.seeds)
    rows = [[runs.seeds.index(seed) for seed in both] for runs in (first, second)]
    return Runs(both, first.errors[rows[0]] + second.errors[rows[1]], first.words)
