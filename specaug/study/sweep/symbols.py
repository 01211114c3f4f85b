"""What can be searched: the symbols of the policy, and those of the pretraining, whose names have a dot."""

from collections.abc import Mapping, Sequence
from typing import get_args, get_type_hints

from specaug.study.choice import SYMBOLS, PolicyChoice

Value = int | float | str
Kind = type[int] | type[float] | type[str]

SAID: Mapping[Kind, str] = {int: "a whole number", float: "a number", str: "a word"}
HIDDEN: Mapping[str, Sequence[Kind]] = {
    "hidden.share": [float],
    "hidden.number": [int],
    "hidden.c_low": [int],
    "hidden.c_high": [int],
}
ARGUMENTS = "objective.arguments."  # of any name and kind: the objective says which it takes
POLICY: Mapping[str, Sequence[Kind]] = {
    symbol: [kind for kind in SAID if kind in get_args(get_type_hints(PolicyChoice)[symbol])]
    for symbol in SYMBOLS
}
TAKEN = {**POLICY, **HIDDEN}  # what kinds of value a symbol takes


def of_pretraining(symbol: str) -> bool:
    """Whether a symbol is one of the pretraining."""
    return "." in symbol


def known(symbol: str) -> bool:
    """Whether there is such a symbol."""
    return symbol in TAKEN or (symbol.startswith(ARGUMENTS) and symbol != ARGUMENTS)


def kinds(symbol: str) -> Sequence[Kind]:
    """What kinds of value a symbol takes."""
    return TAKEN.get(symbol, list(SAID))
