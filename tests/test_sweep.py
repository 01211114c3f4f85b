import io
import os
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


def test_where_all_trials_fail_the_first_reason_is_said(laboratory):
    text = SWEEP.replace("policy: {p: 1.0}", "policy: {m_F: 1}").replace(
        "  W: {low: 0, high: 8}", "  F: {low: 33, high: 40}"
    )
    failed = specaug("sweep", laid(laboratory, text.replace("first: [None]", "first: []")), "--workers", "1")
    assert failed.status == 2
    assert "all 4 trials failed; the first" in failed.errors
    assert "32 mel channels" in failed.errors


def test_ctrl_c_puts_the_slots_back_and_the_same_command_goes_on(laboratory):
    recipe = laid(laboratory, SWEEP.replace("top: 1", "top: 0").replace("trials: 4", "trials: 6"))
    command = [sys.executable, "-c", PROGRAM, "sweep", recipe, "--workers", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ}, text=True) as process:
        end = time.monotonic() + 120
        while not list((laboratory / "runs" / "s").glob("*.try-*/last.ckpt")):
            assert time.monotonic() < end
            time.sleep(0.05)
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
