"""For whom, and in which words: groups and confusions as text for a terminal, as Markdown, TSV and CSV."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from specaug.errors import UserError
from specaug.study.comparing.bins import ALL, GAP
from specaug.study.comparing.gathered import Gathered
from specaug.study.comparing.groups import (
    GAP_WORDS,
    Grouped,
    GroupedPart,
    GroupFacts,
    GroupScore,
    grouped,
)
from specaug.study.comparing.measures import Measure
from specaug.study.comparing.words import Changed, changed
from specaug.study.plural import counted
from specaug.study.stats.statistics import MIN_SEEDS, MIN_UNITS, NO_DIFFERENCE, Difference
from specaug.study.tables import words_table
from specaug.study.tables.cells import bounds, rate
from specaug.study.tables.plain_table import about, comma_separated
from specaug.study.tables.remarks import left_out
from specaug.study.tables.text_table import Table, aligned, exact, filled, percent, piped, printable, safe
from specaug.study.tables.words_table import Told, one_line

COLUMNS = (
    "column part group policy utterances words speakers units unit wer wer_low wer_high "
    "difference difference_low difference_high p p_holm verdict agreeing seeds best worst baseline"
)
RANKED = (
    "mAP is not told by group: the score of a class ranks the utterances of all groups together, and a group may lack "
    "classes or be one."
)


@dataclass(frozen=True, eq=False, slots=True)
class Report:
    """What is asked of some runs: the groups of some columns, and words where they are wanted."""

    found: Gathered
    groups: Sequence[Grouped]
    words: Sequence[Changed]

    @classmethod
    def of(cls, found: Gathered, columns: Sequence[str], words: int = 0) -> "Report":
        """By each of `columns`, and with at most so many words and confusions; 0 for none."""
        by = [grouped(found, column) for column in dict.fromkeys(columns)]
        told = changed(found, words) if words else []
        if words and not told:
            raise UserError(
                f"no policy shares a seed with {found.baseline}; expected one whose words can be compared"
            )
        return cls(found, by, told)


def as_text(report: Report) -> str:
    """Aligned plain text, at most 110 columns wide where names and labels are not long."""
    blocks = [printable(_headline(report))]
    for heading, tables, examples in sections(report):
        first, *rest = [aligned(table, left) for table, left in tables]
        blocks += [f"{printable(heading)}\n{first}", *rest]
        for where, texts in examples:
            width = max(len(name) for name, _ in texts)
            lines = [where, *(f"  {name:{width}}  {text}" for name, text in texts)]
            blocks.append("\n".join(map(printable, lines)))
    lines = [printable(line) for line in footer(report)]
    blocks.append(filled(lines))
    return "\n\n".join(blocks) + "\n"


def as_markdown(report: Report) -> str:
    """Markdown with the same tables; text from the data is escaped."""
    blocks = [f"**{safe(_headline(report))}**"]
    for heading, tables, examples in sections(report, wide=True):
        blocks += [safe(heading), *(piped(table, left) for table, left in tables)]
        lines = [f"- {safe('; '.join((where, *map(': '.join, texts))))}" for where, texts in examples]
        blocks += ["\n".join(lines)] if lines else []
    blocks.append("\n".join(f"- {safe(line)}" for line in footer(report)))
    return "\n\n".join(blocks) + "\n"


def as_tsv(report: Report) -> str:
    """A table of the groups and one of the words, each under its header; lines that start with # are remarks."""
    lines = [f"# {printable(_headline(report))}"]
    lines += ["\t".join(map(printable, row)) for table in _tables(report) for row in table]
    return "\n".join(lines + [f"# {printable(line)}" for line in footer(report)]) + "\n"


def as_csv(report: Report) -> str:
    """The same tables separated by commas (RFC 4180), and nothing else: every line says in `about` what it is of."""
    return comma_separated(row for table in _tables(report) for row in about(table, _headline(report)))


FORMATS: dict[str, Callable[[Report], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "tsv": as_tsv,
    "csv": as_csv,
}


def _tables(report: Report) -> Iterator[list[list[str]]]:
    """The values of the groups and those of the words, each under its header."""
    if report.groups:
        rows = [row for by in report.groups for part in by.parts for row in _values(by, part)]
        header = COLUMNS.split()
        if report.found.measure.right:  # what is in the terminal is in the file as well
            header = [*header, report.found.measure.name]
            place = header.index("wer")
            rows = [[*row, "" if row[2] == GAP else exact(100 - float(row[place]))] for row in rows]
        yield [header, *([one_line(cell) for cell in row] for row in rows)]
    if report.words:
        rows = [row for change in report.words for row in words_table.values(change)]
        yield [words_table.COLUMNS.split(), *([one_line(cell) for cell in row] for row in rows)]


def sections(report: Report, wide: bool = False) -> Iterator[tuple[str, list[tuple[Table, int]], list[Told]]]:
    """For every part its heading, its tables with how many of their columns stand to the left, and examples.

    Where it may be `wide`, a table also says how many of what are resampled in each group.
    """
    for by in report.groups:
        for part in by.parts:
            tables = [(_scores(by, part, report.found.measure, wide), 2)]
            if part.gaps:
                tables.append((_gaps(by, part), 3))
            yield _heading(by, part), tables, []
    for change in report.words:
        tables = [(words_table.words(change), 1), (words_table.confusions(change), 2)]
        yield words_table.heading(change), tables, words_table.examples(change)


def _headline(report: Report) -> str:
    asked = [f"{report.found.measure.shares} by {by.column}, in percent" for by in report.groups]
    return one_line(f"{report.found.title}: {'; '.join(asked + ['words'] * bool(report.words))}")


def _heading(by: Grouped, part: GroupedPart) -> str:
    use = " (used for choosing, not for reporting)" if part.choosing else ""
    whole = part.groups[0]
    return (
        f"{part.name} by {by.column}{use}: {counted(whole.words, 'word')} in "
        f"{counted(whole.utterances, 'utterance')}, {counted(len(part.groups) - 1, 'group')}"
    )


def _scores(by: Grouped, part: GroupedPart, measure: Measure, wide: bool) -> Table:
    sizes = ("words", "resampled")[: 1 + wide]
    told = f"{measure.name} [95 %]", f"minus {by.baseline} [95 %]"
    header = (by.column, "policy", *sizes, *told, "seeds", "verdict")
    rows = []
    for group in part.groups:
        for place, (label, score) in enumerate(part.scores[group.name].items()):
            size = (f"{group.words:,}", counted(group.units, group.unit.removesuffix("s")))[: 1 + wide]
            name, held = ("", [""] * len(size)) if place else (group.name, size)
            rows.append((name, label, *held, rate(measure.rate(score.wer)), *_contrast(score, measure)))
    return [header, *rows]


def _contrast(score: GroupScore, measure: Measure) -> tuple[str, str, str]:
    if score.contrast is None:
        return "", "", ""
    agreeing = f"{score.contrast.agreeing} of {score.contrast.seeds}"
    difference = measure.difference(score.contrast.difference)
    return _minus(difference), agreeing, _verdict(difference)


def _gaps(by: Grouped, part: GroupedPart) -> Table:
    header = ("policy", "best", "worst", "gap", f"minus {by.baseline} [95 %]", "verdict")
    return [header] + [
        (
            label,
            gap.best,
            gap.worst,
            percent(gap.value),
            *((_minus(gap.change), _verdict(gap.change)) if gap.change else ("", "")),
        )
        for label, gap in part.gaps.items()
    ]


def _minus(difference: Difference) -> str:
    return f"{percent(difference.value, '+')}{bounds(difference, '+')}"


def _verdict(difference: Difference) -> str:
    if difference.adjusted is None or difference.verdict is None:
        return "too few to say"
    if difference.verdict == NO_DIFFERENCE:
        return NO_DIFFERENCE
    shown = f"= {difference.adjusted:.3f}" if difference.adjusted >= 0.001 else "< 0.001"
    return f"{difference.verdict} (p {shown})"


def _values(by: Grouped, part: GroupedPart) -> Iterator[list[str]]:
    for group in part.groups:
        for label, score in part.scores[group.name].items():
            contrast = score.contrast
            counts = ["", ""] if contrast is None else [str(contrast.agreeing), str(contrast.seeds)]
            rates = [exact(rate, 100) for rate in (score.wer.value, score.wer.low, score.wer.high)]
            told = _judged(contrast.difference if contrast else None)
            yield [
                by.column,
                part.name,
                group.name,
                label,
                *_size(group),
                *rates,
                *told,
                *counts,
                "",
                "",
                by.baseline,
            ]
    for label, gap in part.gaps.items():
        start = [by.column, part.name, GAP, label, *[""] * 5, exact(gap.value, 100), "", ""]
        yield [*start, *_judged(gap.change), "", "", gap.best, gap.worst, by.baseline]


def _size(group: GroupFacts) -> list[str]:
    return [*map(str, (group.utterances, group.words, group.speakers, group.units)), group.unit]


def _judged(difference: Difference | None) -> list[str]:
    given = difference or Difference(math.nan)
    shares = (given.value, given.low, given.high)
    told = [*(exact(share, 100) for share in shares), exact(given.p), exact(given.adjusted)]
    return [*told, given.verdict or ""]


def footer(report: Report) -> list[str]:
    """What the numbers are, and what stands against them."""
    lines = [*_about_groups(report), *_about_gaps(report), *words_table.about(report.words)]
    notes = [note for by in report.groups for note in by.notes] + list(report.found.notes)
    return lines + left_out(report.found.unfinished, notes)


def _about_groups(report: Report) -> Iterator[str]:
    parts = [part for by in report.groups for part in by.parts]
    if not parts:
        return
    measure = report.found.measure
    if measure.right:
        yield RANKED
    yield (
        f"{measure.name}: mean over seeds; minus {report.found.baseline}: on the same seeds and utterances, "
        f"{measure.better}; seeds: in how many of them the difference has this sign."
    )
    if any(group.unit == "utterances" for part in parts for group in part.groups):
        yield (
            "[95 %]: seeds resampled together with speakers or, in a group of one speaker, with utterances: what is "
            "said of such a group holds for that voice, and need not for others like it."
        )
    else:
        yield "[95 %]: seeds resampled together with the speakers of the group."
    yield (
        f"Verdicts and p are corrected (Holm) for all groups of a column and all policies, part by part; {ALL} is judged by itself. "
        f"Too few to say: fewer than {MIN_SEEDS} common seeds, or {MIN_UNITS} speakers or utterances, or the same "
        "errors in all of them."
    )


def _about_gaps(report: Report) -> Iterator[str]:
    if any(part.gaps for by in report.groups for part in by.parts):
        ends = ("best", "worst") if report.found.measure.right else ("worst", "best")
        gap = f"the {ends[0]} group's {report.found.measure.name} minus the {ends[1]}'s"
        yield (
            f"Gap: {gap}, of groups of {GAP_WORDS} words and more. Chance alone "
            "makes a gap, so only its change is judged, corrected (Holm) for the policies. No difference seen does "
            "not say that there is none."
        )
