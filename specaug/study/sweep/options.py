"""What a sweep's recipe says: frozen dataclasses written as YAML, nothing more."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from specaug.study.choice import SYMBOLS, PolicyChoice
from specaug.study.nearest import hint
from specaug.study.recipe import AnyPolicy

SAMPLERS = ("auto", "gp", "tpe", "random", "qmc")
PRUNERS = ("none", "hyperband")
METRICS = ("wer", "cer")
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
CONDITION = re.compile(r"(\w+)\s*(>=|<=|==|!=|>|<)\s*(-?[\d.]+)")

Value = int | float | str


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Where one symbol of the policy is searched: a range (of whole numbers where both ends are), or choices.

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
        if ways[0]:
            self._check_range()
        if self.hides is not None and not 0 < self.hides < 1:
            raise ValueError(f"hides is {self.hides}; expected a share above 0 and below 1")
        if self.when and not CONDITION.fullmatch(self.when.strip()):
            raise ValueError(f"when is {self.when!r}; expected a comparison, as in m_T > 0")

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
    def whole(self) -> bool:
        """Whether it is a range of whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int) and not isinstance(self.step, float)

    def applies(self, values: Mapping[str, Value]) -> bool:
        """Whether the symbol varies, given the values of those above it."""
        if not self.when:
            return True
        found = CONDITION.fullmatch(self.when.strip())
        assert found is not None
        symbol, compared, number = found.groups()
        return COMPARED[compared](values[symbol], float(number))

    def holds(self, value: Value) -> bool:
        """Whether the search could come upon the value."""
        if self.choices:
            return value in self.choices
        if self.low is None or self.high is None or isinstance(value, str):
            return False
        steps = (value - self.low) / (self.step or 1)
        aligned = not (self.step or self.whole) or abs(steps - round(steps)) < 1e-9
        return self.low <= value <= self.high and aligned


@dataclass(frozen=True, kw_only=True)
class Confirm:
    """The last stage: the best `top` of the search again, on fresh seeds, next to some known policies."""

    top: int = 3
    seeds: tuple[int, ...] = (100, 101, 102, 103, 104)
    policies: tuple[AnyPolicy, ...] = tuple(PolicyChoice(name=name) for name in ("None", "LB", "LD"))

    def __post_init__(self) -> None:
        if self.top < 0:
            raise ValueError(f"top is {self.top}; expected 0 or more")


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A search: an experiment, what is minimised, the space over the policy's symbols, and how it is searched.

    `policy` has the values of the symbols that are not searched; `first` are tried before the search starts, as
    far as they lie in the space. A trial is one policy with all of `seeds`.
    """

    experiment: str
    overrides: tuple[str, ...] = ()  # of the experiment, as on the command line
    policy: AnyPolicy = field(default_factory=PolicyChoice)
    space: Mapping[str, Axis]
    metric: str = "wer"
    part: str = DEV
    trials: int = 40
    seeds: tuple[int, ...] = (0,)
    first: tuple[AnyPolicy, ...] = tuple(PolicyChoice(name=name) for name in ("None", "LB", "LD", "SM", "SS"))
    sampler: str = "auto"
    seed: int = 0  # of the sampler
    pruner: str = "none"
    confirm: Confirm = field(default_factory=Confirm)

    def __post_init__(self) -> None:
        for name, known in (("sampler", SAMPLERS), ("pruner", PRUNERS), ("metric", METRICS)):
            if getattr(self, name) not in known:
                raise ValueError(f"unknown {name} {getattr(self, name)!r}{hint(getattr(self, name), known)}")
        if self.part != DEV:
            why = "whatever is chosen on a test part is too good there"
            raise ValueError(f"part is {self.part!r}; expected {DEV!r}: {why}")
        if self.trials < 1 or not self.seeds:
            raise ValueError(f"trials is {self.trials} and seeds {self.seeds}; expected at least one of each")
        if twice := sorted({seed for seed in self.seeds if seed in self.confirm.seeds}):
            raise ValueError(f"confirm.seeds hold {twice[0]}, as seeds do; expected fresh ones")
        self._check_space()

    def _check_space(self) -> None:
        if not any(axis.hides is None for axis in self.space.values()):
            raise ValueError("space is empty; expected a range or choices for at least one symbol")
        above: list[str] = []
        for symbol, axis in self.space.items():
            if symbol not in SYMBOLS:
                raise ValueError(f"space: unknown field {symbol!r}{hint(symbol, SYMBOLS)}")
            if axis.when and (found := CONDITION.match(axis.when.strip())) and found[1] not in above:
                raise ValueError(
                    f"space.{symbol}.when names {found[1]!r}; expected a symbol above it: {', '.join(above)}"
                )
            if axis.hides is not None and symbol not in HIDING:
                raise ValueError(f"space.{symbol}.hides: expected it for {' or '.join(HIDING)}")
            above.append(symbol)
