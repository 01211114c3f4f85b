"""What the operations of a policy have in common. Nothing here needs torch."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, ClassVar

# Numbers of one kind of operation: its number in the generator is the stream's times this plus its own
MOST = 2**16

# Of a hidden cell: a constant, "mean" (of the utterance's frames) or "noise" (standard normal)
Fill = float | str
FILLS = ("mean", "noise")
LARGEST = 2**31 - 1  # a draw is of at most 2^31 numbers (`philox.below`), 0 among them
BOUNDS = ("closed", "paper", "lingvo")  # which widths and places can be drawn: decisions D3, D4, D26
SHARES = ("p", "p_S", "p_M", "share")
NUMBERS = ("g", "unit")
STRENGTHS = {
    "widths": ("W", "F", "T", "p_S", "t_max", "g", "share"),  # how far, how wide, how loud
    "counts": ("m_F", "m_T", "p_M", "N"),  # how often
}


@dataclass(frozen=True)
class Operation:
    """One step of a policy; its fields are the paper's symbols. Raises ValueError naming symbol and value."""

    stream: ClassVar[int]  # its place in the generator: no two operations share a number
    kinds: ClassVar[tuple[str, ...]] = ()
    # Whether a policy may list it twice, the second's draws following the first's
    repeats: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = own(getattr(self, field.name))
            object.__setattr__(self, field.name, value)
            if not (value is None and field.default is None):
                self._check(field.name, value)

    @property
    def draws(self) -> int:
        """How many numbers it takes from the generator for an utterance; 0 where it never does anything."""
        raise NotImplementedError

    @property
    def channels(self) -> int:
        """The fewest mel channels that features must have."""
        return 1

    def scaled(self, time: Fraction) -> "Operation":
        """The same for utterances `time` times as long."""
        return self

    def multiplied(self, factor: float, of: str) -> "Operation":
        """The same with its widths, or its counts, multiplied; half a frame, channel or mask counts as a whole one.

        What has no counts has its widths multiplied either way (decision D48).
        """
        given = self.given(of) or self.given("widths")
        values = {symbol: value * factor for symbol, value in given.items()}
        rounded = {s: v if s in (*SHARES, *NUMBERS) else int(v + 0.5) for s, v in values.items()}
        return replace(self, **rounded)

    def given(self, of: str) -> dict[str, Any]:
        """Its widths, or its counts, that have a value."""
        known = self.symbols().items()
        return {symbol: value for symbol, value in known if symbol in STRENGTHS[of] and value is not None}

    def symbols(self) -> dict[str, Any]:
        """Its fields by the paper's symbols."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def _check(self, symbol: str, value: Any) -> None:
        if symbol in ("warp", "kind", "bounds"):
            known = BOUNDS if symbol == "bounds" else self.kinds
            fine, expected = value in known, f"one of {', '.join(known)}"
        elif symbol == "fill":
            fine, expected = value in FILLS or is_number(value), f"a number, or one of {', '.join(FILLS)}"
        elif symbol in SHARES:
            fine, expected = is_number(value) and 0 <= value <= 1, "a share in [0, 1]"
        elif symbol in NUMBERS:
            fine, expected = is_number(value) and value >= 0, "a number, 0 or more"
        else:
            whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
            fine = whole and value <= LARGEST
            expected = f"at most {LARGEST}" if whole else "a whole number, 0 or more"
        if not fine:
            raise ValueError(f"{symbol} ({type(self).__name__}) is {value!r}; expected {expected}")


def require_channels(operations: Iterable[Operation], mel: int) -> None:
    """Raise ValueError where an operation that does something needs more than `mel` channels."""
    for operation in operations:
        if operation.draws and operation.channels > mel:
            name, needed = type(operation).__name__, operation.channels
            raise ValueError(
                f"{name} ({operation.symbols()}) needs {needed} mel channels; the features have {mel}"
            )


def own(value: Any) -> Any:
    """A number of any kind, numpy's say, as Python's own, so that it prints and hashes alike; all else as it is."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def is_number(value: Any) -> bool:
    """Whether it is a finite number and no truth value."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) < float("inf")


def floor_of(share: float, frames: int) -> int:
    """floor(share * frames), the share read as the decimal it prints as: 0.29 of 100 is 29 (decision D5)."""
    exact = fraction(share)
    return frames * exact.numerator // exact.denominator


@lru_cache(maxsize=256)
def fraction(share: float) -> Fraction:
    """The decimal that a number prints as."""
    return Fraction(str(share))
