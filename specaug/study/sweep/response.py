"""How the error rate answers to each searched symbol: a Gaussian process over the finished trials.

The kernel is a Matern 5/2 with a length for every column (Rasmussen and Williams 2006, sections 4.2 and 5.4.1).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

from specaug.study.stats.statistics import Floats
from specaug.study.sweep.options import Axis, Sweep, Value
from specaug.study.sweep.space import values_of

GRID = 25  # values at which a range is looked at
BAND = 1.96  # deviations either way hold 95 %
ROOT5 = math.sqrt(5)
LEVEL = 1.0  # variance of the surface's level, in variances of the trials
PRIORS = {
    "length": (0.7, 1.0),
    "signal": (0.0, 1.0),
    "noise": (-1.0, 1.5),
}  # mean and deviation of each logarithm
WIDEST = 4.0  # deviations of a prior beyond which nothing is looked for
JITTER = 1e-8
NEAR = 0.01  # the slope at which the search for the likeliest ends
DRAWS, BURN, APART = 24, 60, 8  # surfaces that are averaged, and steps before the first and between two

Point = Mapping[str, Value]


@dataclass(frozen=True)
class Coder:
    """Turns points of a space into rows of numbers in [0, 1].

    A symbol that does not vary at a point stands at its lowest value there; a column for each condition says so.
    """

    space: Mapping[str, Axis]
    base: Mapping[str, Any]  # the values of the symbols that are not searched

    @classmethod
    def of(cls, sweep: Sweep) -> "Coder":
        """The one of a sweep; what follows from a share it hides is not searched."""
        searched = {symbol: axis for symbol, axis in sweep.space.items() if axis.hides is None}
        return cls(searched, values_of(sweep.policy))

    def rows(self, points: Sequence[Point]) -> Floats:
        """A row for each point."""
        return np.array([list(self._row(point)) for point in points], dtype=np.float64)

    def _row(self, point: Point) -> Iterator[float]:
        said: dict[str, float] = {}
        for symbol, axis in self.space.items():
            if axis.when:
                said[axis.when] = float(symbol in point)
            if named(axis):
                yield from (float(point.get(symbol) == choice) for choice in axis.choices)
            else:
                yield share(axis, point[symbol]) if symbol in point else 0.0
        yield from said.values()

    def moved(self, point: Point, symbol: str, donor: Point) -> dict[str, Value] | None:
        """The point with another's value of one symbol, and of those that vary only from then on.

        None where the other has no value for one of these.
        """
        there = {**point, symbol: donor[symbol]}
        for other, axis in self.space.items():
            if not axis.applies({**self.base, **there}):
                there.pop(other, None)
            elif other not in there:
                if other not in donor:
                    return None
                there[other] = donor[other]
        return there


def named(axis: Axis) -> bool:
    """Whether an axis has choices that are in no order."""
    return any(isinstance(choice, str) for choice in axis.choices)


def share(axis: Axis, value: Value) -> float:
    """How far along its axis a number lies; choices are spread evenly, by size."""
    if axis.choices:
        return sorted(axis.choices).index(value) / max(1, len(axis.choices) - 1)
    low, high = axis.ends
    assert not isinstance(value, str)
    if axis.log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


@dataclass(frozen=True)
class Surface:
    """A Gaussian process that knows the trials; values are counted in `unit` from `level`."""

    rows: Floats
    level: float
    unit: float
    lengths: Floats  # one a column
    signal: float  # variance
    inverse: Floats  # of the trials' covariance
    weights: Floats  # the inverse times the values

    def against(self, rows: Floats) -> Floats:
        """The covariance of the surface at some rows with the trials."""
        return LEVEL + self.signal * matern(rows / self.lengths, self.rows / self.lengths)

    def average(self, rows: Floats) -> tuple[float, float]:
        """The mean of the surface over some rows, and its variance."""
        to = self.against(rows).mean(axis=0)
        scaled = rows / self.lengths
        before = LEVEL + self.signal * float(matern(scaled, scaled).mean())
        variance = max(0.0, before - float(to @ self.inverse @ to))
        return self.level + self.unit * float(to @ self.weights), self.unit**2 * variance


def matern(one: Floats, other: Floats) -> Floats:
    """The Matern 5/2 correlation of rows with rows, in units of the lengths."""
    far = ROOT5 * cdist(one, other)
    return np.asarray((1 + far + far**2 / 3) * np.exp(-far))


@dataclass(frozen=True)
class Fit:
    """What is known of the surface from some trials.

    It is sought over the logarithms of the lengths, the signal and the noise, counted in deviations of their priors.
    """

    rows: Floats
    values: Floats

    @cached_property
    def level(self) -> float:
        """The mean of the values."""
        return float(self.values.mean())

    @cached_property
    def unit(self) -> float:
        """The deviation of the values; 1 where they are all the same."""
        return float(self.values.std()) or 1.0

    @cached_property
    def centred(self) -> Floats:
        """The values in units."""
        return (self.values - self.level) / self.unit

    @cached_property
    def apart(self) -> Floats:
        """Squared distances of the trials, by column."""
        return np.asarray((self.rows.T[:, :, None] - self.rows.T[:, None, :]) ** 2)

    @cached_property
    def priors(self) -> Floats:
        """The mean and the deviation of the prior of each logarithm."""
        lengths = [PRIORS["length"]] * self.rows.shape[1]
        return np.array([*lengths, PRIORS["signal"], PRIORS["noise"]]).T

    def logs(self, place: Floats) -> Floats:
        """The logarithms at a place."""
        return np.asarray(self.priors[0] + self.priors[1] * np.clip(place, -WIDEST, WIDEST))

    def likeliest(self) -> Floats:
        """The place with the greatest likelihood times prior."""

        def cost(place: Any) -> tuple[float, Any]:
            loss, slope = unlikely(self.logs(place), self.apart, self.centred)
            inside = np.abs(place) < WIDEST
            return loss + 0.5 * float(place @ place), slope * self.priors[1] * inside + place

        start = np.zeros(self.rows.shape[1] + 2)
        found = minimize(cost, start, jac=True, method="BFGS", options={"gtol": NEAR})
        return np.asarray(found.x)

    def surface(self, place: Floats) -> Surface:
        """The surface at a place."""
        logs = self.logs(place)
        lengths, signal, noise = np.exp(logs[:-2]), math.exp(logs[-2]), math.exp(logs[-1])
        kernel = LEVEL + signal * matern(self.rows / lengths, self.rows / lengths)
        inverse, _ = inverted(kernel, noise)
        return Surface(self.rows, self.level, self.unit, lengths, signal, inverse, inverse @ self.centred)

    def surfaces(self, seed: int = 0) -> list[Surface]:
        """Surfaces at places drawn as likely as they are (elliptical slices: Murray, Adams and MacKay 2010)."""
        random = np.random.default_rng(seed)
        place, found = self.likeliest(), []
        for step in range(BURN + DRAWS * APART):
            place = self.slid(place, random)
            if step >= BURN and (step - BURN) % APART == 0:
                found.append(self.surface(place))
        return found

    def slid(self, place: Floats, random: np.random.Generator) -> Floats:
        """The next place of the chain."""
        other = random.standard_normal(len(place))
        bar = self.likely(place) + math.log(1 - random.random())
        angle = 2 * math.pi * random.random()
        low, high = angle - 2 * math.pi, angle
        while True:
            there = place * math.cos(angle) + other * math.sin(angle)
            if self.likely(there) >= bar or high - low < JITTER:
                return np.asarray(there)
            low, high = (angle, high) if angle < 0 else (low, angle)
            angle = low + (high - low) * random.random()

    def likely(self, place: Floats) -> float:
        """The logarithm of the likelihood at a place."""
        return -unlikely(self.logs(place), self.apart, self.centred)[0]


def inverted(kernel: Floats, noise: float) -> tuple[Floats, float]:
    """The inverse of a covariance with noise, and half the logarithm of its determinant.

    By LU and not from the Cholesky factor: there, as in L-BFGS-B, LAPACK solves triangles with threads, which takes
    a hundred times as long on so few rows while other processes are at work.
    """
    whole = kernel + (noise + JITTER) * np.eye(len(kernel))
    lower = np.linalg.cholesky(whole)
    return np.asarray(np.linalg.inv(whole), dtype=np.float64), float(np.log(np.diag(lower)).sum())


def unlikely(logs: Floats, apart: Floats, values: Floats) -> tuple[float, Floats]:
    """The negative logarithm of the likelihood, and its slope; `apart` has squared distances by column."""
    precise, signal, noise = np.exp(-2 * logs[:-2]), math.exp(logs[-2]), math.exp(logs[-1])
    far = ROOT5 * np.sqrt(np.einsum("c,cij->ij", precise, apart))
    falling = signal * np.exp(-far)
    kernel = (1 + far + far**2 / 3) * falling
    inverse, size = inverted(LEVEL + kernel, noise)
    weights = inverse @ values
    pull = 0.5 * (inverse - np.outer(weights, weights))
    nearer = pull * (5 / 3) * (1 + far) * falling
    lengths = np.einsum("cij,ij->c", apart, nearer) * precise
    slope = np.array([*lengths, float((pull * kernel).sum()), noise * float(np.trace(pull))])
    return 0.5 * float(values @ weights) + size, slope


@dataclass(frozen=True)
class Curve:
    """The error rate by the value of one symbol, on average over what else was tried; with a 95 % band."""

    symbol: str
    values: Sequence[Value]
    mean: Floats
    low: Floats
    high: Floats


def curves(coder: Coder, points: Sequence[Point], values: Floats) -> list[Curve]:
    """The curve of each symbol that varied (partial dependence: Friedman 2001, section 8.2)."""
    surfaces = Fit(coder.rows(points), values).surfaces()
    return [curve for symbol in coder.space if (curve := curve_of(coder, points, surfaces, symbol)).values]


def curve_of(coder: Coder, points: Sequence[Point], surfaces: Sequence[Surface], symbol: str) -> Curve:
    """The curve of one symbol, over the points at which it varies."""
    values, told = [], []
    for value in grid(coder.space[symbol]):
        moved = [coder.moved(point, symbol, {symbol: value}) for point in points if symbol in point]
        if there := [point for point in moved if point is not None]:
            values.append(value)
            rows = coder.rows(there)
            means, variances = np.array([surface.average(rows) for surface in surfaces]).T
            told.append((means.mean(), math.sqrt(variances.mean() + means.var())))
    mean, deviation = np.array(told).reshape(-1, 2).T
    return Curve(symbol, values, mean, mean - BAND * deviation, mean + BAND * deviation)


def grid(axis: Axis) -> list[Value]:
    """The values at which an axis is looked at: all of them where they are few."""
    if axis.choices:
        return list(axis.choices) if named(axis) else sorted(axis.choices)
    if axis.stride and axis.steps < GRID:
        return [axis.at(place) for place in range(axis.steps + 1)]
    low, high = axis.ends
    ways = np.geomspace(low, high, GRID) if axis.log else np.linspace(low, high, GRID)
    return [round(value) for value in ways.tolist()] if axis.whole else ways.tolist()
