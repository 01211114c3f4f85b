import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

from specaug import cli

pytestmark = pytest.mark.slow

FRAGILE = """import os
import signal

import torch

from models.bilstm import BiLSTMCTC


class Fragile(BiLSTMCTC):
    def __init__(self, mel, vocab, width=8, depth=1):
        super().__init__(mel, vocab, width, depth)
        self.seed, self.steps = torch.initial_seed(), 0

    def loss(self, *batch):
        self.steps += self.training
        if self.steps > 4 and self.seed == 1:
            raise ArithmeticError("one seed fails\\nin two lines")
        if self.steps > 4 and self.seed == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().loss(*batch)
"""
TIMES = ("wall_seconds",)


class Ablated(NamedTuple):
    status: int
    table: str
    errors: str
    runs: Path


def ablate(laboratory: Path, runs: Path, *arguments: str) -> Ablated:
    recipe, out, err = str(laboratory / "experiments" / "tiny.yaml"), io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("WANDB_MODE", "disabled")
        status = cli.main(["ablate", recipe, *arguments, "--runs", str(runs)])
    return Ablated(status, out.getvalue(), err.getvalue(), runs / "tiny")


@pytest.fixture(scope="module")
def one(tiny, tmp_path_factory) -> Ablated:
    return ablate(tiny, tmp_path_factory.mktemp("one"), "--workers", "1")


@pytest.fixture(scope="module")
def two(tiny, tmp_path_factory) -> Ablated:
    return ablate(tiny, tmp_path_factory.mktemp("two"), "--workers", "2")


@pytest.fixture(scope="module")
def fragile(tmp_path_factory, tiny) -> Ablated:
    """Four seeds by two workers; the second seed raises, the third kills its process."""
    (tiny / "models" / "fragile.py").write_text(FRAGILE)
    arguments = ("network={path: models.fragile.Fragile}", "--policies", "LD", "--seeds", "0,1,2,3")
    return ablate(tiny, tmp_path_factory.mktemp("fragile"), *arguments, "--workers", "2")


def results(ablated: Ablated) -> dict[str, dict]:
    found = {}
    for path in sorted(ablated.runs.glob("*/result.json")):
        facts = json.loads(path.read_text())
        found[path.parent.name] = {name: value for name, value in facts.items() if name not in TIMES}
    return found


def bytes_of(ablated: Ablated, name: str) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in sorted(ablated.runs.glob(f"*/{name}"))}


def test_every_run_is_finished(one):
    assert one.status == 0
    names = sorted(name.rsplit("-", 1)[0] for name in results(one))
    assert names == ["LD-x-0.1-seed-0", "LD-x-0.1-seed-1", "None-seed-0", "None-seed-1"]


def test_it_ends_with_a_page_about_the_runs(one):
    assert one.table.endswith(f"results: {one.runs}\npage: {one.runs / 'report.html'}\n")
    assert "LD x 0.1" in (one.runs / "report.html").read_text()


def test_one_worker_and_two_give_the_same_bits(one, two):
    assert results(one) == results(two)
    for name in ("hypotheses.jsonl", "curves.csv", "recipe.yaml"):
        assert bytes_of(one, name) == bytes_of(two, name) != {}


def test_the_table_goes_to_standard_output_and_the_progress_does_not(one):
    assert one.table.startswith("manifests (data/train.jsonl")
    assert "LD x 0.1" in one.table
    assert "finished (4 of 4)" in one.errors
    assert "finished" not in one.table


def test_finished_runs_are_not_repeated(tiny, two):
    files = [path for path in two.runs.glob("*/**/*") if path.is_file()]
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
    again = ablate(tiny, two.runs.parent, "--workers", "2")
    assert (again.status, again.table) == (0, two.table)
    assert "4 runs, 4 of them finished before" in again.errors
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before} == before


def test_a_failing_run_stops_no_other(fragile):
    assert sorted(facts["seed"] for facts in results(fragile).values()) == [0, 3]


def test_failed_runs_are_named_at_the_end_and_give_status_1(fragile):
    said = sorted(line for line in fragile.errors.splitlines() if line.startswith("specaug: "))
    assert fragile.status == 1
    assert [line.split(" failed: ")[0] for line in said] == [
        "specaug: LD x 0.1, seed 1",
        "specaug: LD x 0.1, seed 2",
    ]
    assert sorted(fragile.errors.splitlines()[-2:]) == said


def test_an_error_is_told_by_its_first_line_and_where_its_trace_lies(fragile):
    (line,) = [line for line in fragile.errors.splitlines() if " seed 1 failed: " in line]
    (trace,) = fragile.runs.glob("*seed-1*/failure.txt")
    assert line.endswith(f"failed: ArithmeticError: one seed fails (see {trace})")
    assert "in two lines" in trace.read_text()


def test_a_killed_worker_is_told_by_its_signal(fragile):
    (line,) = [line for line in fragile.errors.splitlines() if " seed 2 failed: " in line]
    assert "its process died (SIGKILL); the next start continues from its last checkpoint" in line


def test_a_run_that_cannot_be_written_fails_alone(tiny, tmp_path):
    (tmp_path / "tiny").mkdir()
    first = ablate(tiny, tmp_path, "--policies", "None", "--seeds", "0", "--workers", "1")
    (folder,) = (path for path in first.runs.iterdir() if path.is_dir())
    blocked = folder.with_name("LD-x-0.1-seed-0-" + run_id_of(tiny, "LD"))
    blocked.write_text("mine")
    after = ablate(tiny, tmp_path, "--policies", "None,LD", "--seeds", "0", "--workers", "1")
    assert after.status == 1
    assert f"LD x 0.1, seed 0 failed: {blocked}: cannot be written" in after.errors
    assert blocked.read_text() == "mine"


def test_a_run_that_diverges_has_failed_and_is_in_no_table(tiny, tmp_path):
    arguments = ("training.peak=1e30", "--policies", "None", "--seeds", "0", "--workers", "1")
    diverged = ablate(tiny, tmp_path, *arguments)
    assert (diverged.status, diverged.table, results(diverged)) == (1, "", {})
    assert "specaug: None, seed 0 failed: train loss is nan after epoch 1; expected" in diverged.errors


def run_id_of(laboratory: Path, policy: str) -> str:
    from specaug.study.load import load
    from specaug.study.recipe import run_id

    return run_id(load(laboratory / "experiments" / "tiny.yaml", [f"policy={policy}"]).run())
