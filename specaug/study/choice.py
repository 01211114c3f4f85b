"""How a recipe writes a policy: by name, scaled in time, with other values, and with further operations."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from inspect import signature
from typing import Any

from specaug.augment.operation import Fill, Operation
from specaug.augment.operations import OPERATIONS
from specaug.augment.policy import NAMED, Policy, paper_policy, written
from specaug.study.nearest import hint
from specaug.training.strength import Strength

USUAL = {
    name: given.default for name, given in signature(paper_policy).parameters.items()
}  # of nothing at all
SYMBOLS = tuple(USUAL)


@dataclass(frozen=True, kw_only=True)
class PolicyChoice:
    """A policy by name, scaled in time, with any of its values replaced (under the papers' symbols).

    `scale` multiplies what the named policy counts in frames, where it says none by the recipe's; values that are given
    here are taken as they are.
    `operations` come after those of the named policy (`name: None` has none): each is a name, or a name with
    its values, as in `{SpecSub: {t_max: 20}}`.
    """

    name: str = "None"
    label: str = ""  # in tables; made from the rest where it is empty
    scale: float | None = None
    W: int | None = None
    F: int | None = None
    m_F: int | None = None  # noqa: N815 (the paper's symbol)
    T: int | None = None
    p: float | None = None
    m_T: int | None = None  # noqa: N815 (the paper's symbol)
    p_S: float | None = None  # noqa: N815 (the paper's symbol)
    p_M: float | None = None  # noqa: N815 (the paper's symbol)
    warp: str | None = None  # linear, sparse
    bounds: str | None = None  # closed, paper, lingvo
    fill: Fill | None = None  # a number, mean, noise
    operations: tuple[Mapping[str, Mapping[str, Any]], ...] = ()
    strength: Strength = field(default_factory=Strength)  # as training goes on

    def __post_init__(self) -> None:
        check_scale(self.times)
        if self.name not in NAMED:
            raise ValueError(f"unknown policy {self.name!r}{hint(self.name, NAMED)}")
        self.policy()

    @property
    def times(self) -> float:
        """The factor of what is counted in frames."""
        return 1.0 if self.scale is None else self.scale

    def policy(self) -> Policy:
        """The policy that is meant."""
        named = paper_policy(**self._values())
        return Policy(
            named.operations + tuple(operation(name, one[name]) for one in self.operations for name in one)
        )

    def resolved(self) -> "PolicyChoice":
        """The same with every value written out."""
        operations = tuple(
            {name: operation(name, values).symbols()}
            for one in self.operations
            for name, values in one.items()
        )
        label = self.label or self.title()
        return replace(self, label=label, scale=self.times, operations=operations, **self._values())

    def title(self) -> str:
        """What a table calls it: LD, LD x 0.25, LD x 0.25 p=0.2, LB + SpecSub(t_max=20)."""
        values, usual = self._values(), values_of(NAMED[self.name].scaled(time=self.times))
        changed = [f"{symbol}={values[symbol]}" for symbol in SYMBOLS if values[symbol] != usual[symbol]]
        scale = [f"x {self.times:g}"] if self.times != 1 and self.name != "None" else []
        named = " ".join([self.name, *scale, *changed])
        further = [
            written(operation(name, values)) for one in self.operations for name, values in one.items()
        ]
        whole = " + ".join(further if further and named == "None" else [named, *further])
        return whole if self.strength.constant else f"{whole}, {self.strength}"

    def _values(self) -> dict[str, Any]:
        """What `paper_policy` takes: the named policy's values, and over them those given here."""
        usual = values_of(NAMED[self.name].scaled(time=self.times))
        given = {symbol: getattr(self, symbol) for symbol in SYMBOLS}
        values = usual | {symbol: value for symbol, value in given.items() if value is not None}
        if self.p_S is not None and self.T is None and not usual["T"]:
            values["T"] = None  # p_S alone bounds the width, where the named policy has no time masks
        return values


def check_scale(scale: float) -> None:
    """Raise ValueError where numbers of frames cannot be multiplied by it."""
    if not 0 < scale < math.inf:
        raise ValueError(f"scale is {scale}; expected a factor above 0")


def values_of(policy: Policy) -> dict[str, Any]:
    """The values from which `paper_policy` makes this policy; the named ones are all made so."""
    values = dict(USUAL)
    for one in policy.operations:
        values |= one.symbols()
    return values


def operation(name: str, values: Mapping[str, Any]) -> Operation:
    """The operation of a recipe; raises ValueError where its name or one of its symbols is unknown."""
    if name not in OPERATIONS:
        raise ValueError(f"unknown operation {name!r}{hint(name, OPERATIONS)}")
    known = OPERATIONS[name]().symbols()
    for symbol in values:
        if symbol not in known:
            raise ValueError(f"unknown symbol {symbol!r} of {name}{hint(symbol, known)}")
    return OPERATIONS[name](**values)


def spelled(value: Any) -> Any:
    """A policy as a mapping, with each operation as one: both may be written as their name alone."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and isinstance(value.get("operations"), list | tuple):
        operations = [{one: {}} if isinstance(one, str) else one for one in value["operations"]]
        plain = [
            {name: values or {} for name, values in one.items()} if isinstance(one, dict) else one
            for one in operations
        ]
        return {**value, "operations": plain}
    return value
