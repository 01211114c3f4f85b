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
    """A policy minus another one on a part; Holm's p and the verdict are over all pairs of the part."""

    part: str
    system: str
    policy: str
    other: str  # that stands above it in the table
    seeds: int  # that both have
    difference: Difference


@dataclass(frozen=True, slots=True)
class Paired:
    """All pairs of some runs, part by part."""

    title: str
    pairs: Sequence[Pair]
    notes: Sequence[str]
    unfinished: Sequence[Path]
    measure: Measure = WER  # in which differences are told; accuracy of classes

    @property
    def family(self) -> int:
        """How many pairs are judged, and so corrected for, at most in a part."""
        judged = [pair.part for pair in self.pairs if pair.difference.adjusted is not None]
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
    pairs = [pair for part in parts_of(found) for pair in _on_part(part, found.entries, places)]
    measure = measures_of(found.results)[0]
    return Paired(found.entries[0].results[0].heading, pairs, found.notes, found.unfinished, measure)


def _on_part(part: str, entries: Sequence[Entry], places: Sequence[tuple[int, int]]) -> list[Pair]:
    _, runs = on_part(part, entries)
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
        )
        for (one, other), name in zip(places, named, strict=True)
    ]
