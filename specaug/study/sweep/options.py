"""What a sweep's recipe says: frozen dataclasses written as YAML, nothing more."""

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from specaug.study.choice import PolicyChoice
from specaug.study.nearest import hint
from specaug.study.recipe import AnyPolicy
from specaug.study.sweep.metric import METRICS
from specaug.study.sweep.symbols import SAID, TAKEN, kinds, known, of_pretraining
from specaug.study.sweep.symbols import Value as Value

SAMPLERS = ("auto", "gp", "tpe", "random", "qmc")
PRUNERS = ("none", "hyperband")
DEV = "dev"
HIDING = {"T": "frames", "F": "channels"}  # what the masks of a width hide
COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
CONDITION = re.compile(r"([\w.]+)\s*(>=|<=|==|!=|>|<)\s*(-?(?:\d+\.?\d*|\.\d+))")


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Where one symbol is searched: a range (of whole numbers where the symbol counts), or choices.

    `when`, as in `m_T > 0`, says for which values of the symbols above it varies; elsewhere it is the base policy's.
    `hides` is not searched: the width with which the masks hide this share of the frames (T) or channels (F).
    """

    low: int | float | None = None
    high: int | float | None = None
    step: int | float | None = None
    log: bool = False
    choices: tuple[Value, ...] = ()
    when: str = ""
    hides: float | None = None

    def __post_init__(self) -> None:
        ways = (self.low is not None or self.high is not None, bool(self.choices), self.hides is not None)
        if sum(ways) != 1:
            raise ValueError("expected low and high, or choices, or hides")
        for key, value in self._given():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{key} is {value}; expected a finite number")
        if ways[0]:
            self._check_range()
        if self.hides is not None and not 0 < self.hides < 1:
            raise ValueError(f"hides is {self.hides}; expected a share above 0 and below 1")
        if self.when and self.condition is None:
            raise ValueError(f"when is {self.when!r}; expected a comparison, as in m_T > 0")

    def _given(self) -> Iterator[tuple[str, Value]]:
        for key in ("low", "high", "step"):
            if (value := getattr(self, key)) is not None:
                yield key, value
        for choice in self.choices:
            yield "choices", choice

    def _check_range(self) -> None:
        if self.low is None or self.high is None:
            raise ValueError(f"low is {self.low} and high {self.high}; expected both")
        if not self.low < self.high:
            raise ValueError(f"low is {self.low} and high {self.high}; expected low < high")
        if self.step is not None and (self.step <= 0 or self.log):
            raise ValueError(f"step is {self.step}; expected one above 0, without log")
        if self.log and self.low <= 0:
            raise ValueError(f"low is {self.low} with log; expected one above 0")

    @property
    def ends(self) -> tuple[int | float, int | float]:
        """Both ends of a range."""
        if self.low is None or self.high is None:
            raise ValueError("no range; expected low and high")
        return self.low, self.high

    @property
    def extremes(self) -> Sequence[tuple[str, Value]]:
        """Each choice, or both ends, with its key; nothing of what follows a share."""
        if self.choices or self.hides is not None:
            return [("choices", choice) for choice in self.choices]
        return list(zip(("low", "high"), self.ends, strict=True))

    @property
    def whole(self) -> bool:
        """Whether it is a range of whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int) and not isinstance(self.step, float)

    def of(self, symbol: str) -> "Axis":
        """The same in the kind of values that the symbol takes; raises ValueError where one is of no such kind."""
        given = [(key, taken(symbol, key, value)) for key, value in self._given()]
        ends: dict[str, Any] = {key: value for key, value in given if key != "choices"}
        return replace(self, choices=tuple(value for key, value in given if key == "choices"), **ends)

    @property
    def stride(self) -> int | float | None:
        """How far two neighbouring values of a range lie apart; None where it is continuous."""
        return self.step or (1 if self.whole else None)

    @property
    def steps(self) -> int:
        """How many strides fit between the ends, by their decimals: from 0 to 0.3 in steps of 0.1 are 3."""
        low, high, stride = (Decimal(str(number)) for number in (*self.ends, self.stride or 1))
        return int((high - low) / stride)

    def at(self, place: int) -> int | float:
        """The value so many strides above the lower end, by their decimals."""
        low, stride = self.ends[0], self.stride or 1
        if self.whole:
            return low + stride * place
        return float(Decimal(str(low)) + Decimal(str(stride)) * place)

    @property
    def condition(self) -> tuple[str, str, float] | None:
        """What `when` compares: a symbol, by what, and with which number."""
        found = CONDITION.fullmatch(self.when.strip())
        return (found[1], found[2], float(found[3])) if found else None

    def applies(self, values: Mapping[str, Any]) -> bool:
        """Whether the symbol varies, given the values of those above it; not where there is nothing to compare."""
        if self.condition is None:
            return True
        symbol, compared, number = self.condition
        return isinstance(values.get(symbol), int | float) and COMPARED[compared](values[symbol], number)

    def holds(self, value: Value | None) -> bool:
        """Whether the search could come upon the value."""
        if self.choices:
            return value in self.choices
        if self.low is None or self.high is None or not isinstance(value, int | float):
            return False
        nearest = self.at(round((value - self.low) / self.stride)) if self.stride else value
        return self.low <= value <= self.high and math.isclose(value, nearest)


def taken(symbol: str, key: str, value: Value) -> Value:
    """A value as the symbol takes it: 3 and 3.0 are one number. Raises ValueError where it takes none of this kind."""
    for kind in kinds(symbol):
        if isinstance(value, str) == (kind is str) and kind(value) == value:
            return kind(value)
    expected = " or ".join(SAID[kind] for kind in kinds(symbol))
    raise ValueError(f"space.{symbol}.{key} is {value!r}; expected {expected}")


@dataclass(frozen=True, kw_only=True)
class Confirm:
    """The last stage: the best `top` of the search again, on fresh seeds, next to some known policies."""

    top: int = 3
    seeds: tuple[int, ...] = (100, 101, 102, 103, 104)
    policies: tuple[AnyPolicy, ...] = tuple(PolicyChoice(name=name) for name in ("None", "LB", "LD"))

    def __post_init__(self) -> None:
        if self.top < 0:
            raise ValueError(f"top is {self.top}; expected 0 or more")
        if self.top and not self.seeds:
            raise ValueError(f"seeds are none and top is {self.top}; expected at least one seed, or top 0")


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A search: an experiment, what is minimised, the space over the symbols, and how it is searched.

    The symbols are the policy's and, of an experiment that begins with a pretraining, those of what is hidden there.

    `policy` has the values of the symbols that are not searched; `first` are tried before the search starts, as
    far as they lie in the space. A trial is one policy, after one pretraining, with all of `seeds`.
    """

    experiment: str
    overrides: tuple[str, ...] = ()  # of the experiment, as on the command line
    policy: AnyPolicy = field(default_factory=PolicyChoice)
    space: Mapping[str, Axis]
    metric: str = "wer"  # cer; of classes accuracy (which wer is as well), map
    part: str = DEV
    trials: int = 40
    seeds: tuple[int, ...] = (0,)
    first: tuple[AnyPolicy, ...] = tuple(PolicyChoice(name=name) for name in ("None", "LB", "LD", "SM", "SS"))
    sampler: str = "auto"
    seed: int = 0  # of the sampler
    pruner: str = "none"
    confirm: Confirm = field(default_factory=Confirm)

    def __post_init__(self) -> None:
        for name, names in (("sampler", SAMPLERS), ("pruner", PRUNERS), ("metric", METRICS)):
            if getattr(self, name) not in names:
                raise ValueError(f"unknown {name} {getattr(self, name)!r}{hint(getattr(self, name), names)}")
        if self.part != DEV:
            why = "whatever is chosen on a test part is too good there"
            raise ValueError(f"part is {self.part!r}; expected {DEV!r}: {why}")
        if self.trials < 1 or not self.seeds:
            raise ValueError(f"trials is {self.trials} and seeds {self.seeds}; expected at least one of each")
        if twice := sorted({seed for seed in self.seeds if seed in self.confirm.seeds}):
            raise ValueError(f"confirm.seeds hold {twice[0]}, as seeds do; expected fresh ones")
        self._check_space()
        typed = {symbol: axis.of(symbol) for symbol, axis in self.space.items()}
        object.__setattr__(self, "space", typed)  # whether a range is whole is the symbol's affair (D54)

    def _check_space(self) -> None:
        if not any(axis.hides is None for axis in self.space.values()):
            raise ValueError("space is empty; expected a range or choices for at least one symbol")
        above: list[str] = []
        for symbol, axis in self.space.items():
            if not known(symbol):
                raise ValueError(f"space: unknown field {symbol!r}{hint(symbol, TAKEN)}")
            if axis.condition is not None:
                self._check_condition(symbol, axis.condition[0], above)
            if axis.hides is not None and symbol not in HIDING:
                raise ValueError(f"space.{symbol}.hides: expected it for {' or '.join(HIDING)}")
            if axis.hides is None:
                above.append(symbol)

    def _check_condition(self, symbol: str, named: str, above: Sequence[str]) -> None:
        where = f"space.{symbol}.when names {named!r}"
        if named not in above:
            raise ValueError(f"{where}; expected a symbol that is searched above it: {', '.join(above)}")
        values = [value for _, value in self.space[named].extremes]
        if self.space[named].when and not of_pretraining(named):
            values.append(getattr(self.policy.resolved(), named))
        if wrong := [value for value in values if not isinstance(value, int | float)]:
            raise ValueError(
                f"{where}, which may be {wrong[0]!r}; expected a symbol whose values are numbers"
            )


def cautions(sweep: Sweep | None) -> list[str]:
    """What whoever starts a sweep is to know of what it risks."""
    if sweep is None or sweep.pruner == "none":
        return []
    risk = "heavier masks start slower and end better, so that it may end the best of them"
    return [
        f"warning: pruner {sweep.pruner} ends trials that start badly: {risk}; pruner: none is safe (D38)"
    ]
