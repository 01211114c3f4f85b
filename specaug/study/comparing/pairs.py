"""Every policy against every other one of its system."""

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
    """A policy minus another one on a part; Holm's p and the verdict are over all pairs of the part and measure."""

    part: str
    system: str
    policy: str
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

    @property
    def family(self) -> int:
        """How many pairs are judged, and so corrected for, at most in a part by one measure."""
        judged = [(pair.part, pair.measure) for pair in self.pairs if pair.difference.adjusted is not None]
        return max(map(judged.count, judged), default=0)


def paired(found: Reading) -> Paired:
    """All pairs of policies with one system (D58). Raises UserError where there is none."""
    places = [
        (two, one)
        for one, two in combinations(range(len(found.entries)), 2)
        if found.entries[one].system == found.entries[two].system
    ]
    if not places:
        raise UserError(f"{', '.join(map(str, found.paths))}: no two policies; expected some to compare")
    measures = measures_of(found.results)
    pairs = [
        pair
        for part in parts_of(found)
        for measure in measures
        for pair in _on_part(part, found.entries, places, measure)
    ]
    return Paired(found.entries[0].results[0].heading, pairs, found.notes, found.unfinished, measures)


def _on_part(
    part: str, entries: Sequence[Entry], places: Sequence[tuple[int, int]], measure: Measure
) -> list[Pair]:
    _, runs = on_part(part, entries, measure)
    named = [(str(one), str(other)) for one, other in places]
    _, differences = estimates({str(place): found for place, found in enumerate(runs)}, named)
    return [
        Pair(
            part=part,
            system=entries[one].system.name,
            policy=entries[one].label,
            other=entries[other].label,
            seeds=len(set(entries[one].seeds) & set(entries[other].seeds)),
            difference=differences[name],
            measure=measure,
        )
        for (one, other), name in zip(places, named, strict=True)
    ]
