import io
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

from specaug import cli
from specaug.study.sweep.launch import PROGRAM

pytestmark = pytest.mark.slow

SWEEP = """experiment: ../experiments/tiny.yaml
space:
  W: {low: 0, high: 8}
  m_T: {low: 0, high: 2}
  T: {low: 1, high: 10, when: m_T > 0}
policy: {p: 1.0}
trials: 4
seeds: [0, 1]
first: [None]
sampler: random
confirm: {top: 1, seeds: [5, 6], policies: [None, LD]}
"""


FAULTY = """import torch

from models.bilstm import BiLSTMCTC


class Faulty(BiLSTMCTC):
    def __init__(self, mel: int, vocab: int, width: int = 8, depth: int = 1) -> None:
        super().__init__(mel, vocab, width, depth)
        if torch.initial_seed() == 6:
            raise KeyError("six")
"""


class Swept(NamedTuple):
    status: int
    table: str
    errors: str


def specaug(*arguments: str) -> Swept:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = cli.main(list(arguments))
    return Swept(status, out.getvalue(), err.getvalue())


def laid(laboratory: Path, text: str = SWEEP) -> str:
    (laboratory / "sweeps").mkdir(exist_ok=True)
    path = laboratory / "sweeps" / "s.yaml"
    path.write_text(text)
    return str(path)


def rows(laboratory: Path, study: str = "s") -> list[list[str]]:
    told = specaug("sweep", "status", study, "--laboratory", str(laboratory), "--format", "tsv")
    return [line.split("\t") for line in told.table.splitlines()[1:]]


def begun(laboratory: Path) -> None:
    """Wait until a trial has left its first checkpoint."""
    end = time.monotonic() + 120
    while not list((laboratory / "runs" / "s").glob("*.try-*/last.ckpt")):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_sweep_searches_confirms_names_a_winner_and_answers_from_disk_the_next_time(laboratory):
    recipe = laid(laboratory)
    first = specaug("sweep", recipe, "--workers", "2")
    assert first.status == 0, first.errors
    assert "4 of 4 trials finished; the best on dev:" in first.table
    assert "winner, by the confirm runs on dev alone: " in first.table
    assert "pruning: nothing can be said of fewer than 8 trials" in first.table
    assert {row[1] for row in rows(laboratory)} == {"complete"}
    assert rows(laboratory)[0][4].startswith("W=0 m_T=0")
    again = specaug("sweep", recipe, "--workers", "1")
    assert again.table == first.table
    assert "LD x 0.1" in first.table
    text = specaug("sweep", "status", "s", "--laboratory", str(laboratory)).table
    assert "4 trials: 4 finished, 0 under way, 0 waiting, 0 failed" in text


def test_one_worker_and_two_find_the_same(laboratory):
    recipe = laid(laboratory, SWEEP.replace("top: 1", "top: 0"))
    values = []
    for workers in ("1", "2"):
        runs = str(laboratory / workers)
        assert specaug("sweep", recipe, "--workers", workers, "--runs", runs).status == 0
        told = specaug(
            "sweep", "status", "s", "--laboratory", str(laboratory), "--runs", runs, "--format", "tsv"
        )
        values.append([line.split("\t")[2:5] for line in told.table.splitlines()])
    assert values[0] == values[1]


def faulty(laboratory: Path, text: str) -> str:
    """A sweep of two trials with a network that cannot be built from seed 6."""
    (laboratory / "models" / "faulty.py").write_text(FAULTY)
    text = text.replace("trials: 4", "trials: 2")
    return laid(laboratory, text + "overrides: [network.path=models.faulty.Faulty]\n")


def test_runs_of_the_confirm_stage_that_fail_are_named_and_the_status_is_one(laboratory):
    swept = specaug("sweep", faulty(laboratory, SWEEP), "--workers", "2")
    assert swept.status == 1
    lines = [line for line in swept.errors.splitlines() if line.startswith("specaug: s-confirm-")]
    why = "failed (data): network models.faulty.Faulty: models/faulty.py:10: KeyError: 'six'"
    assert len(lines) == 3
    assert all(line.endswith(f", seed 6) {why}") for line in lines)
    assert "winner, by the confirm runs on dev alone: " in swept.table
    told = specaug("sweep", "status", "s", "--laboratory", str(laboratory)).table
    assert "6 runs: 3 finished, 0 under way, 0 waiting, 3 failed" in told


def test_where_all_trials_fail_the_first_reason_is_said(laboratory):
    recipe = faulty(
        laboratory, SWEEP.replace("seeds: [0, 1]", "seeds: [0, 6]").replace("seeds: [5, 6]", "seeds: [5]")
    )
    failed = specaug("sweep", recipe, "--workers", "1")
    assert failed.status == 2
    assert "study s: all 2 trials failed; the first (data): network models.faulty.Faulty: " in failed.errors


def test_a_sweep_that_is_stopped_confirms_nothing_and_the_same_command_goes_on(laboratory):
    recipe = laid(
        laboratory, SWEEP.replace("seeds: [5, 6], policies: [None, LD]", "seeds: [5], policies: [LD]")
    )
    command = [sys.executable, "-c", PROGRAM, "sweep", recipe, "--workers", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ}, text=True) as process:
        begun(laboratory)
        assert specaug("sweep", "stop", "s", "--laboratory", str(laboratory)).status == 0
        told = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert re.search(r"s: stopped (at \d of 4|before its best are confirmed); the same command goes on", told)
    assert "confirming" not in told
    assert {row[1] for row in rows(laboratory)} <= {"complete", "waiting"}
    assert "winner" in specaug("sweep", recipe, "--workers", "2").table


def test_ctrl_c_puts_the_slots_back_and_the_same_command_goes_on(laboratory):
    recipe = laid(laboratory, SWEEP.replace("top: 1", "top: 0").replace("trials: 4", "trials: 6"))
    command = [sys.executable, "-c", PROGRAM, "sweep", recipe, "--workers", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ}, text=True) as process:
        begun(laboratory)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "To go on: specaug sweep" in told
    states = [row[1] for row in rows(laboratory)]
    assert "waiting" in states
    assert "running" not in states
    assert specaug("sweep", recipe, "--workers", "1").status == 0
    assert {row[1] for row in rows(laboratory)} == {"complete"}


def test_stop_is_heard_and_undone_by_the_next_start(laboratory):
    recipe = laid(laboratory, SWEEP.replace("top: 1", "top: 0"))
    assert specaug("sweep", recipe, "--workers", "1").status == 0
    assert specaug("sweep", "stop", "s", "--laboratory", str(laboratory)).status == 0
    assert "told to stop" in specaug("sweep", "status", "s", "--laboratory", str(laboratory)).table
    more = laid(laboratory, SWEEP.replace("top: 1", "top: 0").replace("trials: 4", "trials: 5"))
    assert specaug("sweep", more, "--workers", "1").status == 0
    assert [row[1] for row in rows(laboratory)] == ["complete"] * 5
