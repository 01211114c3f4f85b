"""One table with a line above and remarks below it, in every format that needs no more."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from specaug.study.tables.text_table import Table, aligned, filled, piped, printable, safe


@dataclass(frozen=True, slots=True)
class Plain:
    """What is told: the columns of text are the first `left`."""

    headline: str
    table: Table
    left: int
    remarks: Sequence[str]


def as_text(told: Plain) -> str:
    """Aligned plain text."""
    blocks = [printable(told.headline), aligned(told.table, told.left), filled(map(printable, told.remarks))]
    return "\n\n".join(blocks) + "\n"


def as_markdown(told: Plain) -> str:
    """Markdown; text from the data is escaped."""
    lines = "\n".join(f"- {safe(line)}" for line in told.remarks)
    return f"**{safe(told.headline)}**\n\n{piped(told.table, told.left)}\n\n{lines}\n"


def as_tsv(told: Plain) -> str:
    """A header and a line a row; lines that start with # are remarks."""
    lines = ["\t".join(map(printable, row)) for row in told.table]
    remarks = [f"# {printable(line)}" for line in told.remarks]
    return "\n".join([f"# {printable(told.headline)}", *lines, *remarks]) + "\n"


def as_csv(told: Plain) -> str:
    """The same rows separated by commas (RFC 4180), and nothing else: every line says in `about` what it is of."""
    return comma_separated(about(told.table, told.headline))


def about(table: Table, headline: str) -> Iterator[Sequence[str]]:
    """`table` with its headline in a last column, where nothing can stand above it."""
    for number, row in enumerate(table):
        yield *row, headline if number else "about"


def comma_separated(rows: Iterable[Sequence[str]]) -> str:
    """Rows as RFC 4180 has them, without control characters."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([printable(cell) for cell in row] for row in rows)
    return text.getvalue()


FORMATS: dict[str, Callable[[Plain], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "tsv": as_tsv,
    "csv": as_csv,
}
