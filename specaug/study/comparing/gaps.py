"""How far apart the best and the worst group are, and whether a policy widens that."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtr

from specaug.study.stats import statistics
from specaug.study.stats.statistics import (
    LEVEL,
    MIN_SEEDS,
    MIN_UNITS,
    NO_DIFFERENCE,
    Difference,
    Runs,
)
from specaug.study.stats.variance import Floats, student_quantile

REPLICATES = 2_000  # of which only the standard deviation is taken
WIDENS, NARROWS = "widens", "narrows"

Group = Mapping[str, Runs]  # by policy, on the same units


@dataclass(frozen=True, slots=True)
class Gap:
    """The word error rates of a policy's worst and best group, and what lies between them."""

    best: str
    worst: str
    value: float
    change: Difference | None  # its gap minus the baseline's, on the same seeds; None for the baseline


def gaps(groups: Mapping[str, Group], baseline: str, shared: bool, seed: int = 0) -> dict[str, Gap]:
    """For each policy the gap over `groups`, two at least, and how it differs from that of the baseline.

    The gap is the largest of several rates less the smallest: chance alone makes one, and makes it wider where
    the rates are less sure. That befalls both policies alike, so the change is judged and not the gap. Its
    variance is the sum of those of two bootstraps, of the seeds and of the units of each group (one draw for all
    groups where the units are `shared`), each drawn alike for both policies. The interval lies evenly about the
    value, since a resampled gap is wider than the gap itself. How often two identical policies were told apart,
    simulated 300 times (standard error 1.3 %), 100 utterances a group, seeds that differ by 3 % of the words:

    - 5 seeds, 6 or 2 groups: 4 %;
    - 3 seeds, 6 groups: 5 %.
    """
    rates = {label: _rates(groups, label).mean(axis=0) for label in next(iter(groups.values()))}
    others = [label for label in rates if label != baseline]
    changes = {label: _change(groups, label, baseline, shared, seed) for label in others}
    p_values = {label: change.p for label, change in changes.items() if change.p is not None}
    told = dict(zip(p_values, statistics.holm(list(p_values.values()))[1], strict=True))
    names = list(groups)
    return {
        label: Gap(
            best=names[int(rate.argmin())],
            worst=names[int(rate.argmax())],
            value=float(np.ptp(rate)),
            change=_judged(changes[label], told.get(label)) if label in changes else None,
        )
        for label, rate in rates.items()
    }


def _rates(groups: Mapping[str, Group], label: str, seeds: Sequence[int] | None = None) -> Floats:
    """The rates (seeds, groups) of a policy with `seeds`, or with all of its own."""
    found = []
    for group in groups.values():
        runs = group[label]
        rows = runs.rows(runs.seeds if seeds is None else seeds)
        found.append(runs.errors[rows].sum(axis=1) / runs.words.sum())
    return np.stack(found, axis=1)


def _change(groups: Mapping[str, Group], label: str, baseline: str, shared: bool, seed: int) -> Difference:
    first = next(iter(groups.values()))
    common = first[label].common(first[baseline])
    if not common:
        return Difference(math.nan)
    ours, theirs = (_rates(groups, name, common) for name in (label, baseline))
    value = float(np.ptp(ours.mean(axis=0)) - np.ptp(theirs.mean(axis=0)))
    fewest = min(int(np.count_nonzero(group[label].words)) for group in groups.values())
    if len(common) < MIN_SEEDS or fewest < MIN_UNITS:
        return Difference(value)
    counts = _drawn(len(common), [seed, len(common)]) / len(common)
    by_seed = float(np.var(np.ptp(counts @ ours, axis=1) - np.ptp(counts @ theirs, axis=1)))
    wide = [_resampled(groups, name, common, shared, seed) for name in (label, baseline)]
    by_unit = float(np.var(np.ptp(wide[0], axis=1) - np.ptp(wide[1], axis=1)))
    error, freedom = _standard_error([(len(common), by_seed), (fewest, by_unit)])
    if value == error == 0:
        return Difference(value, p=1.0)
    arm = student_quantile(1 - LEVEL / 2, freedom) * error
    p = 2 * float(stdtr(freedom, -abs(value) / error)) if error > 0 else float(value == 0)
    return Difference(value, value - arm, value + arm, p=p)


def _drawn(count: int, seed: Sequence[int]) -> Floats:
    """How often each of `count` is drawn in each of the replicates (replicates, count)."""
    chance = np.random.default_rng(seed)
    return chance.multinomial(count, np.full(count, 1 / count), size=REPLICATES).astype(np.float64)


def _resampled(
    groups: Mapping[str, Group], label: str, seeds: Sequence[int], shared: bool, seed: int
) -> Floats:
    """The rates (replicates, groups) of a policy, the mean over `seeds`, with units drawn anew."""
    found = []
    for place, group in enumerate(groups.values()):
        runs = group[label]
        errors = runs.errors[runs.rows(seeds)].mean(axis=0)
        counts = _drawn(len(errors), [seed, 0, 0 if shared else place])
        words = counts @ runs.words
        whole = np.full(REPLICATES, errors.sum() / runs.words.sum())  # where no unit of the group was drawn
        found.append(np.divide(counts @ errors, words, out=whole, where=words > 0))
    return np.stack(found, axis=1)


def _standard_error(variances: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """The standard error, and Satterthwaite's degrees of freedom, of what bootstraps of so many varied by."""
    parts = [(count - 1, variance * count / (count - 1)) for count, variance in variances]
    whole = sum(variance for _, variance in parts)
    doubt = sum(variance**2 / freedom for freedom, variance in parts)
    return math.sqrt(whole), whole**2 / doubt if doubt > 0 else 1.0


def _judged(change: Difference, adjusted: float | None) -> Difference:
    if adjusted is None:
        return change
    if change.low is None:  # nothing varies
        return replace(change, adjusted=adjusted)
    verdict = NO_DIFFERENCE if adjusted >= LEVEL else WIDENS if change.value > 0 else NARROWS
    return replace(change, adjusted=adjusted, verdict=verdict)
