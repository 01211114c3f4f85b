"""What the loggers show of a run that was killed and went on: the rows of `curves.csv`, each once."""

import csv
import json
import signal
import sqlite3
from pathlib import Path

import deaths
import numpy as np
import pytest

from specaug import cli


def command(laboratory: Path, runs: Path, logger: str) -> list[str]:
    recipe = str(laboratory / "experiments" / "tiny.yaml")
    return ["train", recipe, "policy=LD", "--runs", str(runs), "--logger", logger]


def folder_of(runs: Path) -> Path:
    (folder,) = runs.glob("tiny/*-*-seed-*")
    return folder


def on_disk(runs: Path) -> list[dict[str, float]]:
    with (folder_of(runs) / "curves.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def killed_then_resumed(laboratory: Path, runs: Path, logger: str, point: str) -> list[dict[str, float]]:
    environment = {"WANDB_MODE": "offline", "HF_HOME": str(runs / "home")}
    assert deaths.killed(point, command(laboratory, runs, logger), environment) == -signal.SIGKILL
    assert cli.main(command(laboratory, runs, logger)) == 0
    rows = on_disk(runs)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("point", ["checkpoint", "result"])
def test_w_and_b_offline_has_the_rows_on_disk_in_one_log(tiny, tmp_path, monkeypatch, records, point):
    monkeypatch.setenv("WANDB_MODE", "offline")
    rows = killed_then_resumed(tiny, tmp_path, "wandb", point)
    (log,) = (folder_of(tmp_path) / "wandb").glob("offline-run-*")
    history = [record["history"]["item"] for record in records(log) if record["type"] == "history"]
    assert [{name: row[name] for name in rows[0]} for row in history if "epoch" in row] == rows
    assert sum("augmented batch.count" in row for row in history) == 1


def scalars(folder: Path) -> list[tuple[str, int, float]]:
    """Every scalar of every event file, as it was written."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    return [
        (value.tag, event.step, value.simple_value)
        for path in sorted(folder.glob("events.out.tfevents.*"))
        for event in map(Event.FromString, RawEventFileLoader(str(path)).Load())
        for value in event.summary.value
        if value.HasField("simple_value")
    ]


def as_scalars(rows: list[dict[str, float]]) -> list[tuple[str, int, float]]:
    """Rows as TensorBoard keeps them: a single-precision number at a step."""
    return [
        (name, int(row["step"]), float(np.float32(value)))
        for row in rows
        for name, value in row.items()
        if name != "step"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("point", ["checkpoint", "test"])
def test_tensorboard_has_the_rows_on_disk(tiny, tmp_path, point):
    pytest.importorskip("tensorboard")
    rows = killed_then_resumed(tiny, tmp_path, "tensorboard", point)
    seen = scalars(folder_of(tmp_path) / "tensorboard")
    assert [one for one in seen if "final" not in one[0]] == as_scalars(rows)


@pytest.mark.slow
def test_a_kill_loses_no_row_of_tensorboards(tiny, tmp_path):
    pytest.importorskip("tensorboard")
    assert deaths.killed("test", command(tiny, tmp_path, "tensorboard"), {}) == -signal.SIGKILL
    assert scalars(folder_of(tmp_path) / "tensorboard") == as_scalars(on_disk(tmp_path))


@pytest.mark.slow
def test_trackio_has_the_rows_on_disk(tiny, tmp_path):
    pytest.importorskip("trackio")
    rows = killed_then_resumed(tiny, tmp_path, "trackio", "checkpoint")
    with sqlite3.connect(tmp_path / "tiny" / "trackio" / "tiny.db") as base:
        found = base.execute("select step, metrics from metrics order by step, id").fetchall()
    logged = [(step, json.loads(text)) for step, text in found]
    seen = [{**row, "step": step} for step, row in logged if "epoch" in row]
    assert [{name: row[name] for name in rows[0]} for row in seen] == rows
