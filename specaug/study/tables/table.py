"""The comparison in every format, and the tables of a document."""

import json
import lzma
import re
import shutil
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from specaug.errors import UserError
from specaug.study.comparing.compare import Comparison, PartFacts, compare
from specaug.study.comparing.systems import System
from specaug.study.results import HYPOTHESES, RECIPE, RESULT, read_lines, read_result, read_utterances
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
from specaug.study.tables.text_table import aligned as aligned
from specaug.study.tables.text_table import percent, piped, printable, safe
from specaug.training.files import CURVES

WIDTH = 110  # columns of a terminal
MARKER = re.compile(r"^<!-- table: (?P<path>.+?) -->$")
END = "<!-- end -->"


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
    blocks += ["\n".join(textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in lines)]
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


def results_table(folder: Path) -> str:
    """The Markdown of all runs that are kept below `folder`."""
    return as_markdown(compare([folder]))


def refresh(document: Path, root: Path, check: bool) -> bool:
    """Whether `document` had the tables that the kept runs give; where not, it has them now, unless `check`.

    A table stands between a line `<!-- table: PATH -->`, PATH being relative to `root`, and `<!-- end -->`.
    Raises UserError where a marker has no end or names a folder without finished runs.
    """
    text = document.read_text(encoding="utf-8")
    lines, kept, start = text.splitlines(), [], 0
    while start < len(lines):
        kept.append(lines[start])
        if marker := MARKER.match(lines[start]):
            where = f"{document}:{start + 1}"
            start = _end(lines, start, where)
            kept += ["", *_regenerated(root / marker["path"], where), "", END]
        start += 1
    current = "".join(f"{line}\n" for line in kept)
    if current != text and not check:
        partial = document.with_name(f".{document.name}.partial")
        partial.write_text(current, encoding="utf-8")
        partial.replace(document)
    return current == text


def keep_run(folder: Path, root: Path) -> Path:
    """The folder below `root`, named as `folder`, that now holds what a table needs of a finished run.

    This is the form in which runs are committed: about 10 kB for 700 utterances.
    """
    read_utterances(read_result(folder))  # what is damaged is not kept
    kept = root / folder.resolve().name
    kept.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in read_lines(folder))
    (kept / f"{HYPOTHESES}.xz").write_bytes(lzma.compress(text.encode()))
    for name in (CURVES, RECIPE):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, kept / name)
    shutil.copyfile(folder / RESULT, kept / RESULT)  # last: it says that the folder is whole
    return kept


def _end(lines: Sequence[str], start: int, where: str) -> int:
    for number in range(start + 1, len(lines)):
        if lines[number] == END:
            return number
        if MARKER.match(lines[number]):
            break
    raise UserError(f"{where}: the table has no end; expected a line {END}")


def _regenerated(folder: Path, where: str) -> list[str]:
    try:
        return results_table(folder).splitlines()
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


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
