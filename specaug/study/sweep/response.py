"""How the error rate answers to each searched symbol: a Gaussian process over the finished trials.

The kernel is a Matern 5/2 with a length for every column (Rasmussen and Williams 2006, ch. 4 and 5.4.1).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_solve, cholesky
from scipy.optimize import minimize

from specaug.study.statistics import Floats
from specaug.study.sweep.options import Axis, Sweep, Value
from specaug.study.sweep.space import values_of

GRID = 25  # values at which a range is looked at
BAND = 1.96  # deviations either way hold 95 %
ROOT5 = math.sqrt(5)
LEVEL = 1.0  # variance of the surface's level, in variances of the trials
PRIORS = {"length": (0.7, 1.0), "signal": (0.0, 1.0), "noise": (-1.5, 1.5)}  # mean and deviation of each logarithm
JITTER = 1e-8

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
        return sorted(axis.choices).index(value) / max(1, len(axis.choices) - 1)  # type: ignore[type-var]
    low, high = axis.ends
    assert not isinstance(value, str)
    if axis.log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


@dataclass(frozen=True)
class Surface:
    """A fitted Gaussian process; values are counted in `unit` from `level`."""

    rows: Floats
    level: float
    unit: float
    lengths: Floats  # one a column
    signal: float  # variance
    noise: float  # variance
    inverse: Floats  # of the trials' covariance
    weights: Floats  # the inverse times the values

    def against(self, rows: Floats) -> Floats:
        """The covariance of the surface at some rows with the trials."""
        return LEVEL + self.signal * matern(rows / self.lengths, self.rows / self.lengths)

    def average(self, rows: Floats) -> tuple[float, float]:
        """The mean of the surface over some rows, and its standard deviation."""
        to = self.against(rows).mean(axis=0)
        scaled = rows / self.lengths
        before = LEVEL + self.signal * float(matern(scaled, scaled).mean())
        deviation = math.sqrt(max(0.0, before - float(to @ self.inverse @ to)))
        return self.level + self.unit * float(to @ self.weights), self.unit * deviation


def matern(one: Floats, other: Floats) -> Floats:
    """The Matern 5/2 correlation of rows with rows, in units of the lengths."""
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    far = ROOT5 * np.sqrt(np.maximum(squares, 0.0))
    return np.asarray((1 + far + far**2 / 3) * np.exp(-far))


def fitted(rows: Floats, values: Floats) -> Surface:
    """The surface that explains the values best: the likeliest lengths and variances, given mild priors."""
    level, unit = float(values.mean()), float(values.std()) or 1.0
    centred = (values - level) / unit
    apart = (rows.T[:, :, None] - rows.T[:, None, :]) ** 2
    columns = rows.shape[1]
    priors = [PRIORS["length"]] * columns + [PRIORS["signal"], PRIORS["noise"]]
    middle, wide = np.array(priors).T

    def cost(logs: Floats) -> tuple[float, Floats]:
        loss, slope = unlikely(logs, apart, centred)
        off = (logs - middle) / wide
        return loss + 0.5 * float(off @ off), slope + off / wide

    bounds = list(zip(middle - 4 * wide, middle + 4 * wide, strict=True))
    found = minimize(cost, middle, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60}).x
    lengths, signal, noise = np.exp(found[:columns]), math.exp(found[-2]), math.exp(found[-1])
    kernel = LEVEL + signal * matern(rows / lengths, rows / lengths)
    lower = cholesky(kernel + (noise + JITTER) * np.eye(len(values)), lower=True)
    inverse = cho_solve((lower, True), np.eye(len(values)))
    return Surface(rows, level, unit, lengths, signal, noise, inverse, inverse @ centred)


def unlikely(logs: Floats, apart: Floats, values: Floats) -> tuple[float, Floats]:
    """The negative logarithm of the likelihood, and its slope; `apart` has squared distances by column."""
    precise, signal, noise = np.exp(-2 * logs[:-2]), math.exp(logs[-2]), math.exp(logs[-1])
    far = ROOT5 * np.sqrt(np.tensordot(precise, apart, axes=1))
    falling = signal * np.exp(-far)
    kernel = (1 + far + far**2 / 3) * falling
    size = len(values)
    lower = cholesky(LEVEL + kernel + (noise + JITTER) * np.eye(size), lower=True)
    inverse = cho_solve((lower, True), np.eye(size))
    weights = inverse @ values
    loss = 0.5 * float(values @ weights) + float(np.log(np.diag(lower)).sum())
    pull = 0.5 * (inverse - np.outer(weights, weights))
    by_length = (
        np.tensordot(apart, pull * (5 / 3) * (1 + far) * falling, axes=([1, 2], [0, 1])) * precise
    )
    return loss, np.array([*by_length, float((pull * kernel).sum()), noise * float(np.trace(pull))])


@dataclass(frozen=True)
class Curve:
    """The error rate by the value of one symbol, on average over what else was tried; with a 95 % band."""

    symbol: str
    values: Sequence[Value]
    mean: Floats
    low: Floats
    high: Floats


def curves(coder: Coder, points: Sequence[Point], surface: Surface) -> list[Curve]:
    """The curve of each symbol that varied (partial dependence: Friedman 2001, section 8.2)."""
    return [curve for symbol in coder.space if (curve := curve_of(coder, points, surface, symbol)).values]


def curve_of(coder: Coder, points: Sequence[Point], surface: Surface, symbol: str) -> Curve:
    """The curve of one symbol, over the points at which it varies."""
    values, told = [], []
    for value in grid(coder.space[symbol]):
        moved = [coder.moved(point, symbol, {symbol: value}) for point in points if symbol in point]
        if there := [point for point in moved if point is not None]:
            values.append(value)
            told.append(surface.average(coder.rows(there)))
    mean, deviation = np.array(told).reshape(-1, 2).T
    return Curve(symbol, values, mean, mean - BAND * deviation, mean + BAND * deviation)


def grid(axis: Axis) -> list[Value]:
    """The values at which an axis is looked at: all of them where they are few."""
    if axis.choices:
        return list(axis.choices) if named(axis) else sorted(axis.choices)  # type: ignore[type-var]
    low, high = axis.ends
    step = axis.step or (1 if axis.whole else None)
    if step and (high - low) / step < GRID:
        return [low + step * place for place in range(int((high - low) / step + 1e-9) + 1)]
    ways = np.geomspace(low, high, GRID) if axis.log else np.linspace(low, high, GRID)
    return [round(value) for value in ways.tolist()] if axis.whole else ways.tolist()
