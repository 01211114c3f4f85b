"""What W&B's own client sends of a run, to a stand-in for its server on this machine."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import deaths
import loopback
import pytest

from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.run import Run, execute


class Sent(NamedTuple):
    """A run that was synced: what the server has, what the client said, and where the run lies."""

    server: loopback.Server
    said: str
    run: Run


@pytest.fixture(scope="module")
def server() -> Iterator[loopback.Server]:
    with loopback.serving() as server:
        yield server


def environment(server: loopback.Server, home: Path) -> dict[str, str]:
    """What makes W&B's client talk to the stand-in, with nobody's key."""
    home.mkdir(exist_ok=True)
    return {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": loopback.KEY, "HOME": str(home)}


def sync(server: loopback.Server, folder: Path, home: Path) -> str:
    """Send what lies below a run's folder, as one does by hand; what the client says."""
    logs = sorted(str(path) for path in (folder / "wandb").glob("offline-run-*"))
    done = subprocess.run(
        [sys.executable, "-m", "wandb", "sync", "--yes", *logs],
        cwd=folder,  # it leaves a log of its own where it is started
        env={**os.environ, **environment(server, home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def on_disk(folder: Path) -> list[dict[str, float]]:
    with (folder / "curves.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def received(server: loopback.Server, name: str, columns: list[str]) -> list[dict[str, float]]:
    return [{name: row[name] for name in columns} for row in server.run(name).rows() if "epoch" in row]


@pytest.fixture(scope="module")
def sent(tiny, server, tmp_path_factory) -> Sent:
    """A run that an attempt made, whose folder was renamed in the end."""
    folder = tmp_path_factory.mktemp("sent")
    recipe = load(tiny / "experiments" / "tiny.yaml", ["policy=LD", "seed=3"]).run()
    run = Run("tiny", recipe, Places.of(tiny, runs=folder / "runs"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        execute(run, attempt="try-1")
    return Sent(server, sync(server, run.folder, folder / "home"), run)


def test_the_rows_arrive_as_they_are_on_disk(sent):
    rows = on_disk(sent.run.folder)
    assert len(rows) == 4
    assert received(sent.server, sent.run.id, list(rows[0])) == rows


def test_project_group_name_and_tags_arrive(sent):
    told = sent.server.run(sent.run.id).told
    expected = {
        "project": "tiny",
        "groupName": "LD x 0.1",
        "jobType": "train",
        "displayName": "LD x 0.1 seed 3",
        "tags": ["manifests", "LD x 0.1", "seed 3"],
    }
    assert {name: told[name] for name in expected} == expected


def test_the_config_arrives(sent):
    config = sent.server.run(sent.run.id).config()
    expected = {"policy": "LD x 0.1", "W": 8, "F": 27, "m_F": 2, "T": 10, "m_T": 2, "seed": 3}
    assert {name: config[name] for name in expected} == expected


def test_the_final_error_rates_are_those_of_the_result(sent):
    result = json.loads((sent.run.folder / "result.json").read_text())
    summary = sent.server.run(sent.run.id).summary()
    for part, scores in result["parts"].items():
        assert summary[f"{part}/final_wer"] == scores["wer"]["errors"] / scores["wer"]["words"]


def test_pictures_and_the_table_of_hypotheses_arrive_though_the_folder_was_renamed(sent):
    (table,) = [text for name, text in sent.server.files.items() if name == "artifact/hypotheses.table.json"]
    assert [row[1] for row in json.loads(table)["data"]] == ["dev-0", "dev-1", "test-0", "test-1"]
    pictures = [name for name in sent.server.files if name.startswith("run/media/images/augmented batch")]
    assert len(pictures) == 2


def test_the_key_is_used_and_neither_printed_nor_kept(sent):
    import base64

    coded = base64.b64encode(f"api:{loopback.KEY}".encode()).decode()
    assert coded in sent.server.keys
    assert loopback.KEY not in sent.said
    for path in sent.run.places.runs.rglob("*"):
        if path.is_file():
            kept = path.read_bytes()
            assert loopback.KEY.encode() not in kept, path
            assert coded.encode() not in kept, path


def test_the_stand_in_was_asked_nothing_that_it_does_not_know(sent):
    assert sent.server.unknown == set()


def command(laboratory: Path, runs: Path, *more: str) -> list[str]:
    recipe = str(laboratory / "experiments" / "tiny.yaml")
    return ["train", recipe, "policy=LD", *more, "--runs", str(runs)]


def folder_of(runs: Path) -> Path:
    (folder,) = runs.glob("tiny/*-seed-*")
    return folder


@pytest.mark.slow
def test_a_log_that_was_sent_before_the_run_went_on_leaves_no_row_twice(tiny, server, tmp_path):
    arguments, errors = command(tiny, tmp_path / "runs", "seed=5"), tmp_path / "errors"
    offline = {"WANDB_MODE": "offline"}
    assert deaths.killed("checkpoint", arguments, offline) == -signal.SIGKILL
    folder = folder_of(tmp_path / "runs")
    name = folder.name.rpartition("-")[2]
    sync(server, folder, tmp_path / "home")
    assert deaths.lived("never", 0, arguments, offline, errors) == 0
    sync(server, folder, tmp_path / "home")
    rows = on_disk(folder)
    assert received(server, name, list(rows[0])) == rows


@pytest.mark.slow
@pytest.mark.parametrize("point", ["epoch", "test"])
def test_a_run_that_is_sent_while_it_trains_and_is_killed_arrives_whole(tiny, server, tmp_path, point):
    arguments = command(tiny, tmp_path / "runs", f"seed={len(point)}", "--online")
    errors, online = tmp_path / "errors", environment(server, tmp_path / "home") | {"WANDB_MODE": "online"}
    assert deaths.killed(point, arguments, online) == -signal.SIGKILL
    assert deaths.lived("never", 0, arguments, online, errors) == 0, errors.read_text()
    folder = folder_of(tmp_path / "runs")
    rows = on_disk(folder)
    assert received(server, folder.name.rpartition("-")[2], list(rows[0])) == rows
    assert loopback.KEY not in errors.read_text()
    for path in folder.rglob("*"):
        assert not path.is_file() or loopback.KEY.encode() not in path.read_bytes(), path
