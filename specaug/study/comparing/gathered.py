"""The utterances of finished runs beside each other: what every policy and seed made of each of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np

from specaug.study.comparing.columns import Column, columns
from specaug.study.comparing.comparable import decoded
from specaug.study.comparing.compare import CHOOSING
from specaug.study.comparing.measures import WER, Measure, measures_of
from specaug.study.comparing.pairing import Entry
from specaug.study.comparing.reading import Reading, check_one_system, read_runs
from specaug.study.results import Counts, Result, Utterances

Parts = Mapping[str, Utterances]
T = TypeVar("T")


@dataclass(frozen=True, eq=False, slots=True)
class Tested:
    """One part of the corpus over all folds; every sequence has one entry per utterance, in the same order."""

    name: str
    choosing: bool  # everything is chosen on it, so that it is not for reporting
    ids: tuple[str, ...]
    speakers: tuple[str, ...]
    references: tuple[str, ...]
    words: Counts
    columns: Mapping[str, Column]  # speaker, words and the manifest's further columns
    errors: Mapping[str, Mapping[int, Counts]]  # by policy and seed
    hypotheses: Mapping[str, Mapping[int, tuple[str, ...]]]  # by policy and seed

    def column(self, name: str) -> Column:
        """A column, of which nothing may be told."""
        return self.columns.get(name, Column((None,) * len(self.ids)))


@dataclass(frozen=True, eq=False, slots=True)
class Gathered:
    """Some runs that differ in the policy alone, and the parts of the corpus they were tested on."""

    title: str
    baseline: str
    seeds: Mapping[str, tuple[int, ...]]  # of each policy, in the order of the table
    parts: Sequence[Tested]
    notes: Sequence[str]
    unfinished: Sequence[Path]
    measure: Measure = WER  # in which rates are told; accuracy of classes

    @property
    def others(self) -> list[str]:
        """The policies that are compared with the baseline."""
        return [label for label in self.seeds if label != self.baseline]


def gathered(paths: Iterable[Path], baseline: str | None = None) -> Gathered:
    """What `compare` would count of the finished runs in and below `paths`; the baseline is chosen as there.

    Raises UserError as `compare` does, and where the runs are of several systems.
    """
    return gathered_from(read_runs(paths, baseline))


def gathered_from(found: Reading) -> Gathered:
    """The same of runs that are read. Raises UserError where they are of several systems."""
    check_one_system(found.systems, found.paths)
    entries = found.entries
    read = [(result, entry.read[result.seed, result.fold]) for entry in entries for result in entry.results]
    names = list(found.results[0].parts)
    choosing = {part: decoded(part, names)[0] == CHOOSING for part in names}
    return Gathered(
        title=found.results[0].heading,
        baseline=found.baseline,
        seeds={entry.label: entry.seeds for entry in entries},
        parts=[
            _tested(part, choosing[part], entries, read) for part in sorted(names, key=choosing.__getitem__)
        ],
        notes=found.notes,
        unfinished=found.unfinished,
        measure=measures_of(found.results)[0],
    )


def _tested(
    part: str, choosing: bool, entries: Sequence[Entry], read: Iterable[tuple[Result, Parts]]
) -> Tested:
    runs = {
        (entry.label, seed): [parts[part] for (s, _), parts in sorted(entry.read.items()) if s == seed]
        for entry in entries
        for seed in entry.seeds
    }
    corpus = next(iter(runs.values()))
    errors: dict[str, dict[int, Counts]] = {label: {} for label, _ in runs}
    hypotheses: dict[str, dict[int, tuple[str, ...]]] = {label: {} for label, _ in runs}
    for (label, seed), folds in runs.items():
        errors[label][seed] = np.concatenate([u.errors for u in folds])
        hypotheses[label][seed] = _joined([u.hypotheses for u in folds])
    return Tested(
        name=part,
        choosing=choosing,
        ids=_joined([u.ids for u in corpus]),
        speakers=_joined([u.speakers for u in corpus]),
        references=_joined([u.references for u in corpus]),
        words=np.concatenate([u.words for u in corpus]),
        columns=columns((result, parts[part]) for result, parts in read),
        errors=errors,
        hypotheses=hypotheses,
    )


def _joined(folds: Iterable[tuple[T, ...]]) -> tuple[T, ...]:
    return tuple(chain.from_iterable(folds))
