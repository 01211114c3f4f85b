"""From the numbers that a search comes upon to a policy, and back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from specaug.augment.policy import paper_policy
from specaug.study.choice import SYMBOLS, PolicyChoice
from specaug.study.sweep.options import HIDING, Axis, Sweep, Value

IDLE = {"m_F": ("F",), "m_T": ("T", "p")}  # where a count is 0, these mean nothing


Suggest = Callable[[str, Axis], Value]  # what gives a value for a symbol, within an axis


def suggested(sweep: Sweep, suggest: Suggest) -> dict[str, Value]:
    """A point of the space: a value for each symbol that varies there."""
    base = values_of(sweep.policy)
    point: dict[str, Value] = {}
    for symbol, axis in sweep.space.items():
        if axis.hides is None and axis.applies(base | point):
            point[symbol] = suggest(symbol, axis)
    return point


def policy_at(sweep: Sweep, point: Mapping[str, Value], lengths: Sequence[int], mel: int) -> PolicyChoice:
    """The policy at a point of the space, for utterances of so many frames.

    Widths are at most the channels there are. Raises ValueError where no width hides the share that is wanted.
    """
    values: dict[str, Any] = dict(point)
    for symbol, axis in sweep.space.items():
        if axis.hides is not None:
            values[symbol] = width_that_hides(symbol, axis.hides, sweep.policy, values, lengths, mel)
    return replace(sweep.policy, label="", **values)


def width_that_hides(
    symbol: str,
    share: float,
    base: PolicyChoice,
    values: Mapping[str, Any],
    lengths: Sequence[int],
    mel: int,
) -> int:
    """The width (F or T) whose masks hide nearest to this share on average; the share grows with the width."""
    given = values_of(base) | dict(values)

    def hidden(width: int) -> float:
        coverage = paper_policy(**given | {symbol: width}).coverage(lengths, mel)
        return float(getattr(coverage, HIDING[symbol]))

    return nearest(hidden, share, 1, mel if symbol == "F" else max(lengths), symbol)


def nearest(grows: Callable[[int], float], wanted: float, low: int, high: int, what: str) -> int:
    """The whole number in [low, high] at which a growing function is nearest to a value."""
    if grows(high) < wanted:
        raise ValueError(
            f"no {what} up to {high} hides {wanted:.1%}; expected more masks, or a smaller share"
        )
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if grows(middle) >= wanted else (middle + 1, high)
    below = max(low - 1, 1)
    return below if wanted - grows(below) < grows(low) - wanted else low


def point_of(sweep: Sweep, choice: PolicyChoice) -> dict[str, Value] | str:
    """The point of the space at which a policy lies, or why there is none."""
    wanted, base = values_of(choice), values_of(sweep.policy)
    ignored = {symbol for count, idle in IDLE.items() if not wanted[count] for symbol in idle}
    point: dict[str, Value] = {}
    for symbol in SYMBOLS:
        axis, value = sweep.space.get(symbol), wanted[symbol]
        if axis is None and value != base[symbol] and symbol not in ignored:
            return f"{symbol} is {value} and not searched"
        if axis is None or not axis.applies(wanted):
            continue
        if axis.hides is not None:
            return f"{symbol} follows from the share it hides"
        if not axis.holds(value):
            if symbol not in ignored:
                return f"{symbol} is {value}"
            value = axis.choices[0] if axis.choices else axis.low
        point[symbol] = value
    return {symbol: point[symbol] for symbol in sweep.space if symbol in point}


def values_of(choice: PolicyChoice) -> dict[str, Any]:
    """The value of every symbol of a policy."""
    resolved = choice.resolved()
    return {symbol: getattr(resolved, symbol) for symbol in SYMBOLS}
