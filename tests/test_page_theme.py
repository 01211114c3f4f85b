import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import outline

from specaug.errors import UserError
from specaug.study.page.theme import division, embedded, plain, put, tabled, whole

NASTY = "</script><script>alert(1)</script><!--<script>"


@given(st.text())
def test_a_value_comes_out_of_a_page_as_it_went_in(text):
    (told,) = outline(embedded("x", {"text": text + NASTY})).texts("script", id="x")
    assert json.loads(told) == {"text": text + NASTY}


def test_no_text_in_a_value_starts_or_ends_an_element():
    assert [tag for tag, _, _ in outline(embedded("x", [NASTY])).elements] == ["script"]


def test_what_is_no_number_is_refused_since_no_browser_reads_it():
    with pytest.raises(ValueError, match="not JSON compliant"):
        embedded("x", float("nan"))


def test_a_figure_has_a_name_for_those_who_do_not_see_it_and_its_height_before_it_is_drawn():
    found = outline(division('WER "of" <LD>', plain([], "x", NASTY, 320)))
    (tag, attributes, _), (script, block, _) = found.elements
    assert (tag, attributes["aria-label"], attributes["style"]) == ("div", 'WER "of" <LD>', "height: 320px")
    assert (script, block["id"]) == ("script", f"{attributes['id']}-figure")
    layout = json.loads(found.texts("script")[0])["layout"]
    assert layout["yaxis"]["title"]["text"] == NASTY


def test_the_first_row_of_a_table_heads_its_columns():
    found = outline(tabled([["a", "b"], ["1", "2"]]))
    assert found.texts("th", scope="col") == ["a", "b"]
    assert found.texts("td") == ["1", "2"]
    assert found.texts("td", **{"class": "left"}) == ["1"]


def test_a_page_asks_for_nothing_and_is_not_allowed_to():
    page = whole("A <title>", ["<h1>A</h1>"])
    found = outline(page)
    (policy,) = (a["content"] for _, a, _ in found.elements if "http-equiv" in a)
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy
    assert not found.attribute("src") + found.attribute("href")
    assert found.texts("title") == ["A <title>"]
    assert ("html", {"lang": "en"}) in [(tag, attributes) for tag, attributes, _ in found.elements]


def test_a_page_that_cannot_be_written_is_a_mistake_of_the_user_and_leaves_nothing(tmp_path):
    (tmp_path / "page.html").mkdir()
    with pytest.raises(UserError, match=r"page\.html: .*expected a file"):
        put("text", tmp_path / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert put("text", tmp_path / "deep" / "page.html").read_text(encoding="utf-8") == "text"
