"""For whom: the error rates of each policy by groups of the utterances, and the gaps between the groups."""

from html import escape
from itertools import chain

from specaug.errors import UserError
from specaug.study.comparing.gathered import Gathered, gathered_from
from specaug.study.comparing.groups import ALL, Grouped, GroupedPart, grouped
from specaug.study.comparing.reading import Reading
from specaug.study.page.rates import listed
from specaug.study.page.theme import Table, tabled
from specaug.study.stats.statistics import NO_DIFFERENCE, Difference
from specaug.study.tables.text_table import percent, printable

FIRST = "speaker"
MOST = 24  # values of a column that is shown without being asked for


def whom(reading: Reading) -> list[str]:
    """The groups of each column that divides the utterances into a few, the first of them opened."""
    try:
        found = gathered_from(reading)
    except UserError as error:
        return [f"<p>{escape(str(error))}</p>"]
    lines: list[str] = []
    for column in columns(found):
        try:
            shown = "".join(grouping(grouped(found, column)))
        except UserError as error:  # as where there are very many speakers
            shown = f"<p>{escape(str(error))}</p>"
        opened = "" if lines else " open"
        lines.append(f"<details{opened}><summary>By {escape(printable(column))}</summary>{shown}</details>")
    return lines or ["<p>No column of the manifest divides the utterances into groups.</p>"]


def columns(found: Gathered) -> list[str]:
    """The columns with more than one value and not too many: the speaker, then the manifest's."""
    names = dict.fromkeys([FIRST, *chain.from_iterable(part.columns for part in found.parts)])
    return [name for name in names if name == FIRST or divides(found, name)]


def divides(found: Gathered, column: str) -> bool:
    """Whether a column has a few values, or numbers (which are put into bins)."""
    values = set(chain.from_iterable(part.columns.get(column, ()) for part in found.parts)) - {None}
    numbers = all(isinstance(value, int | float) for value in values)
    return len(values) > 1 and (numbers or len(values) <= MOST)


def grouping(one: Grouped) -> list[str]:
    """The tables of one column, part by part, and what is to be said of them."""
    lines = []
    for part in one.parts:
        lines += [f"<h3>{escape(part.name)}</h3>", tabled(rates(part, one.baseline), "groups")]
        if part.gaps:
            lines.append(tabled(gaps(part, one.baseline), "gaps"))
    return [*lines, listed(f"Note: {note}." for note in one.notes)] if one.notes else lines


def rates(part: GroupedPart, baseline: str) -> Table:
    """A row per group: its size, the rates, and the differences to the baseline."""
    labels = list(part.scores[ALL])
    others = [label for label in labels if label != baseline]
    header = ["group", "words", "speakers", *labels]
    header += [f"{label} minus {baseline} [95\u00a0%]" for label in others]
    rows = [header]
    for facts in part.groups:
        scores = part.scores[facts.name]
        cells = [facts.name, f"{facts.words:,}", f"{facts.speakers}"]
        cells += [percent(scores[label].wer.value) for label in labels]
        contrasts = [scores[label].contrast for label in others]
        rows.append(cells + ["" if one is None else difference(one.difference) for one in contrasts])
    return [[escape(printable(text)) for text in row] for row in rows]


def gaps(part: GroupedPart, baseline: str) -> Table:
    """A row per policy: its best and worst group, what lies between, and whether that is wider."""
    rows = [["policy", "best", "worst", "gap", f"minus that of {baseline} [95 %]"]]
    for label, gap in part.gaps.items():
        change = "" if gap.change is None else difference(gap.change)
        rows.append([label, gap.best, gap.worst, percent(gap.value), change])
    return [[escape(printable(text)) for text in row] for row in rows]


def difference(given: Difference) -> str:
    """A difference with its interval, and its verdict where there is one."""
    interval = "" if given.low is None else f" [{percent(given.low, '+')}, {percent(given.high, '+')}]"
    said = f" {given.verdict}" if given.verdict not in (None, NO_DIFFERENCE) else ""
    return f"{percent(given.value, '+')}{interval}{said}"
