import sys

import pytest
from searched import plan_of, searched
from test_compare import study as confirm_runs

from specaug.study.page.theme import plain
from specaug.study.sweep.progress import standing
from specaug.study.sweep.push import note, push, to_dashboard, to_wandb

FIGURES = {"history": plain([], "x", "y", 100), "response to F": plain([], "x", "y", 100)}


@pytest.fixture(scope="module")
def plan():
    return plan_of(4)


@pytest.fixture
def study(plan, tmp_path):
    return searched(tmp_path, plan)


def attributes(study):
    return study._storage.get_study_system_attrs(study._study_id)


def test_the_dashboard_has_the_note_and_each_figure(study):
    (said,) = to_dashboard(study, FIGURES, [])
    assert "2 figures" in said
    known = str(attributes(study))
    assert note(study, []).splitlines()[0] in known
    assert "history" in known
    assert "response-to-F" in known


def test_pushing_twice_leaves_the_figures_of_the_second(study):
    to_dashboard(study, FIGURES, [])
    once = set(attributes(study))
    to_dashboard(study, FIGURES, [])
    assert set(attributes(study)) == once


def test_the_note_tells_the_best_first_and_then_the_confirm_runs(study, tmp_path):
    confirmed = [confirm_runs(tmp_path / "confirm", folds=1)]
    text = note(study, confirmed)
    best, second = standing(study).finished[:2]
    places = [text.index(trial.user_attrs["runs"][0]["run"][:8]) for trial in (best, second)]
    assert places == sorted(places)
    assert text.index("word error rates by policy") > places[1]


def test_text_of_the_data_does_not_break_the_note(plan, tmp_path):
    text = note(searched(tmp_path, plan, label="<b>|F_1*"), [])
    assert "&lt;b>\\|F\\_1\\*" in text


def test_without_the_dashboard_one_line_says_so(study, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    assert to_dashboard(study, FIGURES, []) == [
        "optuna-dashboard is not installed; the study has no note and no figures"
    ]


def test_where_w_and_b_is_disabled_it_is_left_alone(study, plan, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    said = push(study, plan, FIGURES, tmp_path / "runs")
    assert len(said) == 1
    assert not (tmp_path / "runs").exists()


def test_w_and_b_has_an_offline_run_with_figures_and_trials(study, plan, tmp_path, monkeypatch, records):
    monkeypatch.setenv("WANDB_MODE", "offline")
    (said,) = to_wandb(study, plan, FIGURES, tmp_path / "runs", online=False)
    assert "widths-sweep" in said
    (folder,) = (tmp_path / "runs" / "wandb").glob("offline-run-*")
    seen = records(folder)
    (run,) = [record["run"] for record in seen if record["type"] == "run"]
    assert (run["project"], run["job_type"]) == ("widths", "sweep")
    logged = str([record for record in seen if record["type"] == "history"])
    for name in (*FIGURES, "trials"):
        assert name in logged
    assert [record["exit"].get("exit_code", 0) for record in seen if record["type"] == "exit"] == [0]


def test_a_run_of_w_and_b_is_closed_where_a_figure_cannot_be_logged(study, plan, tmp_path, monkeypatch):
    import wandb

    monkeypatch.setenv("WANDB_MODE", "offline")
    with pytest.raises(ValueError, match="plotly"):
        to_wandb(study, plan, {"broken": 3}, tmp_path / "runs", online=False)
    assert wandb.run is None
