"""How many seeds show a difference of a given size, and what no number of seeds can show.

The difference between two policies varies with the seed, with the speaker, and from run to run within these (the
rest, which holds the counting of errors as well). `Deviations` are read off finished runs or assumed; from them
comparisons are simulated with normal deviates, and judged as `statistics.estimates` judges them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri, stdtrit

from specaug.errors import UserError
from specaug.study.stats.statistics import LEVEL, MIN_SEEDS, MIN_UNITS
from specaug.study.stats.variance import Floats, combined, freedoms, mean_squares

ENDLESS = 10**6  # seeds: more cannot be told from this many
MOST_SEEDS = 1000  # that are looked through
SIZES = (3, 4, 5, 6, 8, 12, 20, 50, 200, MOST_SEEDS)  # of these each is tried
FEW = 6  # units: of more, endless seeds show the most
CHANCE = 0.02  # of a simulated difference, at most
MOST_UNITS = 100_000
DRAWS = 20_000  # simulated comparisons: a power of 80 % has a standard error of 0.3 %


@dataclass(frozen=True, slots=True)
class Deviations:
    """Standard deviations of the difference of two policies' rates, as shares of the words (0.01 is a point)."""

    seed: float  # of the difference with one seed, over endless speakers
    unit: float  # of the difference for one speaker, over endless seeds
    residual: float  # of what is left for one speaker in one pair of runs

    @classmethod
    def of(cls, differences: Sequence[Floats], words: Floats) -> "Deviations":
        """Those of differences in errors, each (seeds, units) of words (units,); several are averaged in square.

        A component that would come out negative is 0.
        """
        found = [_variances(errors, words) for errors in differences]
        return cls(*(math.sqrt(max(0.0, float(v))) for v in np.mean(found, axis=0)))

    def shares(self, seeds: int, units: int) -> Floats:
        """What seeds, units and the rest (3,) add to the variance of a mean over so many of them."""
        return np.array([self.seed**2 / seeds, self.unit**2 / units, self.residual**2 / seeds / units])


def margins(deviations: Deviations, seeds: int, units: int, pairs: int = 1) -> Floats:
    """In each of DRAWS simulated comparisons, sorted: the true gain from which it would have said "better".

    `pairs` is how many policies are compared with the baseline: the level is that of the strictest of Holm's.
    Raises UserError below MIN_SEEDS seeds or MIN_UNITS units, where no verdict is given.
    """
    if seeds < MIN_SEEDS or units < MIN_UNITS:
        raise UserError(
            f"{seeds} seeds and {units} speakers; expected at least {MIN_SEEDS} and {MIN_UNITS} for a verdict"
        )
    chance = np.random.default_rng(0)  # the same for all sizes, so that they are compared on like draws
    shares, freedom = deviations.shares(seeds, units), freedoms(seeds, units)
    expected = shares + shares[2] * np.array([1, 1, 0])
    normal = chance.standard_normal(DRAWS)
    drawn = expected[:, None] * chance.chisquare(freedom[:, None], (3, DRAWS)) / freedom[:, None]
    variance, found = combined(drawn, freedom)
    critical = np.asarray(stdtrit(found, 1 - LEVEL / pairs / 2), dtype=np.float64)
    return np.sort(critical * np.sqrt(variance) + normal * math.sqrt(shares.sum()))


def power(deviations: Deviations, seeds: int, units: int, effect: float, pairs: int = 1) -> float:
    """The share of comparisons that say "better" of a policy that is better by `effect` (a share of the words)."""
    found = margins(deviations, seeds, units, pairs)
    return float(np.searchsorted(found, effect) / len(found))


def detectable(deviations: Deviations, seeds: int, units: int, share: float, pairs: int = 1) -> float:
    """The true difference that `share` of the comparisons see."""
    return float(np.quantile(margins(deviations, seeds, units, pairs), share))


def best(deviations: Deviations, units: int, share: float, pairs: int = 1) -> tuple[float, int]:
    """The least difference that `share` of the comparisons see with any number of seeds, and that number.

    It is ENDLESS, but for a few speakers: the less seeds still vary beside them, the fewer degrees of freedom are left.
    """
    endless = detectable(deviations, ENDLESS, units, share, pairs)
    if units > FEW:
        return endless, ENDLESS
    least, seeds = min((detectable(deviations, seeds, units, share, pairs), seeds) for seeds in SIZES)
    return (least, seeds) if least < (1 - CHANCE) * endless else (endless, ENDLESS)


def seeds_needed(
    deviations: Deviations, units: int, effect: float, share: float, pairs: int = 1
) -> int | None:
    """The fewest seeds with which `share` of the comparisons see `effect`; None where MOST_SEEDS do not."""

    def enough(seeds: int) -> bool:
        return detectable(deviations, seeds, units, share, pairs) <= effect

    below = MIN_SEEDS
    for seeds in SIZES:  # more may be worse, but not between two of these
        if enough(seeds):
            return _fewest(below, seeds, enough)
        below = seeds + 1
    return None


def units_needed(deviations: Deviations, effect: float, share: float, pairs: int = 1) -> int | None:
    """The fewest speakers with which some number of seeds would show `effect`; None where MOST_UNITS do not."""
    return _fewest(MIN_UNITS, MOST_UNITS, lambda n: best(deviations, n, share, pairs)[0] <= effect)


def doubt(count: int) -> tuple[float, float]:
    """How many times the one estimated from `count` a true deviation may be: a 95 % interval, for normal deviates."""
    low, high = (count - 1) / chdtri(count - 1, np.array([LEVEL / 2, 1 - LEVEL / 2]))
    return math.sqrt(low), math.sqrt(high)


def _fewest(low: int, high: int, enough: Callable[[int], bool]) -> int | None:
    """The least number from `low` to `high` that is enough, where more are no worse."""
    if not enough(high):
        return None
    while low < high:
        middle = math.isqrt(low * high)
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high


def _variances(errors: Floats, words: Floats) -> Floats:
    """The components (3,) of the variance between seeds, between units, and of the rest."""
    seeds, units = errors.shape
    by_seed, by_unit, left = mean_squares(errors, words)
    return np.array([(by_seed - left) * seeds, (by_unit - left) * units, left * seeds * units])
