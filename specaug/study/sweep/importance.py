"""Which searched symbols matter: how much worse the others predict a trial, against what chance would make of it.

Chance is what a symbol without effect would give: the values that a surface without the symbol predicts, and to them what
that surface leaves, shuffled (Freedman and Lane 1983, with a Gaussian process for the linear model). To shuffle
the values themselves would take the effects of the other symbols away as well, and these make the factor of any symbol
larger: where another's effect was 20 deviations of the noise, 17 % of the symbols without effect were called seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from specaug.study.stats.statistics import Floats
from specaug.study.sweep.options import CONDITION
from specaug.study.sweep.response import Coder, Fit, Point, Surface

SHUFFLES = 99  # of what is left of the trials' values, for each symbol, by which chance is known
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
    chance: float  # 95 % of what a symbol without effect gives lies below
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
    found = []
    for swap, factor in zip(swaps, seen, strict=True):
        known, left = explained(without(coder, swap.symbol).rows(points), values)
        null = np.empty(shuffles)
        for place in range(shuffles):
            shuffled = known + random.permutation(left)
            null[place] = factors(surface(rows, shuffled), shuffled, [swap])[0]
        p = (1 + int((null >= factor).sum())) / (1 + shuffles)
        found.append(Importance(swap.symbol, float(factor), float(np.quantile(null, 0.95)), p))
    return sorted(found, key=lambda one: -one.factor)


def without(coder: Coder, symbol: str) -> Coder:
    """The coder of the other symbols, but for those that vary only where the symbol says so."""
    gone = {symbol}
    for other, axis in coder.space.items():
        if (said := CONDITION.match(axis.when.strip())) and said[1] in gone:
            gone.add(other)
    return Coder({other: axis for other, axis in coder.space.items() if other not in gone}, coder.base)


def explained(rows: Floats, values: Floats) -> tuple[Floats, Floats]:
    """What a surface over the rows makes of the trials' values, and what it leaves.

    What is left of a trial lies between what it misses with the trial and without it: their geometric mean scatters
    as the noise does, where the one scatters less and the other more.
    """
    if not rows.shape[1]:
        return np.full(len(values), values.mean()), values - values.mean()
    known = surface(rows, values)
    told = known.against(rows) @ known.weights
    misses = (values - known.level) / known.unit - told
    left = np.sign(misses) * np.sqrt(np.abs(misses * known.weights / np.diag(known.inverse)))
    return known.level + known.unit * told, known.unit * left


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
