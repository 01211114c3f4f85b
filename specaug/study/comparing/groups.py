"""For whom a policy is better: the comparison within groups of the utterances, and the gap between the groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from specaug.errors import UserError
from specaug.study.comparing.bins import ALL, NOT_GIVEN, group_names, in_order
from specaug.study.comparing.gaps import Gap, gaps
from specaug.study.comparing.gathered import Gathered, Tested
from specaug.study.nearest import hint
from specaug.study.plural import counted
from specaug.study.results import Counts
from specaug.study.stats import statistics
from specaug.study.stats.statistics import (
    BETTER,
    LEVEL,
    MIN_UNITS,
    NO_DIFFERENCE,
    WORSE,
    Difference,
    Estimate,
    Floats,
    Runs,
)

MOST = 200  # groups; a column with more values names utterances rather than groups of them
GAP_WORDS = 100  # a group of fewer is not asked whether it is the best or the worst

Where = Mapping[str, Counts]  # for each group the places of its utterances


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """What a group consists of, and what the bootstrap resamples in it."""

    name: str
    utterances: int
    words: int
    speakers: int
    units: int  # how many are resampled
    unit: str  # "speakers", or "utterances" where there is one speaker


@dataclass(frozen=True, slots=True)
class Contrast:
    """A policy minus the baseline within a group, and in how many of their common seeds it has this sign."""

    difference: Difference  # Holm's p and the verdict are over all groups and policies of the part
    agreeing: int
    seeds: int


@dataclass(frozen=True, slots=True)
class GroupScore:
    """Word error rate of a policy on a group."""

    wer: Estimate
    contrast: Contrast | None  # None for the baseline


@dataclass(frozen=True, slots=True)
class GroupedPart:
    """A part by groups. `(all)`, the part as a whole, comes first and has a Holm's correction of its own."""

    name: str
    choosing: bool  # not for reporting
    groups: Sequence[GroupFacts]
    scores: Mapping[str, Mapping[str, GroupScore]]  # by group, then by policy
    gaps: Mapping[str, Gap]  # by policy; empty where fewer than two groups can be asked


@dataclass(frozen=True, slots=True)
class Grouped:
    """Everything that is said about some runs by the groups of one column."""

    column: str
    baseline: str
    parts: Sequence[GroupedPart]
    notes: Sequence[str]


def grouped(found: Gathered, column: str) -> Grouped:
    """The comparison by the values of `column`: speaker, words or any further column of the manifest.

    Raises UserError where no utterance has the column, where two runs tell one differently, or where the column has
    more than `MOST` values.
    """
    known = list(dict.fromkeys(name for part in found.parts for name in part.columns))
    told = [part.column(column) for part in found.parts]
    if clash := next((one.clash for one in told if one.clash), ""):
        raise UserError(clash)
    values = [one.values for one in told]
    together = [value for part in values for value in part]
    names = group_names(together)
    if set(names) == {NOT_GIVEN}:
        raise UserError(
            f"no utterance has a column {column!r}{hint(column, [k for k in known if k != column])}"
        )
    order = in_order(names, together)
    ends = np.cumsum([len(part) for part in values])[:-1]
    parts, notes = [], [_lacked(column, runs) for runs in dict.fromkeys(one.lacking for one in told) if runs]
    for part, of in zip(found.parts, np.split(np.array(names, dtype=object), ends), strict=True):
        where = {name: places for name in order if len(places := np.flatnonzero(of == name))}
        lacking = len(where.get(NOT_GIVEN, ()))
        if lacking:
            notes.append(f"{lacking:,} of {counted(len(of), 'utterance')} of {part.name} have no {column}")
        if lacking < len(of):
            parts.append(_part(found, part, column, where, notes))
    return Grouped(column, found.baseline, parts, notes)


def _lacked(column: str, runs: Sequence[Path]) -> str:
    told = f"{counted(len(runs), 'run')} without {column}, which is as the others tell it"
    return f"{told}: {' '.join(map(str, runs))}"


def _part(found: Gathered, part: Tested, column: str, where: Where, notes: list[str]) -> GroupedPart:
    if len(where) > MOST:
        raise UserError(
            f"column {column!r} has {len(where)} values in part {part.name}; expected at most {MOST} groups"
        )
    everywhere = np.arange(len(part.ids))
    facts = [_facts(part, name, places) for name, places in where.items()]
    scores = _scores(found, {ALL: _by_speaker(part, everywhere)})
    scores |= _scores(found, {name: _by_speaker(part, places) for name, places in where.items()})
    asked: list[str] = []
    left: list[str] = []
    for group in facts:
        enough = group.words >= GAP_WORDS and group.units >= MIN_UNITS and group.name != NOT_GIVEN
        (asked if enough else left).append(group.name)
    if left and len(facts) > 1:
        small = f"fewer than {GAP_WORDS} words or {MIN_UNITS} units, or {NOT_GIVEN}"
        notes.append(f"not asked for the gap in {part.name}: {', '.join(left)} ({small})")
    told = _gaps(found, part, {name: where[name] for name in asked}) if len(asked) > 1 else {}
    return GroupedPart(part.name, part.choosing, [_facts(part, ALL, everywhere), *facts], scores, told)


def _gaps(found: Gathered, part: Tested, where: Where) -> dict[str, Gap]:
    """The gaps between these groups; a speaker who is in several of them is drawn for all at once."""
    speakers = {name: {part.speakers[place] for place in places} for name, places in where.items()}
    everybody = sorted(set().union(*speakers.values()))
    shared = len(everybody) > 1 and sum(map(len, speakers.values())) > len(everybody)
    if not shared:
        groups = {name: _by_speaker(part, places) for name, places in where.items()}
        return gaps(groups, found.baseline, shared=False)
    number = {speaker: place for place, speaker in enumerate(everybody)}
    groups = {}
    for name, places in where.items():
        unit_of = np.array([number[part.speakers[place]] for place in places])
        groups[name] = _runs(part, places, unit_of, len(everybody))
    return gaps(groups, found.baseline, shared=True)


def _facts(part: Tested, name: str, places: Counts) -> GroupFacts:
    speakers = len({part.speakers[place] for place in places})
    unit, units = ("speakers", speakers) if speakers > 1 else ("utterances", len(places))
    return GroupFacts(name, len(places), int(part.words[places].sum()), speakers, units, unit)


def _by_speaker(part: Tested, places: Counts) -> dict[str, Runs]:
    """The errors of every policy in some utterances, by speaker or, where there is one, by utterance."""
    names, unit_of = np.unique([part.speakers[place] for place in places], return_inverse=True)
    if len(names) == 1:
        unit_of = np.arange(len(places))
    return _runs(part, places, unit_of, int(unit_of.max()) + 1)


def _runs(part: Tested, places: Counts, unit_of: Counts, units: int) -> dict[str, Runs]:
    def added(counts: Counts) -> Floats:
        return np.bincount(unit_of, weights=counts[places], minlength=units).astype(np.float64)

    words = added(part.words)
    return {
        label: Runs(tuple(seeds), np.array([added(errors) for errors in seeds.values()]), words)
        for label, seeds in part.errors.items()
    }


def _scores(found: Gathered, groups: Mapping[str, Mapping[str, Runs]]) -> dict[str, dict[str, GroupScore]]:
    """For each group and policy its score; verdicts and Holm's p over all of these groups and policies."""
    pairs = [(label, found.baseline) for label in found.others]
    replicates = statistics.enough(len(pairs) * len(groups))
    rates: dict[str, dict[str, Estimate]] = {}
    differences: dict[tuple[str, str], Difference] = {}
    for name, runs in groups.items():
        rates[name], contrasts = statistics.estimates(runs, pairs, replicates)
        differences |= {(name, label): contrasts[label, found.baseline] for label in found.others}
    p_values = {key: d.p for key, d in differences.items() if d.p is not None}
    told = dict(zip(p_values, statistics.holm(list(p_values.values()))[1], strict=True))
    return {
        name: {
            label: GroupScore(
                rates[name][label],
                _contrast(runs, label, found.baseline, differences[name, label], told.get((name, label)))
                if label != found.baseline
                else None,
            )
            for label in found.seeds
        }
        for name, runs in groups.items()
    }


def _contrast(
    runs: Mapping[str, Runs], label: str, baseline: str, difference: Difference, adjusted: float | None
) -> Contrast:
    ours, theirs = runs[label], runs[baseline]
    by_seed = dict(zip(theirs.seeds, theirs.errors.sum(axis=1), strict=True))
    pairs = zip(ours.seeds, ours.errors.sum(axis=1), strict=True)
    signs = [np.sign(errors - by_seed[seed]) for seed, errors in pairs if seed in by_seed]
    agreeing = sum(sign == np.sign(difference.value) for sign in signs)
    if adjusted is not None and difference.verdict is None:
        difference = replace(difference, adjusted=adjusted)
    elif adjusted is not None:
        verdict = NO_DIFFERENCE if adjusted >= LEVEL else BETTER if difference.value < 0 else WORSE
        difference = replace(difference, adjusted=adjusted, margin=None, verdict=verdict)
    return Contrast(difference, int(agreeing), len(signs))
