import re
from html import escape

import numpy as np
import pytest
from searched import SPACE, plan_of, searched
from test_compare import study as confirm_runs

from specaug.errors import UserError
from specaug.study.comparing.compare import compare
from specaug.study.sweep.book import listing
from specaug.study.sweep.diagnosis import Agreement
from specaug.study.sweep.figures import pruning, response
from specaug.study.sweep.findings import drawn, findings
from specaug.study.sweep.options import Axis
from specaug.study.sweep.page import report, score_row, spelled
from specaug.study.sweep.response import Curve
from specaug.study.tables.cells import scores

NASTY = "<img src=x onerror=alert(1)>|F_1"
PLOTLY = '<script type="text/plain" id="plotly">'
FAILED, PRUNED, UNTIL = (6,), (8,), 22


@pytest.fixture(scope="module")
def plan():
    return plan_of(24)


@pytest.fixture(scope="module")
def study(plan, tmp_path_factory):
    return searched(tmp_path_factory.mktemp("study"), plan, failing=FAILED, pruned=PRUNED, until=UNTIL)


@pytest.fixture(scope="module")
def found(study, plan):
    return findings(study, plan)


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory):
    return [confirm_runs(tmp_path_factory.mktemp("confirm"), folds=1)]


@pytest.fixture(scope="module")
def page(study, plan, found, confirmed, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "deep" / "page.html"
    assert report(study, plan, confirmed, out, found) == out
    return out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def body(page):
    return page[page.index("<body>") : page.index(PLOTLY)]


def test_the_page_asks_for_nothing_from_elsewhere_and_is_below_six_megabytes(page):
    assert len(page.encode()) < 6_000_000
    own = page[: page.index(PLOTLY)] + page[page.rindex("<script") :]
    assert not re.search(r"<(script|img|link|iframe)[^>]*(src|href)=", own)
    assert "cdn" not in own
    assert "@import" not in own
    assert "default-src 'none'" in own


def test_the_page_is_the_same_again(study, plan, found, confirmed, page, tmp_path):
    again = report(study, plan, confirmed, tmp_path / "again.html", found)
    assert again.read_text(encoding="utf-8") == page
    assert [path.name for path in tmp_path.iterdir()] == ["again.html"]


def test_the_head_says_what_was_searched_and_how_far_it_is(body):
    for said in (
        "24: 20 finished, 1 pruned, 1 failed, 2 under way or waiting",
        "random, seed 0; pruner none",
        "WER on dev, pooled over seeds 0",
        "<td>policy None</td>",
        "3 to 27 in steps of 3; only where m_F &gt; 0",
        "0.1 or 0.2 or 0.5 or 1.0; only where m_T &gt; 0",
    ):
        assert said in body
    assert "hides" not in body  # how much depends on lengths of utterances, which a sweep does not know


def test_synthetic_speech_is_called_so_before_any_run_confirms(found, tmp_path):
    assert "synthetic speech" in found.corpus
    plan = plan_of(2, synthetic=False)
    real = findings(searched(tmp_path, plan), plan)
    assert real.corpus == "Read speech"


def test_the_title_is_that_of_the_confirm_runs_where_there_are_some(body, confirmed):
    assert f"<td>{escape(compare(confirmed).title)}</td>" in body


def test_why_a_trial_failed_is_said_and_escaped(body):
    assert "trial 6 failed (bug): &lt;b&gt;KeyError&lt;/b&gt;: 1 &amp; 2" in body


def test_no_text_of_the_data_becomes_a_tag(tmp_path):
    plan = plan_of(3)
    page = report(searched(tmp_path, plan, label=NASTY), plan, [], tmp_path / "page.html").read_text()
    body = page[page.index("<body>") : page.index(PLOTLY)]
    assert "<img" not in body
    assert escape(NASTY) in body


def test_the_line_is_the_best_so_far_and_every_finished_trial_is_a_dot(found):
    line, trials, first = drawn(found)["history"].data
    slots = [slot for slot in range(UNTIL) if slot not in (*FAILED, *PRUNED)]
    values = {trial.user_attrs["slot"]: 100 * trial.value for trial in found.now.finished}
    assert list(trials.x) == slots
    assert list(trials.y) == pytest.approx([values[slot] for slot in slots])
    best, so_far = [], 1e9
    for slot in slots:
        so_far = min(so_far, values[slot])
        best.append(so_far)
    assert list(line.y) == pytest.approx(best)
    assert set(first.x) <= set(slots)


def test_trials_and_epochs_are_counted_in_whole_numbers(found):
    assert drawn(found)["history"].layout.xaxis.tickvals == (-5, 0, 5, 10, 15, 20, 25)
    told = [Agreement(epoch, 0.5, 0.5, 0.4, 0.6) for epoch in (2, 4, 6)]
    assert pruning(told).layout.xaxis.tickvals == (1, 2, 3, 4, 5, 6, 7)


def test_an_axis_of_logarithms_has_numbers(found):
    curve = Curve("F", (0.2, 8.0), *np.array([[0.2, 0.3], [0.1, 0.2], [0.3, 0.4]]))
    shown = response(curve, Axis(low=0.2, high=8.0, log=True), [], found.metric).layout.xaxis
    assert (shown.type, shown.ticktext) == ("log", ("0.2", "0.5", "1", "2", "5"))


def test_the_first_policies_are_marked_by_name(found):
    assert dict(list(found.first.items())[:3]) == {0: "None", 1: "LB", 2: "LD"}
    notes = {note.x: note.text for note in drawn(found)["history"].layout.annotations}
    assert notes == {slot: name for slot, name in found.first.items() if slot < UNTIL}


def test_hovering_says_the_policy(found):
    for trial, text in zip(
        sorted(found.now.finished, key=lambda one: one.number),
        drawn(found)["history"].data[1].text,
        strict=True,
    ):
        assert trial.user_attrs["policy"] in text


def test_each_symbol_has_its_curve_and_the_one_that_matters_is_seen(found):
    assert {curve.symbol for curve in found.curves} == set(SPACE)
    assert {f"response to {symbol}" for symbol in SPACE} <= set(drawn(found))
    assert found.important[0].symbol == "m_F"
    assert found.important[0].seen


def test_the_best_policies_stand_first_with_runs_and_time(found, body):
    score = found.now.scores[0]
    policy, rate, sure, trials, hidden, seconds, runs = score_row(score)
    assert (policy, rate) == (score.policy, f"{100 * score.value:.2f}")
    assert (sure, trials, hidden, seconds) == ("one run", "1", "25.0", "62")
    assert re.fullmatch(r"[0-9a-f]{8}", runs)
    assert body.index(f">{runs}<") < body.index(score_row(found.now.scores[1])[-1])


def test_the_winner_and_the_comparison_of_the_confirm_runs_are_there(body, confirmed):
    assert "winner, by the confirm runs on dev alone: LD" in body
    compared = compare(confirmed)
    for part in compared.parts:
        for cell in (cell for row in scores(compared, part, None) for cell in row):
            assert f">{escape(cell)}</t" in body


def test_without_confirm_runs_the_page_says_that_the_best_is_flattered(study, plan, found, tmp_path):
    page = report(study, plan, [], tmp_path / "page.html", found).read_text(encoding="utf-8")
    assert "No run confirms the search yet" in page


def test_the_diagnosis_of_pruning_is_there(body):
    assert re.search(r"pruning (is safe from epoch \d|is not safe here)", body)


def test_of_few_trials_the_page_says_that_nothing_can_be_said(tmp_path):
    plan = plan_of(7)
    study = searched(tmp_path, plan)
    page = report(study, plan, [], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Nothing can be said of fewer than 8 finished trials." in page


def test_a_study_without_a_finished_trial_is_refused_with_what_to_do(tmp_path):
    plan = plan_of(3)
    study = searched(tmp_path, plan, failing=(0, 1), until=2)
    with pytest.raises(UserError, match=r"none of its 3 trials is finished; .*sweep status widths"):
        report(study, plan, [], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_a_study_that_searches_nothing_is_refused(study, plan, tmp_path):
    with pytest.raises(UserError, match="expected one that searches"):
        report(study, listing("a", plan.recipe), [], tmp_path / "page.html")


def test_a_page_that_cannot_be_written_is_a_mistake_of_the_user(study, plan, found, tmp_path):
    (tmp_path / "page.html").mkdir()
    with pytest.raises(UserError, match=r"page\.html: .*expected a file"):
        report(study, plan, [], tmp_path / "page.html", found)


@pytest.mark.parametrize(
    ("symbol", "axis", "said"),
    [
        ("T", Axis(hides=0.15), "follows: the width that hides 15% of the frames"),
        ("p", Axis(low=0.1, high=1.0, log=True), "0.1 to 1.0, as its logarithm"),
    ],
)
def test_an_axis_is_said_in_words(symbol, axis, said):
    assert spelled(symbol, axis) == said
