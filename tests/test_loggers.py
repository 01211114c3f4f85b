import sys
from pathlib import Path

import pytest

from specaug import cli
from specaug.errors import UserError
from specaug.study.loggers import LOGGERS, OFFLINE, Logs, needed


def train(laboratory: Path, runs: Path, *more: str) -> int:
    return cli.main(["train", str(laboratory / "experiments" / "tiny.yaml"), *more, "--runs", str(runs)])


@pytest.mark.parametrize("verb", ["train", "ablate", "sweep"])
def test_a_missing_package_is_one_line_before_anything_starts(
    laboratory, tmp_path, monkeypatch, capsys, verb
):
    monkeypatch.setitem(sys.modules, "trackio", None)
    recipe = laboratory / "experiments" / "tiny.yaml"
    if verb == "sweep":
        recipe = laboratory / "sweeps" / "tiny.yaml"
        recipe.parent.mkdir()
        recipe.write_text("experiment: ../experiments/tiny.yaml\nspace:\n  F: {low: 0, high: 9}\n")
    before = sorted(laboratory.rglob("*"))
    assert cli.main([verb, str(recipe), "--logger", "trackio", "--runs", str(tmp_path / "runs")]) == 2
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("specaug: ")]
    assert said == (
        "specaug: --logger trackio needs the package trackio; expected it installed (pip install trackio)"
    )
    assert not (tmp_path / "runs").exists()
    assert sorted(laboratory.rglob("*")) == before


@pytest.mark.parametrize("to", ["none", "tensorboard", "trackio"])
def test_only_w_and_b_can_be_online(to):
    with pytest.raises(UserError, match="expected --logger wandb"):
        Logs(to, online=True).check()


def test_an_unknown_logger_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match="expected one of none, wandb, tensorboard, trackio"):
        Logs("tensorbord").check()


@pytest.mark.parametrize("logs", [OFFLINE, Logs(online=True), Logs("none")])
def test_a_worker_that_is_told_the_words_has_the_same_logger(logs):
    from specaug.cli.common import chosen

    given = cli.parser().parse_args(["train", "recipe.yaml", *logs.words])
    assert chosen(given) == logs


def test_a_package_with_a_dash_is_found_by_its_module():
    needed("pytest-timeout", "a test")
    with pytest.raises(UserError, match="pip install no-such-thing"):
        needed("no-such-thing", "a test")


def test_without_a_logger_the_folder_holds_what_it_always_holds(laboratory, tmp_path):
    assert train(laboratory, tmp_path, "--logger", "none") == 0
    (folder,) = tmp_path.glob("tiny/*")
    assert {path.name for path in folder.iterdir()} >= {"curves.csv", "result.json"}
    assert not [path for path in tmp_path.rglob("*") if path.name in (*LOGGERS, "wandb-artifacts")]


def test_the_logger_is_no_part_of_a_runs_identity(laboratory, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert train(laboratory, tmp_path, "--logger", "none") == 0
    (folder,) = tmp_path.glob("tiny/*")
    first = (folder / "result.json").stat().st_mtime_ns
    assert train(laboratory, tmp_path) == 0
    assert [path.name for path in tmp_path.glob("tiny/*")] == [folder.name]
    assert (folder / "result.json").stat().st_mtime_ns == first
