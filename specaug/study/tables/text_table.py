"""Tables of text: columns under each other, Markdown's pipes, and text that can break neither."""

import math
import re
import textwrap
from collections.abc import Collection, Container, Iterable, Sequence
from html import escape

Table = Sequence[Sequence[str]]  # rows of cells, the header first

WIDTH = 110  # columns of a terminal
SHORT = 8  # hex digits of a run's id
TEXTS = ("verdict", "symbols")  # last columns that read better from the left


def aligned(table: Table, left: int = 1) -> str:
    """Columns under each other: the first `left` and a last one of text to the left, the others to the right."""
    clean = [list(map(printable, row)) for row in table]
    widths = [max(map(len, column)) for column in zip(*clean, strict=True)]
    last = len(widths) - 1
    sides = ["<" if i < left or (i == last and table[0][i] in TEXTS) else ">" for i in range(len(widths))]
    return "\n".join(
        "  ".join(
            f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)
        ).rstrip()
        for row in clean
    )


def piped(table: Table, left: int = 1, bold: Container[tuple[int, int]] = ()) -> str:
    """A Markdown table, the first `left` columns to the left; what a cell says is escaped.

    `bold` holds (row, column) of cells, counted from the header's first.
    """
    rule = ["---"] * left + ["---:"] * (len(table[0]) - left)
    rows = [
        [f"**{safe(cell)}**" if (y, x) in bold else safe(cell) for x, cell in enumerate(row)]
        for y, row in enumerate(table)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], rule, *rows[1:]])


def starred(table: Table, marked: Collection[tuple[int, int]]) -> Table:
    """`table` with a star behind the cells (row, column) that are marked, and its place left free below and above."""
    columns = {x for _, x in marked}
    return [
        [f"{cell}{'*' if (y, x) in marked else ' '}" if x in columns else cell for x, cell in enumerate(row)]
        for y, row in enumerate(table)
    ]


def printable(text: str) -> str:
    """`text` on one line and without control characters: it may come from a file, and goes to a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def safe(text: str) -> str:
    """`text` as Markdown shows it literally, on one line and without control characters."""
    return re.sub(r"([|\\`*_]|(?<=\])\()", r"\\\1", escape(printable(text), quote=False))


def percent(share: float | None, sign: str = "") -> str:
    """`share` in percent with two decimals, a dash for none; `sign` is "+" where a plus is to be printed."""
    return "-" if share is None or math.isnan(share) else f"{100 * share:{sign}.2f}"


def exact(value: float | None, unit: int = 1) -> str:
    """A number for programs, times `unit`; nothing where there is none."""
    return "" if value is None or math.isnan(value) else f"{unit * value:.6g}"


def filled(lines: Iterable[str]) -> str:
    """Remarks, each broken into lines of a terminal's width."""
    return "\n".join(textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in lines)
