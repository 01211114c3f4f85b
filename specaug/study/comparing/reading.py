"""Finished runs, read and found to be comparable: where every comparison starts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from specaug.errors import UserError
from specaug.study.comparing.comparable import check_comparable, check_once, check_same_utterances
from specaug.study.comparing.pairing import Entry, chosen_baseline, pairing_notes, training_notes, whole_seeds
from specaug.study.comparing.systems import System, systems
from specaug.study.results import Result, find_runs, read_utterances


@dataclass(frozen=True, eq=False, slots=True)
class Reading:
    """The policies of some runs, the one they are compared with, and what is to be said of the runs."""

    paths: Sequence[Path]
    systems: Sequence[System]  # also those of which no seed is whole
    entries: Sequence[Entry]
    baseline: str
    notes: Sequence[str]
    unfinished: Sequence[Path]

    @property
    def results(self) -> list[Result]:
        """Of all policies."""
        return [result for entry in self.entries for result in entry.results]


def read_runs(paths: Iterable[Path], baseline: str | None = None) -> Reading:
    """All finished runs in and below `paths`; of seeds that lack a fold there is a note alone.

    `baseline` is a policy's label; without it None is taken where it is there, else the first. Raises UserError
    where there is no finished run, where runs differ in more than system, policy, seed and fold, where two are the
    same, or where no policy has a seed with all folds.
    """
    paths = list(paths)
    runs = find_runs(paths)
    found = comparable(runs.finished, paths)
    for _, results in found:
        check_once(results)
    whole, notes = whole_seeds(found)
    entries = [
        Entry(system, label, results, {(r.seed, r.fold): read_utterances(r) for r in results})
        for system, label, results in whole
    ]
    baseline = chosen_baseline(entries, baseline)
    check_same_utterances([(r, entry.read[r.seed, r.fold]) for entry in entries for r in entry.results])
    notes = notes + pairing_notes(entries, baseline) + training_notes(found)
    return Reading(paths, [system for system, _ in found], entries, baseline, notes, runs.unfinished)


def comparable(results: Sequence[Result], paths: Iterable[Path]) -> list[tuple[System, list[Result]]]:
    """The systems of some results, each with its own. Raises UserError where there is none, or they do not go together."""
    if not results:
        raise UserError(f"{', '.join(map(str, paths))}: no finished run; expected folders with result.json")
    check_comparable(results)
    return systems(results)


def check_one_system(systems: Sequence[System], paths: Iterable[Path]) -> None:
    """Raise UserError where there are several systems."""
    if len(systems) > 1:
        told = "; ".join(system.name for system in systems)
        raise UserError(
            f"{', '.join(map(str, paths))}: runs of {len(systems)} systems ({told}); expected one"
        )
