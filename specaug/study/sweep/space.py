"""From the numbers that a search comes upon to a policy, and back."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from specaug.augment.policy import paper_policy
from specaug.study.choice import SYMBOLS, PolicyChoice
from specaug.study.recipe import Recipe, fits
from specaug.study.sweep.metric import check_metric
from specaug.study.sweep.options import HIDING, Axis, Sweep, Value
from specaug.study.sweep.pretext import axes_of, extremes, own_point
from specaug.study.sweep.symbols import of_pretraining

IDLE = {"m_F": ("F",), "m_T": ("T", "p")}  # where a count is 0, these mean nothing
LONG = 1000  # frames of an utterance, before any corpus is read: a width's share hardly depends on them

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
    base = values_of(sweep.policy)
    values: dict[str, Any] = dict(point)
    for symbol, axis in sweep.space.items():
        if axis.hides is not None and axis.applies(base | values):
            given = {known: value for known, value in (base | values).items() if known in SYMBOLS}
            values[symbol] = width_that_hides(symbol, axis.hides, given, lengths, mel)
    return varied(sweep, values)


def varied(sweep: Sweep, values: Mapping[str, Any]) -> PolicyChoice:
    """The policy of a sweep with other values; raises ValueError where they make none."""
    of_policy = {symbol: value for symbol, value in values.items() if not of_pretraining(symbol)}
    return replace(sweep.policy, label="", **of_policy)


def width_that_hides(
    symbol: str, share: float, given: Mapping[str, Any], lengths: Sequence[int], mel: int
) -> int:
    """The width (F or T) whose masks hide nearest to this share on average; the share grows with the width."""

    def hidden(width: int) -> float:
        coverage = paper_policy(**{**given, symbol: width}).coverage(lengths, mel)
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
        if axis is None or not axis.applies(wanted):
            if value != base[symbol] and symbol not in ignored:
                return f"{symbol} is {value} and not searched"
        elif axis.hides is None:
            if not axis.holds(value):
                if symbol not in ignored:
                    return f"{symbol} is {value}"
                value = axis.extremes[0][1]
            point[symbol] = value
        elif symbol not in ignored:
            return f"{symbol} follows from the share it hides"
    return {symbol: point[symbol] for symbol in sweep.space if symbol in point}


def first_point(sweep: Sweep, recipe: Recipe, choice: PolicyChoice) -> dict[str, Value] | str:
    """The same of a policy that comes first, with what the experiment's own pretraining hides, where it lies in the space."""
    point = point_of(sweep, choice)
    if isinstance(point, str) or not axes_of(sweep):
        return point
    return point | own_point(recipe, sweep, values_of(choice))


def values_of(choice: PolicyChoice) -> dict[str, Any]:
    """The value of every symbol of a policy."""
    resolved = choice.resolved()
    return {symbol: getattr(resolved, symbol) for symbol in SYMBOLS}


def suits(sweep: Sweep, recipe: Recipe) -> None:
    """Raise ValueError, naming the key, where a trial or a confirm run would be refused when its turn comes (D54)."""
    check_metric(sweep.metric, recipe.text.classes)
    replace(recipe, policies=(sweep.policy,), seeds=sweep.seeds)
    if sweep.confirm.top:
        with under("confirm"):
            replace(recipe, policies=sweep.confirm.policies, seeds=sweep.confirm.seeds)
    shares_its_symbols(sweep)
    extremes(recipe, sweep)
    mel = recipe.features.mel
    for symbol, axis in sweep.space.items():
        for key, value in axis.extremes:
            with under(f"space.{symbol}.{key}"):
                fits(varied(sweep, {symbol: value}), mel)
    for pick in (min, max):
        point = corner(sweep, pick)
        with under(f"space, at {' '.join(f'{symbol}={value}' for symbol, value in point.items())}"):
            fits(policy_at(sweep, point, (LONG,), mel), mel)


def shares_its_symbols(sweep: Sweep) -> None:
    """Raise ValueError where a Gaussian process would be blind to a symbol."""
    apart = [symbol for symbol, axis in sweep.space.items() if axis.when and axis.hides is None]
    if sweep.sampler == "gp" and apart:
        blind = "a Gaussian process knows only symbols that all trials share"
        raise ValueError(f"sampler is 'gp' and space.{apart[0]} has a when: {blind}; expected auto or tpe")


def corner(sweep: Sweep, pick: Callable[..., Any]) -> dict[str, Value]:
    """The point at which every symbol is least, or most; numbers before words."""

    def size(extreme: tuple[str, Value]) -> tuple[bool, Value]:
        return isinstance(extreme[1], str), extreme[1]

    return suggested(sweep, lambda _, axis: pick(axis.extremes, key=size)[1])


@contextmanager
def under(key: str) -> Iterator[None]:
    """While it lasts, what is refused names a key."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None
