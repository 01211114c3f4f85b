import json
import re
from html import unescape

import pytest
from pages import finished, outline, places
from test_compare import study as runs_in

from specaug.errors import UserError
from specaug.study.comparing.compare import compare
from specaug.study.comparing.gathered import gathered
from specaug.study.page.report import Wanted, head, report
from specaug.study.tables.cells import scores
from specaug.study.tables.groups_table import Report, footer, sections
from specaug.study.tables.text_table import percent

NASTY = "</script><img src=x onerror=alert(1)><!--<script>"
ALL = Wanted(None, 6, 3)


def block(found, name):
    (text,) = found.texts("script", id=name)
    return json.loads(text)


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    return finished(tiny, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def path(tiny, folder):
    return report([folder], folder.parent / "page.html", places(tiny, folder.parent), ALL)


@pytest.fixture(scope="module")
def found(path):
    return outline(path)


def test_the_headings_say_what_is_where_and_the_contents_lead_there(found):
    assert found.texts("h1") == ["Tones (synthetic speech)"]
    titles = ["Error rates", "Differences", "Training", "For whom", "What was hidden", "Utterances"]
    assert found.texts("h2") == titles
    links = [a["href"] for tag, a, _ in found.elements if tag == "a"]
    ids = [a["id"] for tag, a, _ in found.elements if tag == "section"]
    assert links == [f"#{name}" for name in ids]


def test_every_number_of_the_comparison_is_in_its_cell(found, folder):
    compared = compare([folder])
    cells = set(found.texts("td"))
    for part in compared.parts:
        for row in scores(compared, part, None):
            assert set(row) <= cells | set(found.texts("th"))
        for row in compared.rows:
            rate = percent(row.scores[part.name].wer.value)
            assert any(cell.startswith(rate) for cell in cells)


def test_the_differences_drawn_are_those_of_the_comparison(found, folder):
    drawn = block(found, "Differences-to-the-baseline-figure")["data"]
    expected = [
        one.difference
        for part in compare([folder]).parts
        for row in compare([folder]).rows
        if (one := row.scores[part.name]).difference
    ]
    assert [trace["x"][0] for trace in drawn] == pytest.approx([100 * one.value for one in expected])
    for trace, one in zip(drawn, expected, strict=True):
        if one.low is None:  # the same errors everywhere
            assert "error_x" not in trace
            continue
        assert trace["x"][0] + trace["error_x"]["array"][0] == pytest.approx(100 * one.high)
        assert trace["x"][0] - trace["error_x"]["arrayminus"][0] == pytest.approx(100 * one.low)


def test_every_utterance_and_every_hypothesis_is_there(found, folder):
    index = block(found, "index")
    tested = index["tested"]
    assert len(index["ids"]) == tested + 4  # those trained on
    for number, (policy, seed, _, drawn, epochs) in enumerate(index["runs"]):
        label = index["policies"][policy].replace(" ", "-")
        texts = block(found, f"run-{number}")["texts"]
        lines = (folder / f"{label}-{seed}" / "hypotheses.jsonl").read_text().splitlines()
        told = {row["id"]: row["hypothesis"] for row in map(json.loads, lines)}
        for place in range(tested):
            text = index["references"][place] if texts[place] == 0 else texts[place][0]
            assert told[index["ids"][place]] == text
        assert (drawn, epochs) == (3, 4)


def test_those_that_can_be_heard_are_those_picked_and_some_of_training(found):
    index = block(found, "index")
    assert index["heard"] == list(range(8))  # four tested, four trained on
    for place in index["heard"]:
        sound = block(found, f"sound-{place}")
        assert sound["audio"].startswith("data:audio/mpeg;base64,")
        assert all(len(block(found, f"run-{n}")["draws"][str(place)]) == 3 for n in range(len(index["runs"])))
    assert [index["parts"][index["part"][place]] for place in range(4, 8)] == ["train"] * 4
    assert "8 utterances that can be seen and heard: 4 of those that runs were tested on" in index["note"]


def test_controls_have_labels(found):
    labelled = {text.split(" ")[0] for text in found.texts("label")}
    assert {"Policy", "Part", "Speaker", "Errors", "Order", "Words", "Seed", "Epoch"} <= labelled
    controls = [tag for tag, _, _ in found.elements if tag in ("select", "input")]
    assert len(controls) == len(found.texts("label"))


def test_groups_and_gaps_are_there(found):
    assert "By speaker" in found.texts("summary")
    assert "By loudness" in found.texts("summary")
    assert {"loud", "soft"} <= set(found.texts("td"))


def test_for_whom_says_what_the_table_by_a_column_says(found, folder):
    report = Report.of(gathered([folder]), ["loudness"])
    told = [
        text
        for _, tables, _ in sections(report, wide=True)
        for table, _ in tables
        for row in table
        for text in row
    ]
    assert set(told) <= {*found.texts("td"), *found.texts("th")}
    assert {heading for heading, _, _ in sections(report)} <= set(found.texts("h3"))
    assert "dev by loudness (used for choosing, not for reporting): " in " ".join(found.texts("h3"))
    assert set(footer(report)) <= set(found.texts("li"))


def test_columns_that_group_alike_are_told_once(found):
    assert "By words" in found.texts("summary")
    assert "By length" not in found.texts("summary")


def test_text_of_the_data_becomes_no_element(tiny, tmp_path):
    tags = {tag for tag, _, _ in outline(report_of(tiny, tmp_path / "a")).elements}
    page = report_of(tiny, tmp_path / "b", said=NASTY)
    nasty = outline(page)
    assert {tag for tag, _, _ in nasty.elements} == tags
    texts = [text for n in range(4) for text in block(nasty, f"run-{n}")["texts"] if text]
    assert NASTY in {text[0] for text in texts}


def report_of(tiny, folder, **said):
    folder.mkdir()
    runs = finished(tiny, folder, seeds=(0, 1), **said)
    return report([runs], folder / "page.html", places(tiny, folder), Wanted(None, 2, 2))


def test_the_caption_says_that_there_are_intervals_only_where_they_are_drawn(tiny, found, tmp_path):
    two = outline(report_of(tiny, tmp_path / "two"))
    drawn = block(two, "Differences-to-the-baseline-figure")["data"]
    assert not any("error_x" in trace for trace in drawn)
    (told,) = [text for text in two.texts("figcaption") if "Holm" in text]
    assert told.startswith("Without 95 % intervals, for which there are too few seeds (3 at least)")
    (told,) = [text for text in found.texts("figcaption") if "Holm" in text]
    assert told.startswith("With 95 % intervals; to the left of the line is what is better.")


def test_labels_and_titles_are_text(tiny, tmp_path):
    overrides = ["policies=[None, {name: LD, label: '<b>LD</b>'}]"]
    runs = finished(tiny, tmp_path, seeds=(0,), overrides=overrides)
    found = outline(report([runs], tmp_path / "page.html", places(tiny, tmp_path), Wanted(None, 2, 2)))
    assert "<b>LD</b>" in found.texts("td")
    assert "b" not in {tag for tag, _, _ in found.elements}
    names = [trace["name"] for trace in block(found, "WER-on-dev-by-epoch-figure")["data"] if "name" in trace]
    assert [unescape(name) for name in names] == ["None", "<b>LD</b>"]


def test_without_the_corpus_texts_are_shown_and_the_reason_said(tmp_path):
    runs = runs_in(tmp_path / "runs")
    page = report([runs], tmp_path / "page.html", places(tmp_path, tmp_path), ALL)
    found = outline(page)
    index = block(found, "index")
    assert index["heard"] == []
    assert re.match(r"Texts only: .*recipe\.yaml: unknown corpus 'toy'", index["note"])
    assert "Training" not in found.texts("h2")  # these runs kept no curves
    assert len(block(found, "run-0")["texts"]) == len(index["ids"]) / 2  # of two folds


def test_where_every_utterance_is_too_short_to_be_seen_that_is_said(tiny, tmp_path):
    runs = finished(tiny, tmp_path, seeds=(0,), overrides=["features.window=1.0"])
    index = block(outline(report([runs], tmp_path / "page.html", places(tiny, tmp_path), ALL)), "index")
    assert index["note"] == "Texts only: no file could be read as sound of at least one window."


def test_none_can_be_asked_for(tiny, folder, tmp_path):
    wanted = Wanted("LD x 0.1", 0, 3)
    found = outline(report([folder], tmp_path / "page.html", places(tiny, tmp_path), wanted))
    index = block(found, "index")
    assert (index["heard"], index["baselines"]) == ([], [1, 1])
    assert index["note"] == "Texts only: none was asked for."
    assert not (tmp_path / "cache").exists()


def test_where_there_is_no_run_nothing_is_written(tiny, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no finished run"):
        report([tmp_path / "empty"], tmp_path / "page.html", places(tiny, tmp_path), ALL)
    assert not (tmp_path / "page.html").exists()


@pytest.mark.slow
def test_twenty_runs_of_four_hundred_long_utterances_stay_below_fifteen_megabytes(tmp_path):
    from big import big

    page = big(tmp_path)
    assert page.stat().st_size < 15_000_000
    index = block(outline(page), "index")
    assert (len(index["runs"]), index["tested"], len(index["heard"])) == (20, 400, 28)


def test_a_network_that_began_in_several_ways_is_named_once_at_the_head(root):
    comparison = compare([root / "docs" / "results" / "fsdd-keywords-pretrained"])
    assert len(comparison.systems) == 6
    assert head(comparison).count("488,554 parameters") == 1
