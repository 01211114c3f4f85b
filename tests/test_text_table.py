import html
import re

from hypothesis import given
from hypothesis import strategies as st

from specaug.study.tables.text_table import aligned, percent, piped, printable, safe

TEXTS = st.text(max_size=12)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(TEXTS, min_size=width, max_size=width), min_size=2, max_size=5)
)


@given(TEXTS)
def test_what_is_printed_has_one_line_as_many_characters_and_nothing_that_steers_a_terminal(text):
    shown = printable(text)
    assert len(shown) == len(text)
    assert shown.isprintable() or shown == ""
    assert all(
        one == other or other == "\N{REPLACEMENT CHARACTER}" for one, other in zip(text, shown, strict=True)
    )
    assert printable("\x1b[31m\u202e\n\r\u2028\x85") == "\ufffd[31m" + 5 * "\ufffd"


@given(TEXTS)
def test_what_markdown_shows_is_the_text_itself(text):
    shown = html.unescape(re.sub(r"\\([|\\`*_(])", r"\1", safe(text)))
    assert shown == printable(text)
    assert not re.search(r"(?<!\\)(\\\\)*[|`*_<>]", safe(text).replace("&lt;", "").replace("&gt;", ""))


def test_markdown_makes_no_link_of_text():
    assert safe("[a](http://b)") == r"[a]\(http://b)"


@given(TABLES)
def test_a_table_of_markdown_has_its_rows_and_columns_whatever_the_cells_say(table):
    lines = piped(table).split("\n")
    assert len(lines) == len(table) + 1
    assert len(piped(table).splitlines()) == len(lines)
    for line in lines:
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == len(table[0]) + 1


@given(TABLES, st.integers(1, 4))
def test_columns_of_text_are_under_each_other(table, left):
    lines = aligned(table, left).split("\n")
    assert len(lines) == len(table)
    assert len(aligned(table, left).splitlines() or [""]) <= len(table)
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    for row, line in zip(table, lines, strict=True):
        start = 0
        for i, (cell, width) in enumerate(zip(row, widths, strict=True)):
            shown = line[start : start + width].ljust(width)
            expected = printable(cell).ljust(width) if i < left else printable(cell).rjust(width)
            if i < len(widths) - 1 or table[0][i] not in ("verdict", "symbols"):
                assert shown == expected
            start += width + 2


def test_the_first_columns_and_a_verdict_are_to_the_left():
    table = [["a", "b", "verdict"], ["1", "22", "x"], ["333", "4", "yy"]]
    assert aligned(table).splitlines() == ["a     b  verdict", "1    22  x", "333   4  yy"]
    assert aligned(table, 2).splitlines() == ["a    b   verdict", "1    22  x", "333  4   yy"]


def test_only_the_cells_that_are_named_are_bold():
    assert piped([["a", "b"], ["*", "2"], ["3", "4"]], 2, {(1, 0), (2, 1)}).splitlines() == [
        "| a | b |",
        "| --- | --- |",
        r"| **\*** | 2 |",
        "| 3 | **4** |",
    ]


def test_a_share_is_printed_in_percent_and_none_as_a_dash():
    assert [
        percent(0.12345),
        percent(0.5, "+"),
        percent(-0.5, "+"),
        percent(None),
        percent(float("nan")),
    ] == (["12.35", "+50.00", "-50.00", "-", "-"])
