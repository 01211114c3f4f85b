"""The comparison in every format."""

from collections.abc import Callable, Iterator

from specaug.study.comparing.compare import Comparison, PartFacts
from specaug.study.comparing.measures import Measure
from specaug.study.comparing.systems import System
from specaug.study.tables.cells import (
    EXTRAS,
    Number,
    earned,
    earned_in,
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
from specaug.study.tables.remarks import footer, heading, headline, too_wide
from specaug.study.tables.text_table import SHORT as SHORT
from specaug.study.tables.text_table import WIDTH, filled, percent, piped, printable, safe, starred
from specaug.study.tables.text_table import aligned as aligned


def as_text(comparison: Comparison) -> str:
    """Aligned plain text, at most 110 columns wide where the labels are not long."""
    told, pairs = extras_told(comparison), list(_pairs(comparison))
    for wanted in EXTRAS:
        extras = [name for name in wanted if name in told]
        tables = [
            aligned(
                starred(
                    scores(comparison, part, system, extras, measure),
                    earned_in(comparison, part, system, measure),
                )
            )
            for part, system, measure in pairs
        ]
        if all(_fits(table) for table in tables):
            break
    blocks = [printable(headline(comparison)), aligned(policies(comparison), len(leading_header(comparison)))]
    if _beside(comparison):
        blocks.append(_side_by_side(comparison))
    for (part, system, measure), table in zip(pairs, tables, strict=True):
        blocks.append(f"{printable(heading(part, comparison.parts, system, measure))}\n{table}")
    missing = [name for name in told if name not in extras]
    lines = [printable(line) for line in (*too_wide(comparison, missing), *footer(comparison, extras, "*"))]
    blocks += [filled(lines)]
    return "\n\n".join(blocks) + "\n"


def as_markdown(comparison: Comparison) -> str:
    """Markdown with one table of policies and one per part and system; text from the data is escaped."""
    left, extras = len(leading_header(comparison)), extras_told(comparison)
    blocks = [f"**{safe(headline(comparison))}**", piped(policies(comparison), left)]
    if _beside(comparison):
        bold = {(y + 1, x + left) for y, x in earned(comparison)}
        blocks.append(piped(side_by_side(comparison, rate), left, bold))
    for part, system, measure in _pairs(comparison):
        table = scores(comparison, part, system, extras, measure)
        bold = earned_in(comparison, part, system, measure)
        blocks += [safe(heading(part, comparison.parts, system, measure)), piped(table, bold=bold)]
    blocks += ["\n".join(f"- {safe(line)}" for line in footer(comparison, extras, "Bold"))]
    return "\n\n".join(blocks) + "\n"


FORMATS: dict[str, Callable[[Comparison], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "tsv": as_tsv,
    "csv": as_csv,
    "latex": as_latex,
}


def _pairs(comparison: Comparison) -> Iterator[tuple[PartFacts, System | None, Measure]]:
    """Each part with each system, or with None where there is only one system, in each measure."""
    for part in comparison.parts:
        for system in comparison.systems if len(comparison.systems) > 1 else (None,):
            for measure in comparison.measures:
                yield part, system, measure


def _beside(comparison: Comparison) -> bool:
    """Whether there are several systems or decodings to be seen beside each other."""
    return len(comparison.systems) > 1 or any(part.decoding for part in comparison.parts)


def _side_by_side(comparison: Comparison) -> str:
    """The systems beside each other, with the intervals where these fit."""
    table = _marked(comparison, rate)
    return table if _fits(table) else _marked(comparison, lambda given: percent(given.value))


def _marked(comparison: Comparison, number: Callable[[Number], str]) -> str:
    header, left = header_above(comparison), len(leading_header(comparison))
    marked = {(y + len(header), x + left) for y, x in earned(comparison)}
    return aligned(starred([*header, *side_by_side(comparison, number)[1:]], marked), left)


def _fits(table: str) -> bool:
    return max(map(len, table.splitlines())) <= WIDTH
