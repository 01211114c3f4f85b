"""The columns of a part's utterances, as all of its runs together tell them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from specaug.speech.manifest import Value
from specaug.study.results import Result, Utterances

Fold = Sequence[tuple[Result, Utterances]]  # the runs of a fold, each with the same utterances
Told = Sequence[tuple[Result, tuple[Value, ...]]]  # what each run says of these


@dataclass(frozen=True, eq=False, slots=True)
class Column:
    """A value for each utterance of a part; None where no run tells one."""

    values: tuple[Value, ...]
    lacking: tuple[Path, ...] = ()  # runs that have no such column, where others of their fold have it
    clash: str = ""  # where two runs tell an utterance differently


def columns(runs: Iterable[tuple[Result, Utterances]]) -> dict[str, Column]:
    """The speaker, the words, and the manifest's further columns, fold after fold (D57)."""
    by_fold: dict[int, list[tuple[Result, Utterances]]] = {}
    for result, found in runs:
        by_fold.setdefault(result.fold, []).append((result, found))
    folds = [by_fold[fold] for fold in sorted(by_fold)]
    firsts = [fold[0][1] for fold in folds]
    own = {
        "speaker": Column(tuple(chain.from_iterable(u.speakers for u in firsts))),
        "words": Column(tuple(chain.from_iterable(u.words.tolist() for u in firsts))),
    }
    names = dict.fromkeys(name for fold in folds for _, u in fold for name in u.columns)
    return own | {name: _column(name, folds) for name in names}


def _column(name: str, folds: Sequence[Fold]) -> Column:
    values: list[Value] = []
    lacking: list[Path] = []
    clashes: list[str] = []
    for fold in folds:
        told = [(result, u.columns[name]) for result, u in fold if name in u.columns]
        if told:
            lacking += [result.folder for result, u in fold if name not in u.columns]
        merged, clash = _merged(name, fold[0][1].ids, told)
        values += merged
        clashes += clash
    return Column(tuple(values), tuple(lacking), clashes[0] if clashes else "")


def _merged(name: str, ids: Sequence[str], told: Told) -> tuple[list[Value], list[str]]:
    """What the first run that tells an utterance says of it, and where others say something else."""
    merged: list[Value] = [None] * len(ids)
    source: list[Result | None] = [None] * len(ids)
    clashes = []
    for result, given in told:
        if list(given) == merged:
            continue
        for place, value in enumerate(given):
            if value is None or value == merged[place]:
                continue
            if (first := source[place]) is None:
                merged[place], source[place] = value, result
            else:
                what = f"{name} of utterance {ids[place]!r} is {value!r:.80}"
                clashes.append(
                    f"{result.folder}: {what}; expected {merged[place]!r:.80} as in {first.folder}"
                )
    return merged, clashes
