"""Rows that are trained and printed, by tables of the test's own."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from specaug.cli import main
from specaug.errors import UserError
from specaug.study import ablation
from specaug.study.published import tables
from specaug.study.sweep import conduct

TABLE = """toy:
  paper: A paper
  about: tones
  parts: [test]
  plain: beam
  lm: lm
  checked: true
  rows:
    - {row: A, recipe: a.yaml, plain: [50.0]}
    - {row: B, recipe: b.yaml, plain: [40.0]}
    - {row: C, recipe: c.yaml, plain: [30.0]}
"""
ROWS = {"a": "policies: [None]", "b": "policies: [LD]", "c": "policies: [LB]"}
SHORT = ["seeds=[0]", "training.schedule={s_r: 1, s_i: 2, s_f: 3}"]


@pytest.fixture
def toy(laboratory, monkeypatch):
    """The laboratory, with a table of three rows."""
    for name, policies in ROWS.items():
        (laboratory / "experiments" / f"{name}.yaml").write_text(f"extends: tiny.yaml\n{policies}\n")
    (laboratory / "tables.yaml").write_text(TABLE)
    monkeypatch.setattr(tables, "FILE", laboratory / "tables.yaml")
    tables.tables.cache_clear()
    yield laboratory
    tables.tables.cache_clear()


def reproduce(laboratory: Path, *arguments: str) -> int:
    return main(["reproduce", "toy", "--laboratory", str(laboratory), "--format", "tsv", *arguments])


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The experiments of each pool, none of whose runs are trained."""
    pools: list[list[str]] = []

    def pool(runs: Sequence[ablation.Run], workers: int, *_: object) -> list[ablation.Failed]:
        pools.append([f"{workers}", *(run.experiment for run in runs)])
        return []

    monkeypatch.setattr(ablation, "ablate", pool)
    return pools


@pytest.mark.slow
def test_rows_are_trained_and_printed_beside_the_papers(toy, capsys):
    assert reproduce(toy, "--rows", "1,2", "--workers", "2", *SHORT) == 0
    said = capsys.readouterr()
    rows = [line.split("\t")[0] for line in said.out.splitlines() if "\twithout\t" in line]
    assert rows == ["A", "B"]
    assert "a: None, seed 0: finished" in said.err
    assert "b: LD x 0.1, seed 0: finished (" in said.err
    assert [len(list((toy / "runs" / "toy" / name).glob("*/result.json"))) for name in "ab"] == [1, 1]


def test_the_runs_of_all_rows_are_made_in_one_pool(toy, monkeypatch):
    pools = recorded(monkeypatch)
    assert reproduce(toy, "--rows", "1-3", "--workers", "3", "seeds=[0]") == 0
    assert pools == [["3", "toy/a", "toy/b", "toy/c"]]


def test_all_rows_are_looked_at_before_one_is_trained(toy, monkeypatch, capsys):
    pools = recorded(monkeypatch)
    for name in "bc":
        (toy / "experiments" / f"{name}.yaml").write_text(
            f"extends: tiny.yaml\ncorpus: {{name: manifests, dev: no.jsonl}}\n{ROWS[name]}\n"
        )
    assert reproduce(toy) == 2
    said = capsys.readouterr()
    assert not pools
    (line,) = [line for line in said.err.splitlines() if line.startswith("specaug: ")]
    assert line.startswith("specaug: rows 2, 3: ")
    assert "no.jsonl" in line
    assert said.out.count("\twithout\t") == 3


def test_a_row_whose_study_fails_leaves_the_others_and_the_table(toy, monkeypatch, capsys):
    made: list[str] = []

    def fails(experiment: ablation.Experiment, _: conduct.Desk) -> list[ablation.Failed]:
        made.append(experiment.name)
        if experiment.name == "toy/b":
            raise UserError("study toy/b: no more room")
        return []

    monkeypatch.setattr(conduct, "make_through_a_study", fails)
    assert reproduce(toy, "--storage", f"sqlite:///{toy}/s.db", "seeds=[0]") == 2
    said = capsys.readouterr()
    assert made == ["toy/a", "toy/b", "toy/c"]
    assert "specaug: study toy/b: no more room" in said.err
    assert said.out.count("\twithout\t") == 3


@pytest.mark.parametrize("listing", [["--list"], []])
@pytest.mark.parametrize("override", ["policy=LD", "policy.F=3", "policies=LD", "seed=3"])
def test_overrides_that_a_row_would_pass_over_are_refused(toy, capsys, override, listing):
    assert reproduce(toy, *listing, override) == 2
    said = capsys.readouterr()
    assert f"override {override!r}: " in said.err
    expected = "seeds=0,1" if "seed" in override else "none, for each row has a policy of its own"
    assert said.err.strip().endswith(f"expected {expected}")
    assert not said.out


def test_an_override_that_no_recipe_takes_is_told_once(toy, capsys):
    assert reproduce(toy, "training.bach=3") == 2
    assert capsys.readouterr().err.count("unknown key") == 1


def test_outside_a_laboratory_no_recipe_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", "table-2", "--list"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"specaug: {tmp_path}: neither it nor a folder above it holds models/")
    assert "yaml" not in said
