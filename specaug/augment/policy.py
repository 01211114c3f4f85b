"""Policies: what may happen to an utterance, as an ordered tuple of operations. Nothing here needs torch."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, SupportsIndex

from specaug.augment.coverage import Coverage, coverage
from specaug.augment.operation import MOST, Fill, Operation, fraction
from specaug.augment.operations import FrequencyMask, TimeMask, TimeWarp

PAPER = (TimeWarp, FrequencyMask, TimeMask)  # in the paper's order


@dataclass(frozen=True)
class Policy:
    """Operations, applied one after the other; the default does nothing.

    Raises ValueError where an operation is listed twice that has no meaning twice, or one kind takes more numbers
    than the generator sets apart for it.

    >>> Policy((TimeMask(T=100, m_T=2),)).scaled(time=0.25)
    Policy(T=25 p=1.0 m_T=2)
    """

    operations: tuple[Operation, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.operations, tuple):
            raise ValueError(f"operations are {self.operations!r}; expected a tuple of operations")
        for operation in self.operations:
            if not isinstance(operation, Operation):
                raise ValueError(f"operations hold {operation!r}; expected operations")
            kind = type(operation)
            if not kind.repeats and sum(type(other) is kind for other in self.operations) > 1:
                raise ValueError(f"operations hold {kind.__name__} twice; expected it once")
            draws = sum(other.draws for other in self.operations if type(other) is kind)
            if draws > MOST:
                raise ValueError(f"{kind.__name__} draws {draws} times; expected at most {MOST}")

    @property
    def idle(self) -> bool:
        """Whether it never changes anything."""
        return not any(operation.draws for operation in self.operations)

    @property
    def channels(self) -> int:
        """The fewest mel channels that features must have."""
        return max((operation.channels for operation in self.operations if operation.draws), default=1)

    def scaled(self, time: float) -> "Policy":
        """The same for utterances `time` times as long: W, T and other numbers of frames are multiplied and rounded.

        >>> LD.scaled(time=0.25)
        Policy(W=20 F=27 m_F=2 T=25 p=1.0 m_T=2)
        """
        if not 0 < time < float("inf"):
            raise ValueError(f"time is {time}; expected a factor greater than 0")
        return Policy(tuple(operation.scaled(fraction(time)) for operation in self.operations))

    def replaced(self, **symbols: Any) -> "Policy":
        """The same with other values under the paper's symbols, each in the one operation that has it.

        >>> LD.replaced(F=15, p=0.2)
        Policy(W=80 F=15 m_F=2 T=100 p=0.2 m_T=2)
        """
        operations = list(self.operations)
        for symbol, value in symbols.items():
            places = [i for i, operation in enumerate(operations) if symbol in operation.symbols()]
            if len(places) != 1:
                owners = ", ".join(type(operations[i]).__name__ for i in places) or "no operation"
                raise ValueError(f"{symbol} belongs to {owners} of this policy; expected exactly one")
            operations[places[0]] = replace(operations[places[0]], **{symbol: value})
        return Policy(tuple(operations))

    def coverage(self, lengths: Iterable[SupportsIndex], mel: int) -> Coverage | None:
        """The expected shares of cells, frames and channels that it hides in utterances of these lengths, in frames.

        Lengths are any whole numbers, in a tensor too. None where what follows a mask moves what is hidden in a
        way that has no closed form (`coverage.py`).
        """
        return coverage(self.operations, lengths, mel)

    def __str__(self) -> str:
        return " ".join(map(written, self.operations)) or "nothing"

    def __repr__(self) -> str:
        return f"Policy({self})"


def written(operation: Operation) -> str:
    """The paper's three by their symbols, others by their name as well; options only where they are not the usual.

    >>> written(TimeMask(m_T=10, p_S=0.05))
    'p=1.0 m_T=10 p_S=0.05'
    """
    usual = type(operation)().symbols()
    always = {TimeWarp: "W", FrequencyMask: "F m_F", TimeMask: "p m_T"}.get(type(operation), "").split()
    symbols = operation.symbols().items()
    shown = " ".join(f"{name}={value}" for name, value in symbols if name in always or value != usual[name])
    if type(operation) in PAPER:
        return shown
    name = type(operation).__name__
    return f"{name}({shown})" if shown else name


def paper_policy(
    W: int = 0,  # noqa: N803 (these are the paper's symbols)
    F: int = 0,  # noqa: N803
    m_F: int = 0,  # noqa: N803
    T: int | None = 0,  # noqa: N803
    p: float = 1.0,
    m_T: int = 0,  # noqa: N803
    p_S: float | None = None,  # noqa: N803
    p_M: float | None = None,  # noqa: N803
    warp: str = "linear",
    bounds: str = "closed",
    fill: Fill = 0.0,
) -> Policy:
    """A row of Table 1 of Park et al. 2019, with the 2020 paper's p_S and p_M; only operations that do something."""
    operations = (
        TimeWarp(W, warp, bounds),
        FrequencyMask(F, m_F, fill, bounds),
        TimeMask(T, p, m_T, p_S, p_M, fill, bounds),
    )
    return Policy(tuple(operation for operation in operations if operation.draws))


NONE = Policy()
LB = paper_policy(W=80, F=27, m_F=1, T=100, p=1.0, m_T=1)
LD = paper_policy(W=80, F=27, m_F=2, T=100, p=1.0, m_T=2)
SM = paper_policy(W=40, F=15, m_F=2, T=70, p=0.2, m_T=2)
SS = paper_policy(W=40, F=27, m_F=2, T=70, p=0.2, m_T=2)
LIBRI_FULL_ADAPT = paper_policy(W=80, F=27, m_F=2, T=None, m_T=20, p_S=0.04, p_M=0.04)  # Park et al. 2020
CONFORMER = paper_policy(
    F=27, m_F=2, T=None, m_T=10, p_S=0.05
)  # Gulati et al. 2020, 3.2; m_F is not given there

NAMED = {
    "None": NONE,
    "LB": LB,
    "LD": LD,
    "SM": SM,
    "SS": SS,
    "LibriFullAdapt": LIBRI_FULL_ADAPT,
    "Conformer": CONFORMER,
}
