import json
import os
import signal
from pathlib import Path
from typing import Any, NamedTuple

import deaths
import pytest
import torch

from specaug import cli

FAST = {"WANDB_MODE": "disabled"}
OVERRIDES = ("policy=LD", "training.report=best")


class Left(NamedTuple):
    """What a run leaves, but for its times."""

    weights: dict[str, list[float]]
    best: dict[str, list[float]]
    curves: bytes
    hypotheses: bytes
    result: dict[str, Any]


def command(laboratory: Path, runs: Path) -> list[str]:
    return ["train", str(laboratory / "experiments" / "tiny.yaml"), *OVERRIDES, "--runs", str(runs)]


def folder_of(runs: Path) -> Path:
    (folder,) = runs.glob("tiny/*")
    return folder


def weights(path: Path) -> dict[str, list[float]]:
    state = torch.load(path, weights_only=True)["state_dict"]
    return {name: tensor.flatten().tolist() for name, tensor in state.items()}


def left(runs: Path) -> Left:
    folder = folder_of(runs)
    result = json.loads((folder / "result.json").read_text())
    del result["wall_seconds"]
    return Left(
        weights(folder / "last.ckpt"),
        weights(folder / "best.ckpt"),
        (folder / "curves.csv").read_bytes(),
        (folder / "hypotheses.jsonl").read_bytes(),
        result,
    )


@pytest.fixture(scope="module")
def unbroken(tiny, tmp_path_factory) -> Left:
    runs = tmp_path_factory.mktemp("unbroken")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        assert cli.main(command(tiny, runs)) == 0
    return left(runs)


@pytest.mark.parametrize("point", ["epoch", "validation", "checkpoint", "test", "result"])
def test_a_killed_run_that_is_started_again_has_the_bits_of_the_unbroken_one(
    tiny, unbroken, tmp_path, monkeypatch, point
):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert deaths.killed(point, command(tiny, tmp_path), FAST) == -signal.SIGKILL
    assert not (folder_of(tmp_path) / "result.json").exists()
    assert cli.main(command(tiny, tmp_path)) == 0
    assert left(tmp_path) == unbroken


def test_the_unbroken_run_has_a_row_for_each_epoch(unbroken):
    rows = unbroken.curves.decode().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2", "3", "4"]


def alive(mark: str) -> list[str]:
    """The commands of the processes whose environment holds `mark`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes() and folder.name != str(os.getpid()):
                found.append((folder / "cmdline").read_text())
        except OSError:  # it ended meanwhile
            continue
    return found


@pytest.mark.parametrize("point", ["epoch", "test"])
def test_ctrl_c_ends_with_one_line_that_says_how_to_go_on(tiny, unbroken, tmp_path, monkeypatch, point):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    runs, errors = tmp_path / "runs", tmp_path / "errors"
    assert deaths.lived(point, signal.SIGINT, command(tiny, runs), FAST, errors) == 130
    said = errors.read_text().splitlines()
    goes_on = " ".join(command(tiny, runs))
    assert said[-1] == f"specaug: interrupted; what is done is kept. To go on: specaug {goes_on}"
    assert "Traceback" not in errors.read_text()
    assert weights(folder_of(runs) / "last.ckpt")
    assert cli.main(command(tiny, runs)) == 0
    assert left(runs) == unbroken


@pytest.mark.slow
def test_ctrl_c_on_an_ablation_closes_the_logs_and_leaves_nobody_behind(laboratory, tmp_path, records):
    runs, errors, mark = tmp_path / "runs", tmp_path / "errors", f"MARK={tmp_path}"
    recipe = str(laboratory / "experiments" / "tiny.yaml")
    long = ["training.schedule.s_i=2000", "training.schedule.s_f=4000"]
    arguments = ["ablate", recipe, *long, "--runs", str(runs), "--workers", "2"]
    environment = {"WANDB_MODE": "offline", "MARK": str(tmp_path)}
    assert deaths.lived("workers", signal.SIGINT, arguments, environment, errors) == 130
    assert errors.read_text().splitlines()[-1].endswith(f"To go on: specaug {' '.join(arguments)}")
    assert "Traceback" not in errors.read_text()
    assert alive(mark) == []
    assert list(runs.glob("tiny/*/last.ckpt"))
    assert not list(runs.glob("tiny/*/failure.txt"))
    logs = sorted(runs.glob("tiny/*/wandb/offline-run-*"))
    assert [records(log)[-1]["type"] for log in logs] == ["exit"] * len(logs) != []
