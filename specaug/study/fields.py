"""The fields of a JSON object, each checked where it is read."""

import sys
from pathlib import Path
from typing import Any

from specaug.errors import UserError


class Fields:
    """The fields of a JSON object in `file`; UserError where one is missing or of another kind."""

    def __init__(self, file: Path, facts: object, path: str = "") -> None:
        if not isinstance(facts, dict):
            raise UserError(f"{file}: the whole is {facts!r:.40}; expected an object")
        self.file = file
        self.facts = facts
        self.path = path

    def at(self, name: str) -> "Fields":
        return Fields(self.file, self.get(name, dict, "an object"), f"{self.path}{name}.")

    def get(self, name: str, kind: Any, expected: str) -> Any:
        if name not in self.facts:
            raise UserError(f"{self.file}: field {self.path}{name} is missing")
        value = self.facts[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.wrong(name, expected)
        return value

    def text(self, name: str) -> str:
        return str(self.get(name, str, "text"))

    def mapping(self, name: str) -> dict[str, Any]:
        return dict(self.get(name, dict, "an object"))

    def number(self, name: str) -> float:
        value = self.get(name, int | float, "a number")
        if not abs(value) <= sys.float_info.max:  # JSON knows NaN, Infinity and whole numbers of any length
            raise self.wrong(name, "a finite number")
        return float(value)

    def number_or_none(self, name: str) -> float | None:
        return None if self.facts.get(name, 0) is None else self.number(name)

    def count(self, name: str) -> int:
        value = int(self.get(name, int, "a whole number, 0 or more"))
        if value < 0:
            raise self.wrong(name, "a whole number, 0 or more")
        return value

    def share(self, name: str) -> float:
        value = self.number(name)
        if not 0 <= value <= 1:
            raise self.wrong(name, "a share in [0, 1]")
        return value

    def wrong(self, name: str, expected: str) -> UserError:
        return UserError(
            f"{self.file}: field {self.path}{name} is {self.facts[name]!r:.80}; expected {expected}"
        )
