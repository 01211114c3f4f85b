"""The comparison in every format."""

from collections.abc import Callable, Iterator

from specaug.study.comparing.compare import Comparison, PartFacts
from specaug.study.comparing.systems import System
from specaug.study.stats.statistics import Difference, Estimate
from specaug.study.tables.cells import (
    EXTRAS,
    earned,
    extras_told,
    header_above,
    leading_header,
    policies,
    rate,
    scores,
    side_by_side,
)
from specaug.study.tables.flat import as_csv, as_tsv
from specaug.study.tables.latex import as_latex
from specaug.study.tables.remarks import best, footer, heading, headline
from specaug.study.tables.text_table import SHORT as SHORT
from specaug.study.tables.text_table import WIDTH, filled, percent, piped, printable, safe
from specaug.study.tables.text_table import aligned as aligned


def as_text(comparison: Comparison) -> str:
    """Aligned plain text, at most 110 columns wide where the labels are not long."""
    told, pairs = extras_told(comparison), list(_pairs(comparison))
    for wanted in EXTRAS:
        extras = [name for name in wanted if name in told]
        tables = [aligned(scores(comparison, part, system, extras)) for part, system in pairs]
        if all(_fits(table) for table in tables):
            break
    blocks = [printable(headline(comparison)), aligned(policies(comparison), len(leading_header(comparison)))]
    if _beside(comparison):
        blocks += _side_by_side(comparison)
    for (part, system), table in zip(pairs, tables, strict=True):
        blocks.append(f"{printable(heading(part, comparison.parts, system))}\n{table}")
    lines = [printable(line) for line in footer(comparison, extras)]
    blocks += [filled(lines)]
    return "\n\n".join(blocks) + "\n"


def as_markdown(comparison: Comparison) -> str:
    """Markdown with one table of policies and one per part and system; text from the data is escaped."""
    left = len(leading_header(comparison))
    blocks = [f"**{safe(headline(comparison))}**", piped(policies(comparison), left)]
    if _beside(comparison):
        bold = {(y + 1, x + left) for y, x in earned(comparison)}
        blocks += [piped(side_by_side(comparison, rate), left, bold), safe(f"Bold: {best(comparison)}.")]
    for part, system in _pairs(comparison):
        blocks += [safe(heading(part, comparison.parts, system)), piped(scores(comparison, part, system))]
    blocks += ["\n".join(f"- {safe(line)}" for line in footer(comparison))]
    return "\n\n".join(blocks) + "\n"


FORMATS: dict[str, Callable[[Comparison], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "tsv": as_tsv,
    "csv": as_csv,
    "latex": as_latex,
}


def _pairs(comparison: Comparison) -> Iterator[tuple[PartFacts, System | None]]:
    """Each part with each system, or with None where there is only one system."""
    for part in comparison.parts:
        for system in comparison.systems if len(comparison.systems) > 1 else (None,):
            yield part, system


def _beside(comparison: Comparison) -> bool:
    """Whether there are several systems or decodings to be seen beside each other."""
    return len(comparison.systems) > 1 or any(part.decoding for part in comparison.parts)


def _side_by_side(comparison: Comparison) -> list[str]:
    """The systems beside each other, with the intervals where these fit, and what the mark says."""
    marked = earned(comparison)
    table = _marked(comparison, rate)
    if not _fits(table):
        table = _marked(comparison, lambda given: percent(given.value))
    return [table, f"*: {printable(best(comparison))}."] if marked else [table]


def _marked(comparison: Comparison, number: Callable[[Estimate | Difference], str]) -> str:
    marked, left = earned(comparison), len(leading_header(comparison))
    rows = side_by_side(comparison, number)[1:]
    shown = [
        [*row[:left], *(f"{cell}{'*' if (y, x) in marked else ' '}" for x, cell in enumerate(row[left:]))]
        for y, row in enumerate(rows)
    ]
    header = [[*row[:left], *(f"{cell} " for cell in row[left:])] for row in header_above(comparison)]
    return aligned([*header, *shown], left)


def _fits(table: str) -> bool:
    return max(map(len, table.splitlines())) <= WIDTH
