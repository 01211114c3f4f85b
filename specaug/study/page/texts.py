"""What was said and what each run wrote: the utterances of a comparison, as the explorer lists them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jiwer
import numpy as np

from specaug.speech.scoring import tidy
from specaug.study.comparing.compare import Comparison
from specaug.study.comparing.pairing import Entry
from specaug.study.results import KINDS, Counts, Result, Utterances

OPERATIONS = {"equal": "=", "substitute": "s", "delete": "d", "insert": "i"}

Written = list[str]  # a hypothesis, and the operations that make it of the reference


@dataclass(frozen=True, slots=True)
class Case:
    """One utterance on which runs were tested."""

    fold: int
    part: str
    id: str
    speaker: str
    reference: str
    words: int


@dataclass(frozen=True, slots=True)
class Heard:
    """One run: what it wrote of each utterance of its fold, in the order of the cases."""

    policy: int
    result: Result
    hypotheses: tuple[str, ...]
    errors: Counts  # (cases of the fold, kinds)


@dataclass(frozen=True, slots=True)
class Texts:
    """The utterances of all folds, and the runs."""

    labels: tuple[str, ...]
    cases: tuple[Case, ...]
    runs: tuple[Heard, ...]

    def of_fold(self, fold: int) -> list[int]:
        """The places of the cases of a fold, in order."""
        return [place for place, case in enumerate(self.cases) if case.fold == fold]

    def errors(self) -> Counts:
        """Errors summed over seeds: (policies, cases, kinds)."""
        total = np.zeros((len(self.labels), len(self.cases), len(KINDS)), dtype=np.int64)
        places = {fold: self.of_fold(fold) for fold in {run.result.fold for run in self.runs}}
        for run in self.runs:
            total[run.policy, places[run.result.fold]] += run.errors
        return total

    def seeds(self) -> list[int]:
        """How many seeds each policy has."""
        seeds = [{run.result.seed for run in self.runs if run.policy == i} for i in range(len(self.labels))]
        return [len(found) for found in seeds]


def titles(comparison: Comparison) -> tuple[str, ...]:
    """What each row is called: its policy, and its system where there are several."""
    several = len(comparison.systems) > 1
    return tuple(f"{row.label}, {row.system}" if several else row.label for row in comparison.rows)


def texts(comparison: Comparison, entries: Sequence[Entry]) -> Texts:
    """The texts of the runs of each row; `entries` are what the rows were made of."""
    parts = [part.name for part in comparison.parts]
    cases: dict[int, list[Case]] = {}
    found = []
    for row, entry in enumerate(entries):
        for result in sorted(entry.results, key=lambda result: (result.seed, result.fold)):
            read = entry.read[result.seed, result.fold]
            cases.setdefault(result.fold, list(cases_of(result.fold, parts, read)))
            found.append(heard(row, result, [read[part] for part in parts]))
    ordered = tuple(case for fold in sorted(cases) for case in cases[fold])
    return Texts(titles(comparison), ordered, tuple(found))


def cases_of(fold: int, parts: Sequence[str], read: Mapping[str, Utterances]) -> Iterator[Case]:
    """The utterances of a fold, part by part."""
    for part in parts:
        found = read[part]
        rows = zip(found.ids, found.speakers, found.references, found.words.tolist(), strict=True)
        yield from (Case(fold, part, *row) for row in rows)


def heard(policy: int, result: Result, parts: Sequence[Utterances]) -> Heard:
    """What a run wrote."""
    hypotheses = tuple(text for part in parts for text in part.hypotheses)
    counts = [np.stack([getattr(part, kind) for kind in KINDS], axis=1) for part in parts]
    return Heard(policy, result, hypotheses, np.concatenate(counts))


def written(case: Case, hypothesis: str) -> Written | int:
    """What a run wrote of an utterance; 0 where it is what was said."""
    reference = tidy(case.reference)
    return 0 if reference == tidy(hypothesis) else aligned(reference, tidy(hypothesis))


@lru_cache(maxsize=65536)
def aligned(reference: str, hypothesis: str) -> Written:
    """The hypothesis, and a letter for each step from reference to hypothesis: = kept, s, d, i (jiwer).

    >>> aligned("one two three", "one too three four")
    ['one too three four', '=s=i']
    """
    steps: Any = jiwer.process_words(reference, hypothesis).alignments[0]
    letters = ""
    for step in steps:
        reach = max(step.ref_end_idx - step.ref_start_idx, step.hyp_end_idx - step.hyp_start_idx)
        letters += OPERATIONS[step.type] * reach
    return [hypothesis, letters]
