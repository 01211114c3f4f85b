"""A column of the utterances as the names of groups: its values, or for numbers at most four ranges of them."""

import math
from collections.abc import Sequence

import numpy as np

from specaug.speech.manifest import Value

ALL, GAP, NOT_GIVEN = "(all)", "(gap)", "(not given)"  # not groups, though they stand among them
BINS = 4


def group_names(values: Sequence[Value]) -> list[str]:
    """For each value the name of its group.

    Numbers of more than `BINS` sizes fall into as many ranges with about as many values in each: the quantiles
    are values that occur, so that equal values are never divided. Null, NaN and blank text are `NOT_GIVEN`. A value
    that reads like one of our own names is quoted.
    """
    given = [value for value in values if _given(value)]
    if given and all(isinstance(value, int | float) and not isinstance(value, bool) for value in given):
        return _ranges(values)
    return [_text(value) if _given(value) else NOT_GIVEN for value in values]


def in_order(names: Sequence[str], values: Sequence[Value]) -> list[str]:
    """The groups that occur, each once: numbers from the smallest, text by the alphabet, `NOT_GIVEN` last."""
    first: dict[str, tuple[float, str]] = {}
    for name, value in zip(names, values, strict=True):
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
        place = (float(number), name)
        first[name] = min(first.get(name, place), place)
    first.pop(NOT_GIVEN, None)
    return sorted(first, key=lambda name: first[name]) + [NOT_GIVEN] * (NOT_GIVEN in names)


def _ranges(values: Sequence[Value]) -> list[str]:
    numbers = np.array([float(value) if _given(value) else math.nan for value in values])  # type: ignore[arg-type]
    given = numbers[~np.isnan(numbers)]
    sizes = np.unique(given)
    shares = np.arange(1, BINS) / BINS
    # inverted_cdf takes values that occur, and an infinite one (the SNR of clean speech) is as good as another
    ends = np.unique(np.quantile(given, shares, method="inverted_cdf")) if len(sizes) > BINS else sizes
    bins = np.searchsorted(ends, numbers, side="left")  # a value that is an end belongs to what ends there
    names = {}
    for place in np.unique(bins[~np.isnan(numbers)]):
        inside = numbers[(bins == place) & ~np.isnan(numbers)]
        low, high = _number(inside.min()), _number(inside.max())
        names[place] = low if low == high else f"{low} to {high}"
    return [
        NOT_GIVEN if math.isnan(number) else names[place] for number, place in zip(numbers, bins, strict=True)
    ]


def _given(value: Value) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _text(value: Value) -> str:
    text = str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())
    return repr(text) if text in (ALL, GAP, NOT_GIVEN) else text


def _number(value: float) -> str:
    return f"{value:.6g}" if abs(value) < 1e6 or not value.is_integer() else f"{value:.0f}"
