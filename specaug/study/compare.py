"""Comparing policies over the runs on disk: what a table, a page and a dashboard then show."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import fmean

import numpy as np

from specaug.errors import UserError
from specaug.study import statistics
from specaug.study.choice import USUAL
from specaug.study.results import KINDS, Counts, Masked, Result, Utterances, find_runs, read_utterances
from specaug.study.statistics import Difference, Estimate, Floats

ORDER = ("None", "LB", "LD", "SM", "SS")  # of the rows; others follow
LATER = ("p_S", "p_M", "warp", "bounds", "fill")  # symbols that older results say nothing of
SAID = {**{symbol: USUAL[symbol] for symbol in LATER}, "operations": []}
CHOOSING = "dev"  # the part on which everything is chosen

Read = Mapping[tuple[int, int], Mapping[str, Utterances]]  # by seed and fold, then by part


@dataclass(frozen=True, slots=True)
class PartFacts:
    """What one part of the corpus consists of, over all folds, and what the bootstrap resamples."""

    name: str
    utterances: int
    words: int
    units: int  # how many are resampled
    unit: str  # "speakers" or "utterances"


@dataclass(frozen=True, slots=True)
class PartScore:
    """Word error rate of a policy on a part, as a share of the words."""

    wer: Estimate
    kinds: tuple[float, ...]  # substitutions, deletions and insertions, as shares of the words
    difference: Difference | None  # to the baseline, None for the baseline itself


@dataclass(frozen=True, slots=True)
class Row:
    """One policy: its runs, what was masked in them on average, and its scores by part."""

    label: str
    seeds: tuple[int, ...]
    folds: tuple[int, ...]
    runs: tuple[str, ...]  # ids
    masked: Masked
    scores: Mapping[str, PartScore]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that is said about some runs that differ in the policy alone."""

    title: str  # says "synthetic speech" where it is
    baseline: str
    network: str
    parameters: int
    parts: Sequence[PartFacts]
    rows: Sequence[Row]
    notes: Sequence[str]
    unfinished: Sequence[Path]


def compare(paths: Iterable[Path], baseline: str | None = None) -> Comparison:
    """The comparison of all finished runs in and below `paths`.

    `baseline` is a policy's label; without it None is taken where it is there, else the first. Raises UserError
    where there is no finished run, where runs differ in more than policy, seed and fold, or where no policy
    has a seed with all folds.
    """
    paths = list(paths)
    runs = find_runs(paths)
    if not runs.finished:
        raise UserError(f"{', '.join(map(str, paths))}: no finished run; expected folders with result.json")
    check_comparable(runs.finished)
    whole, notes = _whole_seeds(runs.finished)
    labels = sorted(whole, key=lambda label: _place(whole[label][0]))
    baseline = _baseline(labels, baseline)
    read = {
        label: {(r.seed, r.fold): read_utterances(r) for r in results} for label, results in whole.items()
    }
    _check_same_utterances([r for results in whole.values() for r in results], read)
    first = runs.finished[0]
    tested = [_on_part(part, labels, read, baseline) for part in _parts(first)]
    return Comparison(
        title=_title(first),
        baseline=baseline,
        network=first.network,
        parameters=first.parameters,
        parts=[facts for facts, _ in tested],
        rows=[
            _row(label, whole[label], {facts.name: scores[label] for facts, scores in tested})
            for label in labels
        ],
        notes=notes + _pairing_notes(whole, labels, baseline) + _training_notes(runs.finished),
        unfinished=runs.unfinished,
    )


def check_comparable(results: Sequence[Result]) -> None:
    """Raise UserError where runs differ in more than policy, seed and fold, or do the same thing twice."""
    first = results[0]
    meaning: dict[str, Result] = {}
    data: dict[int, Result] = {}
    done: dict[tuple[str, int, int], Result] = {}
    for result in results:
        _same(first, result, "corpus", first.corpus, result.corpus)
        _same(first, result, "parts", sorted(first.parts), sorted(result.parts))
        _same(first, result, "alphabet", first.alphabet, result.alphabet)
        _same(first, result, "network", first.network, result.network)
        _same(first, result, "network arguments", first.arguments, result.arguments)
        named = meaning.setdefault(result.label, result)
        _same(named, result, f"policy {result.label}", {**SAID, **named.policy}, {**SAID, **result.policy})
        fold = data.setdefault(result.fold, result)
        _same(fold, result, f"corpus of fold {result.fold}", fold.fingerprint, result.fingerprint)
        twin = done.setdefault((result.label, result.seed, result.fold), result)
        if twin is not result:
            raise UserError(
                f"{result.folder}: policy {result.label}, seed {result.seed}, fold {result.fold} is also in "
                f"{twin.folder}; expected each once"
            )


def _same(one: Result, other: Result, what: str, expected: object, found: object) -> None:
    if found != expected:
        raise UserError(f"{other.folder}: {what} is {found!r}; expected {expected!r} as in {one.folder}")


def _whole_seeds(results: Sequence[Result]) -> tuple[dict[str, list[Result]], list[str]]:
    """By label the results of the seeds that have all folds, and a note for every seed that has not."""
    folds = {result.fold for result in results}
    whole: dict[str, list[Result]] = defaultdict(list)
    notes = []
    ordered = sorted(results, key=lambda r: (r.label, r.seed, r.fold))
    for (label, seed), group in groupby(ordered, key=lambda r: (r.label, r.seed)):
        runs = list(group)
        if missing := sorted(folds - {r.fold for r in runs}):
            notes.append(f"{label}, seed {seed} is left out: no result for {_listed('fold', missing)}")
        else:
            whole[label] += runs
    if not whole:
        raise UserError(f"no seed of any policy has all {len(folds)} folds; the first: {notes[0]}")
    return dict(whole), notes


def _pairing_notes(whole: Mapping[str, list[Result]], labels: list[str], baseline: str) -> list[str]:
    seeds = {label: {r.seed for r in whole[label]} for label in labels}
    notes = []
    for label in labels:
        if seeds[label] != seeds[baseline]:
            alone = _listed("seed", sorted(seeds[label] ^ seeds[baseline]))
            both = len(seeds[label] & seeds[baseline])
            notes.append(f"{label} and {baseline} are not paired on {alone}; difference over {both} seeds")
    return notes


def _training_notes(results: Sequence[Result]) -> list[str]:
    epochs = {r.epochs for r in results}
    notes = [f"runs differ in length: {min(epochs)} to {max(epochs)} epochs"] if len(epochs) > 1 else []
    skipping = [r for r in results if r.skipped]
    if skipping:
        most = max(len(r.skipped) for r in skipping)
        notes.append(f"{len(skipping)} of {len(results)} runs skipped up to {most} utterances in training")
    return notes


def _listed(word: str, numbers: Sequence[int]) -> str:
    return f"{word}{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _place(result: Result) -> tuple[object, ...]:
    """Where a policy stands: those of the paper first, then their variants, numbers in a label by size."""
    names = [result.label, str(result.policy.get("name"))]
    places = [ORDER.index(name) if name in ORDER else len(ORDER) for name in names]
    pieces = re.split(r"(\d+(?:\.\d+)?)", result.label)
    return *places, [(float(piece), "") if i % 2 else (0.0, piece) for i, piece in enumerate(pieces)]


def _baseline(labels: list[str], wanted: str | None) -> str:
    if wanted is None:
        return "None" if "None" in labels else labels[0]
    if wanted not in labels:
        raise UserError(f"baseline is {wanted!r}; expected one of {', '.join(labels)}")
    return wanted


def _parts(result: Result) -> list[str]:
    tests = [part for part in result.parts if part != CHOOSING]
    return tests + [part for part in result.parts if part == CHOOSING]


def _title(result: Result) -> str:
    if result.synthetic and "synthetic speech" not in result.title.lower():
        return f"{result.title} (synthetic speech)"
    return result.title


def _check_same_utterances(results: Sequence[Result], read: Mapping[str, Read]) -> None:
    first: dict[tuple[int, str], tuple[Result, Utterances]] = {}
    for result in results:
        for part, found in read[result.label][result.seed, result.fold].items():
            other, expected = first.setdefault((result.fold, part), (result, found))
            for name in ("ids", "speakers", "words"):
                if not np.array_equal(getattr(found, name), getattr(expected, name)):
                    raise UserError(f"{result.folder}: {name} of part {part} differ from {other.folder}")


def _on_part(
    part: str, labels: list[str], read: Mapping[str, Read], baseline: str
) -> tuple[PartFacts, dict[str, PartScore]]:
    """The part over all folds, and the score of every policy on it."""
    by_fold = {fold: parts[part] for (_, fold), parts in sorted(read[baseline].items())}
    words = np.concatenate([u.words for u in by_fold.values()])
    speakers = [s for u in by_fold.values() for s in u.speakers]
    names, unit_of = np.unique(speakers, return_inverse=True)
    unit, units = ("speakers", len(names)) if len(names) > 1 else ("utterances", len(words))
    unit_of = unit_of if len(names) > 1 else np.arange(len(words))
    runs = {label: _runs(read[label], part, unit_of, words) for label in labels}
    pairs = [(label, baseline) for label in labels if label != baseline]
    rates, differences = statistics.estimates(runs, pairs)
    scores = {
        label: PartScore(rates[label], _kinds(read[label], part), differences.get((label, baseline)))
        for label in labels
    }
    return PartFacts(part, len(words), int(words.sum()), units, unit), scores


def _runs(read: Read, part: str, unit_of: Counts, words: Counts) -> statistics.Runs:
    seeds = tuple(sorted({seed for seed, _ in read}))
    errors = []
    for seed in seeds:
        folds = [parts[part].errors for (s, _), parts in sorted(read.items()) if s == seed]
        errors.append(_by_unit(unit_of, np.concatenate(folds)))
    return statistics.Runs(seeds, np.array(errors), _by_unit(unit_of, words))


def _by_unit(unit_of: Counts, counts: Counts) -> Floats:
    return np.bincount(unit_of, weights=counts).astype(np.float64)


def _kinds(read: Read, part: str) -> tuple[float, ...]:
    runs = [parts[part] for parts in read.values()]
    words = sum(int(u.words.sum()) for u in runs)
    return tuple(sum(int(getattr(u, kind).sum()) for u in runs) / words for kind in KINDS)


def _row(label: str, results: Sequence[Result], scores: Mapping[str, PartScore]) -> Row:
    return Row(
        label=label,
        seeds=tuple(sorted({r.seed for r in results})),
        folds=tuple(sorted({r.fold for r in results})),
        runs=tuple(r.run for r in results),
        masked=Masked(
            cells=fmean(r.masked.cells for r in results),
            frames=fmean(r.masked.frames for r in results),
            channels=fmean(r.masked.channels for r in results),
        ),
        scores=scores,
    )
