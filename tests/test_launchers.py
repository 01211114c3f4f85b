import json
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from specaug import cli


def ablated(laboratory: Path, runs: Path, *arguments: str) -> int:
    recipe = str(laboratory / "experiments" / "tiny.yaml")
    return cli.main(["ablate", recipe, "--runs", str(runs), "--workers", "1", *arguments])


def scores(runs: Path) -> dict[str, object]:
    found = {}
    for path in sorted((runs / "tiny").glob("*/result.json")):
        result = json.loads(path.read_text())
        del result["wall_seconds"]
        found[path.parent.name] = result
    return found


def test_there_are_as_many_workers_as_cores_that_one_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 3, 4, 6, 7}, raising=False)
    assert cli.parser().parse_args(["ablate", "r.yaml"]).workers == 5


@pytest.mark.parametrize(("verb", "told"), [("ablate", True), ("reproduce", True), ("sweep", False)])
def test_help_says_where_no_storage_is_used(capsys, verb, told):
    with pytest.raises(SystemExit):
        cli.main([verb, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "(none with --launcher local; with others SPECAUG_STORAGE, else runs/STUDY/study.db)" in said
        or not told
    )
    assert told or "(SPECAUG_STORAGE, else runs/STUDY/study.db)" in said


@pytest.mark.slow
def test_an_ablation_through_a_study_makes_the_same_runs(laboratory, tmp_path, capfd):
    assert ablated(laboratory, tmp_path / "a") == 0
    direct = capfd.readouterr().out.replace(str(tmp_path / "a"), "")
    assert ablated(laboratory, tmp_path / "b", "--storage", f"sqlite:///{tmp_path / 'study.db'}") == 0
    assert capfd.readouterr().out.replace(str(tmp_path / "b"), "") == direct
    assert scores(tmp_path / "a") == scores(tmp_path / "b")
    assert len(scores(tmp_path / "a")) == 4


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param(
            ["--launcher", "slurm", "--gpus", "0.5"],
            "--gpus is 0.5; expected a whole number",
            id="half a GPU",
        ),
        pytest.param(["--storage", "sqlite:////proc/x/y.db"], "specaug: /proc/x: ", id="no storage"),
        pytest.param(
            ["--launcher", "ray", "--workers", "0"], "--workers is 0; expected at least 1", id="no workers"
        ),
    ],
)
def test_a_mistake_is_one_line(laboratory, tmp_path, capfd, arguments, complaint):
    assert ablated(laboratory, tmp_path, *arguments) == 2
    told = capfd.readouterr().err.splitlines()
    assert complaint in told[-1]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--storage", "foo"], "the storage: not the URL of a storage; expected sqlite:///FILE or"),
        (["--launcher", "slurm", "--gpus", "0.5"], "--gpus is 0.5; expected a whole number for SLURM"),
        (["--launcher", "ray", "--gpus", "-1"], "--gpus is -1.0; expected 0 or more"),
        (["--launcher", "ray", "--gpus", "nan"], "--gpus is nan; expected 0 or more"),
        (["--launcher", "slurm", "--minutes", "-3"], "--minutes is -3; expected at least 1"),
        (
            ["--launcher", "slurm", "--memory", "8Q"],
            "--memory is '8Q'; expected a whole number of K, M, G or T",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_workers_cannot_be_is_told_before_any_data_is_looked_at(
    laboratory, tmp_path, capfd, monkeypatch, arguments, complaint
):
    monkeypatch.setattr("specaug.study.ablation.ready", None)
    assert ablated(laboratory, tmp_path, *arguments) == 2
    assert complaint in capfd.readouterr().err.splitlines()[-1]


def test_a_variable_that_names_no_storage_matters_only_where_it_is_read(
    laboratory, tmp_path, capfd, monkeypatch
):
    monkeypatch.setenv("SPECAUG_STORAGE", "foo")
    monkeypatch.setattr("specaug.study.ablation.ready", None)
    with pytest.raises(TypeError):  # that nothing is there to call: it came so far
        ablated(laboratory, tmp_path)
    assert ablated(laboratory, tmp_path, "--launcher", "ray") == 2
    assert "not the URL of a storage" in capfd.readouterr().err


@pytest.mark.parametrize("verb", ["ablate", "sweep"])
@pytest.mark.parametrize(
    ("launcher", "option", "value", "expected"),
    [
        ("local", "--gpus", "1.0", "ray or slurm"),
        ("local", "--partition", "big", "slurm"),
        ("local", "--minutes", "240", "slurm"),
        ("local", "--memory", "8G", "slurm"),
        ("ray", "--partition", "big", "slurm"),
        ("ray", "--minutes", "60", "slurm"),
        ("ray", "--memory", "8G", "slurm"),
    ],
)
def test_an_option_that_the_launcher_does_not_know_is_refused(
    laboratory, capfd, verb, launcher, option, value, expected
):
    recipe = laboratory / "experiments" / "tiny.yaml"
    if verb == "sweep":
        recipe = laboratory / "sweep.yaml"
        recipe.write_text("experiment: experiments/tiny.yaml\nspace: {W: {low: 0, high: 8}}\n")
    assert cli.main([verb, str(recipe), "--launcher", launcher, option, value]) == 2
    told = capfd.readouterr().err.splitlines()[-1]
    assert told == f"specaug: {option} is {value} with --launcher {launcher}; expected --launcher {expected}"
    assert not (laboratory / "runs").exists()


@pytest.mark.skipif(shutil.which("sbatch") is not None, reason="SLURM is here")
def test_without_slurm_that_is_said(laboratory, tmp_path, capfd):
    assert ablated(laboratory, tmp_path, "--launcher", "slurm") == 2
    assert "no sbatch on the PATH; expected a machine" in capfd.readouterr().err


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is here")
def test_without_ray_that_is_said(laboratory, tmp_path, capfd):
    assert ablated(laboratory, tmp_path, "--launcher", "ray") == 2
    assert (
        "ray is not installed; expected it (pip install -e '.[ray]' in the checkout)"
        in capfd.readouterr().err
    )
