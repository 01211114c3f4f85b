import csv
import io
import re

import pytest

from specaug.study.tables.plain_table import FORMATS, Plain
from specaug.study.tables.text_table import printable

EVIL = '<b>a|b\t\x1b[31m\n,"c" \'*'
TOLD = Plain(f"Title {EVIL}", [("name", "n"), (EVIL, "1"), ("b", "22")], 1, ["About it.", f"Note: {EVIL}"])


@pytest.mark.parametrize("form", FORMATS)
def test_no_text_steers_a_terminal_or_breaks_a_line(form):
    shown = FORMATS[form](TOLD)
    ends = {"tsv": "\t\n", "csv": "\r\n"}.get(form, "\n")
    assert all(sign.isprintable() or sign in ends for sign in shown)
    if form == "markdown":
        assert "<" not in shown


def test_tabs_and_commas_separate_the_same_values():
    rows = list(csv.reader(io.StringIO(FORMATS["csv"](TOLD), newline="")))
    lines = [line for line in FORMATS["tsv"](TOLD).splitlines() if not line.startswith("# ")]
    assert [line.split("\t") for line in lines] == [row[:-1] for row in rows]
    assert [row[-1] for row in rows] == ["about", *[printable(TOLD.headline)] * 2]


@pytest.mark.parametrize("form", ["text", "markdown", "tsv"])
def test_what_stands_around_the_table_is_told_but_in_csv(form):
    shown = FORMATS[form](TOLD)
    assert [bool(re.search(rf"^\W*{word}", shown, re.M)) for word in ("Title", "About it.", "Note:")] == [
        True
    ] * 3
    assert "About it" not in FORMATS["csv"](TOLD)
