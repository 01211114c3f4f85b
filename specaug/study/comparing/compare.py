"""Comparing policies over the runs on disk: what a table, a page and a dashboard then show."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from specaug.speech.ranking import weights
from specaug.study.comparing.comparable import decoded
from specaug.study.comparing.ends import End, ends
from specaug.study.comparing.measures import MAP, WER, Measure, measures_of
from specaug.study.comparing.pairing import Entry
from specaug.study.comparing.reading import Reading, read_runs
from specaug.study.comparing.systems import System
from specaug.study.results import KINDS, Counts, Masked
from specaug.study.stats import statistics
from specaug.study.stats.statistics import Difference, Estimate, Floats

CHOOSING = "dev"  # the part on which everything is chosen


@dataclass(frozen=True, slots=True)
class PartFacts:
    """What one part of the corpus consists of, over all folds, and what the bootstrap resamples."""

    name: str
    utterances: int
    words: int
    units: int  # how many are resampled
    unit: str  # "speakers" or "utterances"
    decoding: str = ""  # "lm" in `unseen+lm`: the same utterances as `unseen`, decoded with a language model

    @property
    def plain(self) -> str:
        """The name of the part whose utterances these are."""
        return self.name.removesuffix(f"+{self.decoding}") if self.decoding else self.name


@dataclass(frozen=True, slots=True)
class PartScore:
    """Word error rate of a policy on a part, as a share of the words."""

    wer: Estimate
    kinds: tuple[float, ...]  # substitutions, deletions and insertions, as shares of the words
    difference: (
        Difference | None
    )  # to the system's baseline, None for the baseline itself and where there is none
    cer: float | None = None  # character error rate, as a share of the characters
    missed: Estimate | None = None  # one less the mean average precision, where there are classes
    missed_difference: Difference | None = None

    def counted(self, measure: Measure) -> tuple[Estimate, Difference | None]:
        """The rate of errors that a measure is made of, and its difference; lower is better."""
        if measure == MAP:
            assert self.missed is not None  # or it is none of the comparison's measures
            return self.missed, self.missed_difference
        return self.wer, self.difference

    def shown(self, measure: Measure) -> tuple[Estimate, Difference | None]:
        """Both as they are printed."""
        rate, difference = self.counted(measure)
        return measure.rate(rate), None if difference is None else measure.difference(difference)


@dataclass(frozen=True, slots=True)
class Row:
    """One policy of one system: its runs, what was masked in them on average, and its scores by part."""

    label: str
    seeds: tuple[int, ...]
    folds: tuple[int, ...]
    runs: tuple[str, ...]  # ids
    masked: Masked
    scores: Mapping[str, PartScore]
    system: str = ""  # its name
    ends: Sequence[End] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that is said about some runs; policies are compared within a system alone."""

    title: str  # says "synthetic speech" where it is
    baseline: str
    parts: Sequence[PartFacts]
    rows: Sequence[Row]  # those of one system are together, in the order of `systems`
    notes: Sequence[str]
    unfinished: Sequence[Path]
    systems: Sequence[System] = ()
    measures: Sequence[Measure] = (WER,)  # in which it is told, the first one first


def compare(paths: Iterable[Path], baseline: str | None = None) -> Comparison:
    """The comparison of all finished runs in and below `paths`.

    `baseline` is a policy's label; without it None is taken where it is there, else the first. Holm's correction
    is over all policies of all systems that are compared on a part. Raises UserError where there is no finished
    run, where runs differ in more than system, policy, seed and fold, or where no policy has a seed with all folds.
    """
    return compared(read_runs(paths, baseline))


def compared(found: Reading) -> Comparison:
    """The comparison of runs that are read."""
    entries = found.entries
    measures = measures_of(found.results)
    tested = [_scored(part, entries, found.baseline, measures) for part in parts_of(found)]
    scores = [{facts.name: scored[i] for facts, scored in tested} for i in range(len(entries))]
    return Comparison(
        title=entries[0].results[0].heading,
        baseline=found.baseline,
        parts=[facts for facts, _ in tested],
        rows=[_row(entry, scored) for entry, scored in zip(entries, scores, strict=True)],
        notes=found.notes,
        unfinished=found.unfinished,
        systems=list({entry.system.name: entry.system for entry in entries}.values()),
        measures=measures,
    )


def parts_of(found: Reading) -> list[str]:
    """The parts as they are printed: each beside its other decodings, and last what everything is chosen on."""
    names = list(found.entries[0].results[0].parts)

    def place(part: str) -> tuple[bool, int, bool, int]:
        plain, decoding = decoded(part, names)
        return plain == CHOOSING, names.index(plain), bool(decoding), names.index(part)

    return sorted(names, key=place)


def on_part(
    part: str, entries: Sequence[Entry], measure: Measure = WER
) -> tuple[PartFacts, list[statistics.Runs]]:
    """The part over all folds, and what every entry has wrong in it, by the measure."""
    first = entries[0].read
    seed = min(entries[0].seeds)
    folds = [parts[part] for (s, _), parts in sorted(first.items()) if s == seed]
    words = np.concatenate([u.words for u in folds])
    speakers = [s for u in folds for s in u.speakers]
    voices, unit_of = np.unique(speakers, return_inverse=True)
    unit, units = ("speakers", len(voices)) if len(voices) > 1 else ("utterances", len(words))
    unit_of = unit_of if len(voices) > 1 else np.arange(len(words))
    decoding = decoded(part, entries[0].results[0].parts)[1]
    facts = PartFacts(part, len(words), int(words.sum()), units, unit, decoding)
    if measure == MAP:
        counted = np.concatenate([weights(u.references) for u in folds])
        return facts, [_missed(entry, part, unit_of, counted) for entry in entries]
    return facts, [_runs(entry, part, unit_of, words) for entry in entries]


def _scored(
    part: str, entries: Sequence[Entry], baseline: str, measures: Sequence[Measure]
) -> tuple[PartFacts, list[PartScore]]:
    """The part, and the score of every entry on it."""
    names = [(entry.system.name, entry.label) for entry in entries]
    key = {name: str(place) for place, name in enumerate(names)}
    pairs = {
        (system, label): (key[system, label], key[system, baseline])
        for system, label in names
        if label != baseline and (system, baseline) in key
    }
    facts, runs = on_part(part, entries)
    rates, differences = statistics.estimates(
        dict(zip(key.values(), runs, strict=True)), list(pairs.values())
    )
    missed: dict[str, Estimate] = {}
    of_missed: dict[statistics.Pair, Difference] = {}
    if MAP in measures:
        _, ranked = on_part(part, entries, MAP)
        missed, of_missed = statistics.estimates(
            dict(zip(key.values(), ranked, strict=True)), list(pairs.values())
        )
    return facts, [
        PartScore(
            wer=rates[key[name]],
            kinds=_kinds(entry, part),
            difference=differences[pairs[name]] if name in pairs else None,
            cer=_characters(entry, part),
            missed=missed.get(key[name]),
            missed_difference=of_missed.get(pairs[name]) if name in pairs else None,
        )
        for name, entry in zip(names, entries, strict=True)
    ]


def _runs(entry: Entry, part: str, unit_of: Counts, words: Counts) -> statistics.Runs:
    errors = []
    for seed in entry.seeds:
        folds = [parts[part].errors for (s, _), parts in sorted(entry.read.items()) if s == seed]
        errors.append(_by_unit(unit_of, np.concatenate(folds)))
    return statistics.Runs(entry.seeds, np.array(errors), _by_unit(unit_of, words))


def _missed(entry: Entry, part: str, unit_of: Counts, counted: Floats) -> statistics.Runs:
    """What the utterances missed, so that the sum over a fold is one less its mean average precision."""
    wrong = []
    for seed in entry.seeds:
        folds = [parts[part].missed for (s, _), parts in sorted(entry.read.items()) if s == seed]
        shares = np.concatenate([found / len(found) for found in folds if found is not None])
        wrong.append(_by_unit(unit_of, shares))
    return statistics.Runs(entry.seeds, np.array(wrong), _by_unit(unit_of, counted))


def _by_unit(unit_of: Counts, counts: Counts | Floats) -> Floats:
    return np.bincount(unit_of, weights=counts).astype(np.float64)


def _kinds(entry: Entry, part: str) -> tuple[float, ...]:
    runs = [parts[part] for parts in entry.read.values()]
    words = sum(int(u.words.sum()) for u in runs)
    return tuple(sum(int(getattr(u, kind).sum()) for u in runs) / words for kind in KINDS)


def _characters(entry: Entry, part: str) -> float:
    """The character error rate: every seed has the same characters, so this is the mean over seeds, too."""
    scores = [result.parts[part].cer for result in entry.results]
    return sum(score.errors for score in scores) / sum(score.total for score in scores)


def _row(entry: Entry, scores: Mapping[str, PartScore]) -> Row:
    results = entry.results
    return Row(
        label=entry.label,
        seeds=entry.seeds,
        folds=tuple(sorted({r.fold for r in results})),
        runs=tuple(r.run for r in results),
        masked=Masked(
            cells=fmean(r.masked.cells for r in results),
            frames=fmean(r.masked.frames for r in results),
            channels=fmean(r.masked.channels for r in results),
        ),
        scores=scores,
        system=entry.system.name,
        ends=tuple(ends(results)),
    )
