"""Word error rates with intervals, and differences between policies that may be called real.

Runs differ by their seed and by the speakers they are tested on, so both are resampled together. The
percentile interval of that bootstrap is then stretched about its centre, for two reasons:

- it counts what is left beside seeds and speakers three times over (Owen 2007, The pigeonhole bootstrap);
- with few speakers or seeds it is too narrow, by sqrt((n - 1) / n) and by normal instead of Student quantiles.

The stretch gives it the standard error of the two-way variance components (seeds + speakers - residual) and
Student quantiles, with the degrees of freedom of `variance.combined`. `benchmarks/verdicts.py` measures how
often two identical policies are told apart at 95 %: in 2 to 7 of 100 comparisons where seeds or speakers are what
differs, and in 0 to 4, on the safe side, where runs differ mostly at random from speaker to speaker.
"""

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from specaug.study.stats.variance import Floats as Floats
from specaug.study.stats.variance import noncentrality, standard_error, student_quantile

Pair = tuple[str, str]

REPLICATES = 10_000
LEVEL = 0.05  # two-sided; the intervals hold the other 95 %
FINE = 4 / LEVEL  # replicates for each of many pairs: p is no less than 2 / replicates, times Holm's family
POWER = 0.8  # of the smallest difference that is printed as likely to be seen
MIN_SEEDS = 3  # below, the spread between seeds is a guess and no verdict is given
MIN_UNITS = 2
CELLS = 2_000_000  # counts held at a time while resampling
NEAR_MIDDLE = 1e-6  # of a normal quantile: here a replicate is where it was

BETTER, WORSE, NO_DIFFERENCE = "better", "worse", "no difference seen"


@dataclass(frozen=True, eq=False, slots=True)
class Runs:
    """Errors of one policy on one part: a row per seed, a column per unit (speaker or utterance)."""

    seeds: tuple[int, ...]
    errors: Floats  # (seeds, units)
    words: Floats  # (units,), the same for every seed

    def common(self, other: "Runs") -> tuple[int, ...]:
        """The seeds that both have, in the order of these."""
        return tuple(seed for seed in self.seeds if seed in other.seeds)

    def rows(self, seeds: Sequence[int]) -> list[int]:
        """Where the errors with each of `seeds` stand."""
        return [self.seeds.index(seed) for seed in seeds]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A rate, the mean over seeds, with its 95 % interval; None where there are too few seeds or units."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A rate minus the baseline's, seed by seed. All but `value` is None where no verdict may be given.

    `low` and `high` bound the 95 % interval of this pair alone. `adjusted` is Holm's p over all pairs, and
    `margin` the larger arm of the interval at Holm's level, which excludes 0 where policies are told apart.
    `better` is the probability that the policy is truly better: the share of the stretched bootstrap replicates
    below 0, those at 0 counted by half. It is of this pair alone, and agrees with p: where p = 0.04 it is 0.98 or
    0.02 (a confidence in the sense of the bootstrap, which needs no prior).

    Where both made as many errors in every seed and unit, nothing says how these vary: p is 1, so that others are
    corrected for the pair, and there is neither interval nor verdict. `detectable` is None wherever nothing varies.
    """

    value: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    adjusted: float | None = None
    margin: float | None = None
    # The true difference that 80 % of such comparisons would see, as corrected
    detectable: float | None = None
    verdict: str | None = None
    better: float | None = None


def pooled_rate(errors: NDArray[np.generic], words: NDArray[np.generic]) -> float:
    """The sum of the errors over the sum of the words."""
    return float(errors.sum() / words.sum())


def enough(family: int) -> int:
    """How many replicates can tell a plain difference, where Holm corrects for a family of so many."""
    return max(REPLICATES, round(FINE * family))


def estimates(
    policies: Mapping[str, Runs], pairs: Sequence[Pair], replicates: int | None = None, seed: int = 0
) -> tuple[dict[str, Estimate], dict[Pair, Difference]]:
    """The rate of every policy, and for each pair (policy, baseline) the difference of the two rates.

    The units of all policies are the same and in the same order. A pair is compared on the seeds that both
    have; in each replicate both get the same seeds and the same units. Holm's family are those of `pairs` that can be judged.
    There are `enough` replicates for it unless told otherwise.
    """
    replicates = enough(len(pairs)) if replicates is None else replicates
    resampled = _resampled_rates(policies, replicates, seed)
    rates = {
        label: _estimate(_Spread.of(runs.errors, runs.words, resampled[label], seed))
        for label, runs in policies.items()
    }
    spreads = {pair: _paired(policies, pair, resampled, seed) for pair in pairs}
    judged = {pair: spread for pair, spread in spreads.items() if spread.judged}
    p_values = {pair: spread.p_value() for pair, spread in judged.items()}
    levels, adjusted = holm(list(p_values.values()))
    differences = {pair: Difference(spread.value) for pair, spread in spreads.items()}
    for (pair, p), level, corrected in zip(p_values.items(), levels, adjusted, strict=True):
        differences[pair] = _difference(judged[pair], p, level, corrected, LEVEL / len(judged))
    return rates, differences


def holm(p_values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Holm's level for each hypothesis (LEVEL / how many it competes with), and the adjusted p-values.

    A hypothesis after the first that stands is tested at the level of that one, so that level and adjusted p
    give one and the same answer.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    levels, adjusted = [0.0] * len(order), [0.0] * len(order)
    largest, level = 0.0, 0.0
    for competing, i in zip(range(len(order), 0, -1), order, strict=True):
        if largest < LEVEL:
            level = LEVEL / competing
        largest = max(largest, min(1.0, competing * p_values[i]))
        levels[i], adjusted[i] = level, largest
    return levels, adjusted


@dataclass(frozen=True, eq=False)
class _Spread:
    """A value, its sorted bootstrap replicates, and the standard error to which they are stretched."""

    value: float
    replicates: Floats
    error: float
    freedom: float  # degrees of freedom of `error`
    judged: bool  # enough seeds and units for an interval

    @classmethod
    def of(cls, errors: Floats, words: Floats, resampled: Floats, seed: int) -> "_Spread":
        """`errors` (seeds, units) of words (units,); `resampled` (replicates, seeds): units drawn anew."""
        seeds, units = errors.shape
        if not seeds:
            return cls(math.nan, np.empty(0), math.nan, math.nan, False)
        value = float(errors.sum() / seeds / words.sum())
        if seeds < MIN_SEEDS or units < MIN_UNITS:
            return cls(value, np.empty(0), math.nan, math.nan, False)
        chance = np.random.default_rng([seed, seeds])
        drawn = chance.multinomial(seeds, np.full(seeds, 1 / seeds), size=len(resampled)) / seeds
        replicates = np.sort((drawn * resampled).sum(axis=1))
        return cls(value, replicates, *standard_error(errors, words), True)

    @cached_property
    def _ratio(self) -> float:
        deviation = float(self.replicates.std())
        return self.error / deviation if deviation > 0 else 1.0

    def stretched(self, share: float) -> float:
        """What `share` of the stretched replicates lie below: a replicate's place says by how much it is moved."""
        place = share * (len(self.replicates) - 1)
        low, high = self.replicates[math.floor(place)], self.replicates[math.ceil(place)]
        plain = low + (high - low) * (place - math.floor(place))
        normal = NormalDist().inv_cdf(share)
        student = student_quantile(share, self.freedom) / normal if abs(normal) > NEAR_MIDDLE else 1.0
        return float(self.value + self._ratio * student * (plain - self.value))

    def interval(self, level: float) -> tuple[float, float]:
        """The stretched percentile interval that misses the truth with probability `level`."""
        return self.stretched(level / 2), self.stretched(1 - level / 2)

    def share_below(self) -> float:
        """The share of the stretched replicates below 0, those at 0 by half; no surer than replicates can tell."""
        least = 1 / len(self.replicates)
        edges = []
        for below in (operator.lt, operator.le):
            low, high = least, 1 - least
            for _ in range(20):
                middle = (low + high) / 2
                low, high = (middle, high) if below(self.stretched(middle), 0) else (low, middle)
            edges.append((low + high) / 2)
        return sum(edges) / 2

    def p_value(self) -> float:
        """The level at which the interval starts to exclude 0; no smaller than the replicates can tell."""
        below, above = 2 / len(self.replicates), 0.999
        if self._excludes(below):
            return below
        if not self._excludes(above):
            return 1.0
        for _ in range(30):
            middle = math.sqrt(below * above)
            below, above = (below, middle) if self._excludes(middle) else (middle, above)
        return above

    def _excludes(self, level: float) -> bool:
        low, high = self.interval(level)
        return low > 0 or high < 0


def _resampled_rates(policies: Mapping[str, Runs], replicates: int, seed: int) -> dict[str, Floats]:
    """For each policy the rates (replicates, seeds) of its runs, the units drawn anew in every replicate."""
    stacked = np.concatenate([runs.errors for runs in policies.values()])
    words = next(iter(policies.values())).words
    units, chance = len(words), np.random.default_rng([seed, 0])
    rows, parts = max(1, CELLS // units), []
    for start in range(0, replicates, rows):
        size = min(rows, replicates - start)
        drawn = chance.integers(units, size=(size, units)) + units * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units).astype(np.float64)
        parts.append(counts @ stacked.T / (counts @ words)[:, None])
    ends = np.cumsum([len(runs.seeds) for runs in policies.values()])[:-1]
    return dict(zip(policies, np.split(np.concatenate(parts), ends, axis=1), strict=True))


def _paired(policies: Mapping[str, Runs], pair: Pair, resampled: Mapping[str, Floats], seed: int) -> _Spread:
    policy, baseline = (policies[label] for label in pair)
    common = policy.common(baseline)
    ours, theirs = policy.rows(common), baseline.rows(common)
    return _Spread.of(
        policy.errors[ours] - baseline.errors[theirs],
        policy.words,
        resampled[pair[0]][:, ours] - resampled[pair[1]][:, theirs],
        seed,
    )


def _estimate(spread: _Spread) -> Estimate:
    if not spread.judged:
        return Estimate(spread.value)
    low, high = spread.interval(LEVEL)
    return Estimate(spread.value, max(0.0, low), high)


def _difference(spread: _Spread, p: float, level: float, adjusted: float, strictest: float) -> Difference:
    if spread.value == spread.error == 0:
        return Difference(spread.value, p=p, adjusted=adjusted)
    low, high = spread.interval(LEVEL)
    narrow, wide = spread.interval(level)
    verdict = NO_DIFFERENCE if adjusted >= LEVEL else BETTER if spread.value < 0 else WORSE
    return Difference(
        spread.value,
        low,
        high,
        p=p,
        adjusted=adjusted,
        margin=max(spread.value - narrow, wide - spread.value),
        detectable=noncentrality(strictest, POWER, spread.freedom) * spread.error
        if spread.error > 0
        else None,
        verdict=verdict,
        better=spread.share_below(),
    )
