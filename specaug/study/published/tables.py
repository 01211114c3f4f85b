"""The published tables, as they were typed: cells in percent, and which of them were cross-checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from specaug.errors import UserError

FILE = Path(__file__).with_name("tables.yaml")
DAGGER = "†"  # beside what was not cross-checked


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row: its name, the recipe of ours that is compared with it, and its cells in the order of the table's parts."""

    row: str
    recipe: str  # in experiments/
    plain: tuple[float, ...] = ()
    lm: tuple[float, ...] = ()
    checked: tuple[str, ...] = ()  # "lm test-other": cells of an unchecked table that were


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of a paper; `plain` and `lm` are the labels of our decodings that its cells were read with."""

    paper: str
    about: str
    parts: tuple[str, ...]
    plain: str
    lm: str
    checked: bool
    rows: tuple[Row, ...] = field(default=())

    def doubts(self, rows: Sequence[Row]) -> list[str]:
        """What the dagger means, where one of the rows has it."""
        doubted = any(not cell.checked for row in rows for cell in self.cells(row))
        return [f"{DAGGER} typed from one recollection of the table, not cross-checked."] * doubted

    def place(self, row: Row) -> str:
        """By what number, from 1 on, a row is chosen."""
        return str(self.rows.index(row) + 1)

    def cells(self, row: Row) -> Sequence["Cell"]:
        """The cells of a row, those without a language model first."""
        return [
            Cell(part, kind, label, value, self.checked or f"{kind} {part}" in row.checked)
            for kind, label, values in (("plain", self.plain, row.plain), ("lm", self.lm, row.lm))
            for part, value in zip(self.parts, values, strict=False)
        ]


@dataclass(frozen=True, slots=True)
class Cell:
    """A word error rate in percent."""

    part: str
    kind: str  # plain, or lm
    decoding: str  # the label of ours
    value: float
    checked: bool

    @property
    def told(self) -> str:
        """As printed."""
        return f"{self.value:.1f}{'' if self.checked else DAGGER}"


@cache
def tables() -> Mapping[str, Table]:
    """All of them by name."""
    read = TypeAdapter(dict[str, Table])
    return read.validate_python(yaml.safe_load(FILE.read_text(encoding="utf-8")))


def table(name: str) -> Table:
    """The table of that name. Raises UserError where there is none."""
    if name not in tables():
        raise UserError(f"unknown table {name!r}; expected one of {', '.join(tables())}")
    return tables()[name]


def experiment(name: str, row: Row) -> str:
    """The experiment that a row of the table of that name is trained as."""
    return f"{name}/{Path(row.recipe).stem}"


def chosen(whole: Table, rows: str) -> list[Row]:
    """Rows by their places from 1 on, as in `1,4-6`; all of them where nothing is said. Raises UserError for others."""
    if not rows:
        return list(whole.rows)
    ends = [word.split("-") for word in rows.split(",")]
    whole_numbers = all(len(pair) < 3 and all(end.isdecimal() for end in pair) for pair in ends)
    places = [at for pair in ends for at in range(int(pair[0]), int(pair[-1]) + 1)] if whole_numbers else []
    if not places or not all(1 <= at <= len(whole.rows) for at in places):
        raise UserError(f"--rows is {rows!r}; expected places from 1 to {len(whole.rows)}, as in 1,4-6")
    return [whole.rows[at - 1] for at in dict.fromkeys(places)]
