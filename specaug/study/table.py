"""The comparison as text for a terminal, as Markdown and as tab-separated values; the tables of a document."""

import json
import lzma
import math
import re
import shutil
import textwrap
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from statistics import median

from specaug.errors import UserError
from specaug.study.compare import CHOOSING, Comparison, PartFacts, PartScore, Row, compare
from specaug.study.results import HYPOTHESES, RECIPE, RESULT, read_lines, read_result, read_utterances
from specaug.study.statistics import MIN_SEEDS, MIN_UNITS, NO_DIFFERENCE, REPLICATES, Difference, Estimate
from specaug.training.files import CURVES

WIDTH = 110  # columns of a terminal
SHORT = 8  # hex digits of a run's id
MARKER = re.compile(r"^<!-- table: (?P<path>.+?) -->$")
END = "<!-- end -->"

Table = Sequence[Sequence[str]]  # rows of cells, the header first

TSV = (
    "part policy seeds folds runs masked_cells masked_frames masked_channels wer wer_low wer_high "
    "substitutions deletions insertions difference difference_low difference_high p p_holm verdict"
)

TEXTS = ("verdict", "symbols")  # last columns that read better from the left


def as_text(comparison: Comparison) -> str:
    """Aligned plain text, at most 110 columns wide where the labels are not long."""
    blocks = [_headline(comparison), aligned(_policies(comparison))]
    for part in comparison.parts:
        blocks += [f"{_heading(part)}\n{aligned(_scores(comparison, part))}"]
    blocks += ["\n".join(textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in _footer(comparison))]
    return "\n\n".join(_printable(block) for block in blocks) + "\n"


def as_markdown(comparison: Comparison) -> str:
    """Markdown with one table of policies and one per part; text from the data is escaped."""
    blocks = [f"**{_safe(_headline(comparison))}**", _piped(_policies(comparison))]
    for part in comparison.parts:
        blocks += [_safe(_heading(part)), _piped(_scores(comparison, part))]
    blocks += ["\n".join(f"- {_safe(line)}" for line in _footer(comparison))]
    return "\n\n".join(blocks) + "\n"


def as_tsv(comparison: Comparison) -> str:
    """A line per part and policy under one header, rates in percent; lines that start with # are remarks."""
    lines = [f"# {_printable(_headline(comparison))}", "\t".join(TSV.split())]
    for part in comparison.parts:
        lines += ["\t".join(map(_printable, _values(row, part.name))) for row in comparison.rows]
    return "\n".join(lines + [f"# {_printable(line)}" for line in _footer(comparison)]) + "\n"


FORMATS: dict[str, Callable[[Comparison], str]] = {"text": as_text, "markdown": as_markdown, "tsv": as_tsv}


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


def _headline(comparison: Comparison) -> str:
    return f"{comparison.title}: word error rates by policy, in percent"


def _heading(part: PartFacts) -> str:
    use = " (used for choosing, not for reporting)" if part.name == CHOOSING else ""
    return f"{part.name}{use}: {part.words:,} words in {part.utterances:,} utterances"


def _policies(comparison: Comparison) -> Table:
    header = ("policy", "seeds", "folds", "runs", "masked %: cells", "frames", "channels")
    return [header] + [
        (
            row.label,
            *map(str, (len(row.seeds), len(row.folds), len(row.runs))),
            *(f"{100 * share:.1f}" for share in (row.masked.cells, row.masked.frames, row.masked.channels)),
        )
        for row in comparison.rows
    ]


def _scores(comparison: Comparison, part: PartFacts) -> Table:
    header = ("policy", "WER [95 %]", "S/D/I", f"minus {comparison.baseline} [95 %]", "verdict")
    return [header] + [(row.label, *_cells(row.scores[part.name])) for row in comparison.rows]


def _cells(score: PartScore) -> tuple[str, ...]:
    kinds = "/".join(f"{100 * kind:.1f}" for kind in score.kinds)
    rate = f"{_percent(score.wer.value)}{_bounds(score.wer)}"
    if score.difference is None:
        return rate, kinds, "", ""
    difference = f"{_percent(score.difference.value, '+')}{_bounds(score.difference, '+')}"
    return rate, kinds, difference, _verdict(score.difference)


def _verdict(difference: Difference) -> str:
    if difference.adjusted is None:
        return "too few to say"
    if difference.verdict == NO_DIFFERENCE:
        return f"{NO_DIFFERENCE} (± {_percent(difference.margin)})"
    shown = f"= {difference.adjusted:.3f}" if difference.adjusted >= 0.001 else "< 0.001"
    return f"{difference.verdict} (p {shown})"


def _bounds(given: Estimate | Difference, sign: str = "") -> str:
    return "" if given.low is None else f" [{_percent(given.low, sign)}, {_percent(given.high, sign)}]"


def _percent(share: float | None, sign: str = "") -> str:
    return "-" if share is None or math.isnan(share) else f"{100 * share:{sign}.2f}"


def _values(row: Row, part: str) -> list[str]:
    score, masked = row.scores[part], row.masked
    difference = score.difference or Difference(math.nan)
    rates = (masked.cells, masked.frames, masked.channels, score.wer.value, score.wer.low, score.wer.high)
    differences = (difference.value, difference.low, difference.high)
    counts = (len(row.seeds), len(row.folds), len(row.runs))
    return [
        part,
        row.label,
        *map(str, counts),
        *(_exact(rate, 100) for rate in (*rates, *score.kinds, *differences)),
        *(_exact(p) for p in (difference.p, difference.adjusted)),
        difference.verdict or "",
    ]


def _exact(value: float | None, unit: int = 1) -> str:
    return "" if value is None or math.isnan(value) else f"{unit * value:.6g}"


def _footer(comparison: Comparison) -> list[str]:
    """What the numbers are, what they come from, and what stands against them."""
    lines = [*_about_intervals(comparison), *_about_refusals(comparison)]
    if seen := _detectable(comparison):
        lines.append(f"Smallest true difference that 8 of 10 such comparisons would see: {seen}.")
    lines.append(f"Network: {comparison.network}, {comparison.parameters:,} parameters.")
    lines += [f"Runs of {row.label}: {' '.join(run[:SHORT] for run in row.runs)}" for row in comparison.rows]
    if comparison.unfinished:
        lines.append(f"Unfinished, not counted: {' '.join(map(str, comparison.unfinished))}")
    return lines + [f"Note: {note}." for note in comparison.notes]


def _about_intervals(comparison: Comparison) -> list[str]:
    lines = ["WER: mean over seeds; S/D/I: substitutions, deletions, insertions per 100 words."]
    seeds = sorted({len(row.seeds) for row in comparison.rows})
    if seeds[-1] >= MIN_SEEDS:
        count = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
        drawn = ", ".join(f"{part.units} {part.unit} ({part.name})" for part in comparison.parts)
        lines.append(
            f"[95 %]: bootstrap of {count} seeds together with {drawn}, {REPLICATES:,} replicates, stretched to "
            "the standard error and the Student quantiles of so few."
        )
    if len(comparison.rows) > 1:
        lines.append(
            f"minus {comparison.baseline}: on the same seeds and utterances; below 0 are fewer errors. Verdicts "
            f"and p are corrected (Holm) for the {len(comparison.rows) - 1} compared with it in each part."
        )
    return lines


def _about_refusals(comparison: Comparison) -> list[str]:
    scores = [row.scores[part.name] for row in comparison.rows for part in comparison.parts]
    given: list[Estimate | Difference] = [score.wer for score in scores]
    given += [score.difference for score in scores if score.difference is not None]
    if all(number.low is not None for number in given):
        return []
    return [
        f"Too few to say: an interval and a verdict take {MIN_SEEDS} seeds that both policies have, and "
        f"{MIN_UNITS} speakers or utterances; two seeds of one policy can differ as much as two policies."
    ]


def _detectable(comparison: Comparison) -> str:
    seen = []
    for part in comparison.parts:
        found = [row.scores[part.name].difference for row in comparison.rows]
        sizes = [d.detectable for d in found if d is not None and d.detectable is not None]
        if sizes:
            seen.append(f"{_percent(median(sizes))} ({part.name})")
    return ", ".join(seen)


def aligned(table: Table) -> str:
    """Columns under each other: the first and the last to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    last = len(widths) - 1
    sides = ["<" if i == 0 or (i == last and table[0][i] in TEXTS) else ">" for i in range(len(widths))]
    return "\n".join(
        "  ".join(
            f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)
        ).rstrip()
        for row in table
    )


def _piped(table: Table) -> str:
    rule = ["---"] + ["---:"] * (len(table[0]) - 1)
    rows = [table[0], rule, *table[1:]]
    return "\n".join(f"| {' | '.join(map(_safe, row))} |" for row in rows)


def _printable(text: str) -> str:
    """No control characters: a title or a label comes from a file and goes to a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _safe(text: str) -> str:
    return re.sub(r"([|\\`*_]|(?<=\])\()", r"\\\1", escape(_printable(text), quote=False))
