"""Which searched symbols matter: how much worse the others predict a trial, against what chance would make of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from specaug.study.statistics import Floats
from specaug.study.sweep.response import Coder, Fit, Point, Surface

SHUFFLES = 199  # of the trials' values, by which chance is known
DONORS = 20  # trials whose value of a symbol another gets, at most
TINY = 1e-12  # where all trials have the same value
SEEN = 0.05  # p up to which an effect is seen


@dataclass(frozen=True)
class Importance:
    """How much a symbol matters: by what factor a trial is predicted worse when it has another's value of it.

    The prediction is by all other trials, its error the root of the mean square.
    """

    symbol: str
    factor: float
    chance: float  # 95 % of what shuffled trials give lies below
    p: float

    @property
    def seen(self) -> bool:
        """Whether it is more than chance."""
        return self.p <= SEEN


@dataclass(frozen=True)
class Swap:
    """The trials with another's value of one symbol: whose row each is, and the rows."""

    symbol: str
    trial: Sequence[int]
    rows: Floats


def importances(
    coder: Coder, points: Sequence[Point], values: Floats, seed: int = 0, shuffles: int = SHUFFLES
) -> list[Importance]:
    """The importance of each symbol, the greatest first."""
    rows = coder.rows(points)
    swaps = [swap for symbol in coder.space if (swap := swapped(coder, points, symbol)).trial]
    seen = factors(surface(rows, values), values, swaps)
    random = np.random.default_rng(seed)
    chance = np.empty((shuffles, len(swaps)))
    for place in range(shuffles):
        shuffled = random.permutation(values)
        chance[place] = factors(surface(rows, shuffled), shuffled, swaps)
    found = [
        Importance(
            swap.symbol,
            float(factor),
            float(np.quantile(null, 0.95)),
            (1 + int((null >= factor).sum())) / (1 + shuffles),
        )
        for swap, factor, null in zip(swaps, seen, chance.T, strict=True)
    ]
    return sorted(found, key=lambda one: -one.factor)


def surface(rows: Floats, values: Floats) -> Surface:
    """The likeliest surface of some trials."""
    fit = Fit(rows, values)
    return fit.surface(fit.likeliest())


def swapped(coder: Coder, points: Sequence[Point], symbol: str) -> Swap:
    """Every trial with every other's value of a symbol, where both have one."""
    having = [place for place, point in enumerate(points) if symbol in point]
    donors = having[:: -(-len(having) // DONORS) or 1]
    pairs = [
        (place, coder.moved(points[place], symbol, points[donor])) for place in having for donor in donors
    ]
    there = [(place, point) for place, point in pairs if point is not None]
    return Swap(symbol, [place for place, _ in there], coder.rows([point for _, point in there]))


def factors(known: Surface, values: Floats, swaps: Sequence[Swap]) -> Floats:
    """By what factor the error of leaving one trial out grows, for each symbol."""
    centred = (values - known.level) / known.unit
    missed = known.weights / np.diag(known.inverse)  # Rasmussen and Williams 2006, section 5.4.2
    without = known.weights[:, None] - known.inverse * missed  # a column for each trial left out
    usual = missed**2
    found = []
    for swap in swaps:
        trial = np.asarray(swap.trial)
        told = (known.against(swap.rows) * without.T[trial]).sum(axis=1)
        worse = (told - centred[trial]) ** 2 - usual[trial]
        many = np.bincount(trial, minlength=len(values))
        found.append((np.bincount(trial, worse, len(values)) / np.maximum(1, many)).mean())
    return np.asarray(np.sqrt(np.maximum(0.0, 1 + np.array(found) / max(float(usual.mean()), TINY))))
