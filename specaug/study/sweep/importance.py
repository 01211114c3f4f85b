"""Which searched symbols matter: how much worse the others predict a trial, against what chance would make of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from specaug.study.statistics import Floats
from specaug.study.sweep.response import Coder, Point, Surface, fitted

SHUFFLES = 199  # of the trials' values, by which chance is known
DONORS = 40  # trials whose value of a symbol another gets, at most
SEEN = 0.05  # p up to which an effect is seen


@dataclass(frozen=True)
class Importance:
    """How much a symbol matters: by how much a trial is predicted worse with another's value of it.

    The error is the mean square of leaving one trial out; 1 is the variance of the trials.
    """

    symbol: str
    growth: float
    chance: float  # 95 % of what shuffled values give lies below
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
    seen = growths(fitted(rows, values), values, swaps)
    random = np.random.default_rng(seed)
    chance = np.empty((shuffles, len(swaps)))
    for place in range(shuffles):
        shuffled = random.permutation(values)
        chance[place] = growths(fitted(rows, shuffled), shuffled, swaps)
    found = [
        Importance(
            swap.symbol,
            float(growth),
            float(np.quantile(null, 0.95)),
            (1 + int((null >= growth).sum())) / (1 + shuffles),
        )
        for swap, growth, null in zip(swaps, seen, chance.T, strict=True)
    ]
    return sorted(found, key=lambda one: -one.growth)


def swapped(coder: Coder, points: Sequence[Point], symbol: str) -> Swap:
    """Every trial with every other's value of a symbol, where both have one."""
    having = [place for place, point in enumerate(points) if symbol in point]
    donors = having[:: -(-len(having) // DONORS) or 1]
    pairs = [(place, coder.moved(points[place], symbol, points[donor])) for place in having for donor in donors]
    there = [(place, point) for place, point in pairs if point is not None]
    return Swap(symbol, [place for place, _ in there], coder.rows([point for _, point in there]))


def growths(surface: Surface, values: Floats, swaps: Sequence[Swap]) -> Floats:
    """By how much the squared error of leaving one out grows for each symbol, in variances of the trials."""
    centred = (values - surface.level) / surface.unit
    own = np.diag(surface.inverse)
    without = surface.weights[:, None] - surface.inverse * (surface.weights / own)  # a column a trial left out
    usual = (surface.weights / own) ** 2
    found = []
    for swap in swaps:
        trial = np.asarray(swap.trial)
        told = (surface.against(swap.rows) * without.T[trial]).sum(axis=1)
        worse = (told - centred[trial]) ** 2 - usual[trial]
        many = np.bincount(trial, minlength=len(values))
        found.append((np.bincount(trial, worse, len(values)) / np.maximum(1, many)).mean())
    return np.array(found)
