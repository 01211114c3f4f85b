"""The tables of a comparison as HTML."""

from collections.abc import Iterable
from html import escape
from itertools import product

from specaug.study.comparing.compare import Comparison
from specaug.study.page.theme import tabled
from specaug.study.tables.cells import (
    earned,
    earned_in,
    extras_told,
    leading_header,
    policies,
    rate,
    scores,
    side_by_side,
)
from specaug.study.tables.remarks import footer, heading, runs
from specaug.study.tables.text_table import TEXTS, Table, printable


def tables(comparison: Comparison) -> list[str]:
    """The policies, the systems beside each other where there are several, and the scores part by part."""
    left, extras = len(leading_header(comparison)), extras_told(comparison)
    lines = [escaped(policies(comparison), left)]
    several = len(comparison.systems) > 1
    if several or any(part.decoding for part in comparison.parts):
        bold = {(y + 1, x + left) for y, x in earned(comparison)}
        lines.append(escaped(side_by_side(comparison, rate), left, bold))
    for part in comparison.parts:
        for system, measure in product(comparison.systems if several else (None,), comparison.measures):
            title = escape(heading(part, comparison.parts, system, measure))
            bold = earned_in(comparison, part, system, measure)
            table = scores(comparison, part, system, extras, measure)
            lines += [f"<h3>{title}</h3>", escaped(table, bold=bold)]
    return lines


def remarks(comparison: Comparison) -> str:
    """What is written below the tables."""
    ids = runs(comparison)
    lines = [line for line in footer(comparison, extras_told(comparison), "Bold") if line not in ids]
    return f"{listed(lines)}<details><summary>Runs</summary>{listed(ids)}</details>"


def listed(lines: Iterable[str]) -> str:
    """Lines of text as a list."""
    items = "".join(f"<li>{escape(printable(line))}</li>" for line in lines)
    return f'<ul class="soft">{items}</ul>'


def escaped(table: Table, left: int = 1, bold: Iterable[tuple[int, int]] = ()) -> str:
    """A table of text; a last column of words stands to the left as well."""
    heavy = set(bold)
    rows = [
        [
            f"<strong>{escape(printable(text))}</strong>" if (y, x) in heavy else escape(printable(text))
            for x, text in enumerate(row)
        ]
        for y, row in enumerate(table)
    ]
    return tabled(rows, "words" if table[0][-1] in TEXTS else "", left)
