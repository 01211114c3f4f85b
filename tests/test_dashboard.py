import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import loopback
import pytest
from classifying import study as runs_of_classes
from test_compare import study

from specaug.cli.dashboard import add_dashboard
from specaug.errors import UserError
from specaug.study.comparing.compare import compare
from specaug.study.dashboard import push, subject, summary, table, workspace, written
from specaug.study.tables.table import as_markdown, as_tsv


def dashboard(*words: str) -> int:
    """The verb alone."""
    parser = argparse.ArgumentParser()
    add_dashboard(parser.add_subparsers())
    given = parser.parse_args(["dashboard", *words])
    return given.verb(given)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    return study(tmp_path_factory.mktemp("digits") / "digits")


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A home where nobody is logged in."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "SPECAUG_RUNS", "WANDB_ENTITY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    return tmp_path


def test_a_folder_is_the_project_of_its_name_with_the_parts_that_it_was_tested_on(runs):
    about = subject(str(runs))
    assert (about.project, about.parts, about.runs) == ("digits", ("unseen",), (runs,))


def test_parts_that_no_run_was_tested_on_make_no_panels(runs):
    assert subject(str(runs), ["unseen"]).parts == ("unseen",)
    with pytest.raises(UserError, match=r"has no part 'unsen'; did you mean 'unseen'\?"):
        subject(str(runs), ["unseen", "unsen"])


def test_a_projects_runs_are_found_where_runs_are_written(runs, monkeypatch):
    monkeypatch.setenv("SPECAUG_RUNS", str(runs.parent))
    assert subject("digits").parts == ("unseen",)


def test_a_project_whose_runs_are_elsewhere_has_the_parts_that_are_said(home, monkeypatch):
    monkeypatch.chdir(home)
    assert subject("other").parts == ("test",)
    assert subject("other", ["test-clean", "test-other"]).parts == ("test-clean", "test-other")


def test_a_folder_that_is_not_there_is_no_project(home):
    with pytest.raises(UserError, match="no such folder"):
        subject(str(home / "nothing"))


@pytest.fixture
def sections(runs) -> dict[str, list[dict]]:
    pytest.importorskip("wandb_workspaces")
    told = json.loads(written(workspace(subject(str(runs)), "me")))
    bank = told["spec"]["section"]["panelBankConfig"]
    return {section["name"]: section["panels"] for section in bank["sections"]}


def test_dev_wer_is_drawn_by_policy_over_epochs_and_over_steps(sections):
    panels = [panel["config"] for panel in sections["Error rates while training"]]
    assert [panel["metrics"] for panel in panels] == [["dev/wer"], ["dev/wer"]]
    assert [panel["xAxis"] for panel in panels] == ["epoch", "_step"]
    assert {(panel["groupBy"], panel["groupAgg"]) for panel in panels} == {("group", "mean")}


def test_each_part_has_its_bars(sections):
    panels = [panel["config"] for panel in sections["Final error rates"]]
    assert [panel["metrics"] for panel in panels] == [["unseen/final_wer"], ["dev/final_wer"]]
    assert {panel["groupBy"] for panel in panels} == {"group"}


def test_of_classes_it_shows_accuracy_and_map_alone(tmp_path):
    pytest.importorskip("wandb_workspaces")
    runs = runs_of_classes(tmp_path / "moods", {"None": 0.3, "LD": 0.8})
    printed = written(workspace(subject(str(runs)), "me"))
    assert '"Scores while training"' in printed
    assert "wer" not in printed.lower()
    for key in (
        "dev/accuracy",
        "dev/map",
        "test/final_accuracy",
        "dev/final_accuracy",
        "test/final_map",
        "dev/final_map",
    ):
        assert f'"{key}"' in printed
    for title in ("accuracy on test", "mAP on test"):
        assert f'"{title}, by policy"' in printed


def test_the_summary_of_classes_tells_accuracy_and_map_and_no_error_rate(tmp_path):
    compared = compare([runs_of_classes(tmp_path / "moods", {"None": 0.3, "LD": 0.8})])
    told = summary(*table(as_tsv(compared).splitlines()))
    score = compared.rows[1].scores["test"]
    assert told["test/LD/accuracy"] == pytest.approx(100 - 100 * score.wer.value, abs=1e-3)
    assert told["test/LD/map"] == pytest.approx(100 - 100 * score.missed.value, abs=1e-3)
    assert told["test/LD/verdict"] == score.difference.verdict
    assert set(told) == {
        f"{part}/{label}/{key}"
        for part in ("test", "dev")
        for label in ("None", "LD")
        for key in ("accuracy", "map", "verdict")
    }


def test_losses_tables_pictures_and_the_comparer_have_their_sections(sections):
    assert [panel["config"]["metrics"] for panel in sections["Losses"]] == [["train/loss"], ["dev/loss"]]
    assert "hypotheses" in json.dumps(sections["Hypotheses"])
    assert "comparison" in json.dumps(sections["Comparison"])
    assert sections["Augmented batches"][0]["config"]["mediaKeys"] == ["augmented batch"]
    assert sections["Runs side by side"][0]["viewType"] == "Run Comparer"


@pytest.mark.usefixtures("home")
def test_printing_twice_prints_the_same(runs, capsys):
    pytest.importorskip("wandb_workspaces")
    for _ in range(2):
        assert dashboard(str(runs), "--print", "--entity", "me") == 0
    text = capsys.readouterr().out
    assert text[: len(text) // 2] == text[len(text) // 2 :]


def test_without_the_package_one_line_says_what_to_install(runs, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    with pytest.raises(UserError, match="pip install wandb-workspaces"):
        dashboard(str(runs), "--print")


@pytest.mark.usefixtures("home")
def test_who_is_not_logged_in_is_told_how(runs):
    pytest.importorskip("wandb_workspaces")
    with pytest.raises(UserError, match="run `wandb login`"):
        dashboard(str(runs))


@pytest.mark.usefixtures("home")
def test_w_and_b_is_sent_what_is_printed(runs, monkeypatch, capsys):
    pytest.importorskip("wandb_workspaces")
    with loopback.serving() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", loopback.KEY)
        assert dashboard(str(runs)) == 0
        (view,) = server.views
        address = capsys.readouterr().out
    assert (view["entityName"], view["projectName"], view["displayName"]) == ("me", "digits", "Policies")
    assert address.startswith(f"{server.url}/me/digits")
    printed = json.loads(written(workspace(subject(str(runs)), "me")))["spec"]
    assert outline(json.loads(view["spec"])) == outline(printed)
    assert loopback.KEY not in address


def outline(spec: dict) -> list:
    """What a workspace shows, without the random names of panels and sections."""
    bank = spec["section"]["panelBankConfig"]["sections"]
    return [(one["name"], [(panel["viewType"], panel["config"]) for panel in one["panels"]]) for one in bank]


@pytest.fixture(scope="module")
def pushed(runs) -> tuple[Path, str]:
    """The comparison, pushed twice; where its log is, and the line that said so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        push(subject(str(runs)))
        said = push(subject(str(runs)))
    (log,) = (runs / "wandb").glob("offline-run-*")  # of two that say the same, one is left
    return log, said


def test_the_comparison_is_a_run_of_its_own_kind(pushed, records):
    log, said = pushed
    (run,) = [record["run"] for record in records(log) if record["type"] == "run"]
    assert (run["project"], run["job_type"]) == ("digits", "compare")
    assert said == f"{run['run_id']}: in {log}"
    assert "WANDB_DATA_DIR" not in os.environ


def test_the_files_and_the_table_of_the_comparison_arrive(pushed, runs, tmp_path):
    log, _ = pushed
    compared = compare([runs])
    with loopback.serving() as server:
        variables = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": loopback.KEY, "HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-m", "wandb", "sync", "--yes", str(log)],
            cwd=tmp_path,
            env={**os.environ, **variables},
            capture_output=True,
            check=False,
            timeout=200,
        )
        assert done.returncode == 0, done.stderr
        files, summary = server.files, next(iter(server.runs.values())).summary()
    assert files["artifact/comparison.tsv"].decode() == as_tsv(compared)
    assert files["artifact/comparison.md"].decode() == as_markdown(compared)
    shown = json.loads(files["artifact/comparison.table.json"])
    assert [row[:2] for row in shown["data"]] == [
        [part.name, row.label] for part in compared.parts for row in compared.rows
    ]
    assert summary["unseen/LD/wer"] == float(f"{100 * compared.rows[1].scores['unseen'].wer.value:.4f}")


def test_another_comparison_is_another_run(runs, monkeypatch, pushed):
    monkeypatch.setenv("WANDB_MODE", "offline")
    said = push(subject(str(runs)), baseline="LD")
    assert said.split(":")[0] != pushed[1].split(":")[0]


def test_there_is_nothing_to_compare_where_the_runs_are_elsewhere(home, monkeypatch):
    monkeypatch.chdir(home)
    with pytest.raises(UserError, match="expected the runs"):
        push(subject("other"))


def test_the_numbers_of_the_table_are_numbers_and_its_remarks_are_left_out():
    columns, rows = table(["# a remark", "part\tpolicy\twer\twer_low", "test\t7\t12.5\t", "# another"])
    assert columns == ["part", "policy", "wer", "wer_low"]
    assert rows == [["test", "7", 12.5, None]]
