"""For whom: the error rates of each policy by groups of the utterances, and the gaps between the groups."""

from html import escape
from itertools import chain

from specaug.errors import UserError
from specaug.speech.manifest import Value
from specaug.study.comparing.bins import group_names
from specaug.study.comparing.gathered import Gathered, gathered_from
from specaug.study.comparing.reading import Reading
from specaug.study.page.rates import escaped, listed
from specaug.study.tables.groups_table import Report, footer, sections
from specaug.study.tables.text_table import printable

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
            shown = grouping(Report.of(found, [column]))
        except UserError as error:  # as where there are very many speakers
            shown = f"<p>{escape(str(error))}</p>"
        opened = "" if lines else " open"
        lines.append(f"<details{opened}><summary>By {escape(printable(column))}</summary>{shown}</details>")
    return lines or ["<p>No column of the manifest divides the utterances into groups.</p>"]


def columns(found: Gathered) -> list[str]:
    """The columns with more than one value and not too many, each grouping in another way: the speaker, then the manifest's."""
    names = dict.fromkeys([FIRST, *chain.from_iterable(part.columns for part in found.parts)])
    kept: dict[tuple[int, ...], str] = {}
    for name in names:
        if name == FIRST or divides(found, name):
            kept.setdefault(grouped_alike(found, name), name)
    return list(kept.values())


def divides(found: Gathered, column: str) -> bool:
    """Whether a column has a few values, or numbers (which are put into bins)."""
    values = set(values_of(found, column)) - {None}
    numbers = all(isinstance(value, int | float) for value in values)
    return len(values) > 1 and (numbers or len(values) <= MOST)


def grouped_alike(found: Gathered, column: str) -> tuple[int, ...]:
    """For each utterance the first that is in its group: the same for columns that group alike."""
    first: dict[str, int] = {}
    names = group_names(values_of(found, column))
    return tuple(first.setdefault(name, place) for place, name in enumerate(names))


def values_of(found: Gathered, column: str) -> list[Value]:
    """The values of a column in all parts."""
    return list(chain.from_iterable(part.column(column).values for part in found.parts))


def grouping(report: Report) -> str:
    """The tables of one column, part by part, and what is to be said of them."""
    lines = []
    for heading, tables, _ in sections(report, wide=True):
        lines += [f"<h3>{escape(printable(heading))}</h3>", *(escaped(table, left) for table, left in tables)]
    return "".join([*lines, listed(footer(report))])
