"""Every policy against every other one of its system, or every system against every other one with the same policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from specaug.errors import UserError
from specaug.study.comparing.compare import on_part, parts_of
from specaug.study.comparing.measures import WER, Measure, measures_of
from specaug.study.comparing.pairing import Entry
from specaug.study.comparing.reading import Reading
from specaug.study.stats.statistics import Difference, estimates


@dataclass(frozen=True, slots=True)
class Pair:
    """A policy minus another one on a part; Holm's p and the verdict are over all pairs of the part and measure.

    Or a system minus another one: then these two have the policy in common.
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
    systems: bool = False  # whether these are what is compared, and not policies

    @property
    def family(self) -> int:
        """How many pairs are judged, and so corrected for, at most in a part by one measure."""
        judged = [(pair.part, pair.measure) for pair in self.pairs if pair.difference.adjusted is not None]
        return max(map(judged.count, judged), default=0)


def paired(found: Reading, systems: bool = False) -> Paired:
    """All pairs of policies with one system, or of `systems` with one policy (D58). Raises UserError where there is none."""
    named = [(entry.system.name, entry.label) for entry in found.entries]
    of = [(label, system) for system, label in named] if systems else named  # what is shared, and its own
    places = [(two, one) for one, two in combinations(range(len(of)), 2) if of[one][0] == of[two][0]]
    if not places:
        what = "two systems with one policy" if systems else "two policies"
        raise UserError(f"{', '.join(map(str, found.paths))}: no {what}; expected some to compare")
    measures = measures_of(found.results)
    pairs = [
        pair
        for part in parts_of(found)
        for measure in measures
        for pair in _on_part(part, found.entries, of, places, measure)
    ]
    heading = found.entries[0].results[0].heading
    return Paired(heading, pairs, found.notes, found.unfinished, measures, systems)


def _on_part(
    part: str,
    entries: Sequence[Entry],
    of: Sequence[tuple[str, str]],
    places: Sequence[tuple[int, int]],
    measure: Measure,
) -> list[Pair]:
    _, runs = on_part(part, entries, measure)
    named = [(str(one), str(other)) for one, other in places]
    _, differences = estimates({str(place): found for place, found in enumerate(runs)}, named)
    return [
        Pair(
            part=part,
            shared=of[one][0],
            one=of[one][1],
            other=of[other][1],
            seeds=len(set(entries[one].seeds) & set(entries[other].seeds)),
            difference=differences[name],
            measure=measure,
        )
        for (one, other), name in zip(places, named, strict=True)
    ]
