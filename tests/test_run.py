import csv
import json
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import yaml
from filelock import FileLock

from specaug.augment.engines import engine_for
from specaug.errors import UserError
from specaug.study import any_run
from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.recipe import run_id
from specaug.study.results import read_lines, read_result
from specaug.study.run import Run, check, execute


@pytest.fixture(autouse=True)
def _without_wandb(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")


def run_of(laboratory: Path, runs: Path, *overrides: str) -> Run:
    recipe = load(laboratory / "experiments" / "tiny.yaml", overrides).run()
    return Run("tiny", recipe, Places.of(laboratory, runs=runs))


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory) -> Run:
    run = run_of(tiny, tmp_path_factory.mktemp("runs"), "policy=LD", "seed=3")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        execute(run)
    return run


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_a_run_leaves_its_recipe_result_hypotheses_curves_and_checkpoints(finished):
    names = {path.name for path in finished.folder.iterdir()} - {".lock"}
    of_training = {"curves.csv", "best.ckpt", "last.ckpt"}
    assert names == {"recipe.yaml", "fingerprint", "result.json", "hypotheses.jsonl", *of_training}


def test_the_kept_recipe_is_the_run(finished):
    assert run_id(load(finished.folder / "recipe.yaml").run()) == finished.id


def test_the_result_says_on_how_many_utterances_it_was_trained(finished):
    assert read_result(finished.folder).trained == 6


def test_the_folder_is_named_for_people_and_ends_in_the_id(finished):
    assert finished.name == "LD x 0.1, seed 3"
    assert finished.folder.name == f"LD-x-0.1-seed-3-{finished.id}"
    assert finished.folder.parent.name == "tiny"


def test_a_fold_is_part_of_the_name(tiny, tmp_path):
    recipe = load(tiny / "experiments" / "tiny.yaml", ["corpus={name: fsdd, fold: 2}"]).run()
    assert Run("tiny", recipe, Places.of(tiny, runs=tmp_path)).name == "None, fold 2, seed 0"


def test_the_result_can_be_read_and_says_what_was_run(finished):
    result = read_result(finished.folder)
    assert (result.run, result.seed, result.label, result.steps, result.epochs) == (
        finished.id,
        3,
        "LD x 0.1",
        12,
        4,
    )
    assert set(result.parts) == {"dev", "test"}


def test_the_counts_of_a_part_are_the_sums_of_its_hypotheses(finished):
    rows = list(read_lines(finished.folder))
    for name, part in read_result(finished.folder).parts.items():
        mine = [row for row in rows if row["part"] == name]
        assert len(mine) == part.utterances == 2
        for kind in ("substitutions", "deletions", "insertions"):
            assert sum(row[kind] for row in mine) == getattr(part.wer, kind)
        assert sum(row["words"] for row in mine) == part.wer.total


def test_hypotheses_tell_speaker_and_reference(finished):
    rows = {row["id"]: row for row in read_lines(finished.folder)}
    assert (rows["test-1"]["speaker"], rows["test-1"]["reference"]) == ("test-speaker", "b c")


def test_the_curve_has_a_row_for_each_epoch(finished):
    with (finished.folder / "curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "3"), ("2", "6"), ("3", "9"), ("4", "12")]
    result = read_result(finished.folder)
    assert float(rows[-1]["dev/loss"]) == pytest.approx(result.parts["dev"].loss)


def test_a_finished_run_is_not_repeated(finished):
    before = contents(finished.folder)
    assert execute(finished) == finished.folder
    assert contents(finished.folder) == before


def test_another_process_at_the_run_is_reported(tiny, finished, tmp_path):
    run = replace(finished, places=Places.of(tiny, runs=tmp_path))
    run.folder.mkdir(parents=True)
    with FileLock(run.folder / ".lock"), pytest.raises(UserError, match="another process is at this run"):
        execute(run)


def test_the_first_weights_depend_on_the_seed_and_not_on_the_policy(tiny, tmp_path):
    """With a peak of almost nothing, what is left after training is what there was before it."""
    still = ("training.peak=1e-30", "training.weight_decay=0", "training.schedule={s_r: 0, s_i: 1, s_f: 2}")
    losses = {}
    for overrides in (("policy=None", "seed=0"), ("policy=LD", "seed=0"), ("policy=None", "seed=1")):
        execute(run := run_of(tiny, tmp_path, *still, *overrides))
        losses[overrides] = read_result(run.folder).parts["dev"].loss
    none, masked, other = losses.values()
    assert none == masked != other


def test_check_leaves_no_run(tiny, tmp_path):
    run = run_of(tiny, tmp_path)
    assert set(check(run).parts) == {"train", "dev", "test"}
    assert list(tmp_path.iterdir()) == []


def test_bad_utterances_are_skipped_and_listed_where_the_recipe_says_so(laboratory, tmp_path):
    (laboratory / "data" / "train-2.wav").write_bytes(b"")
    said: list[str] = []
    execute(run := run_of(laboratory, tmp_path, "text.on_bad_utterance=skip"), say=said.append)
    (skipped,) = read_result(run.folder).skipped
    assert said == [f"skipped 1 utterance; the first: {skipped}"]
    assert "train.jsonl:3: audio file" in skipped
    assert "train-2.wav is empty (0 bytes)" in skipped
    assert read_result(run.folder).steps == 12  # five utterances are three batches too


def test_the_result_names_the_versions_and_the_commit(finished):
    facts = json.loads((finished.folder / "result.json").read_text())
    always = {"torch", "lightning", "numpy", "jiwer", "safetensors", "specaug"}
    assert set(facts["versions"]) == always | {name for name in ("numba", "triton") if find_spec(name)}
    assert facts["commit"] == ""  # the laboratory lies in no repository


def test_versions_are_told_where_an_engine_is_not_installed(monkeypatch):
    monkeypatch.setattr(any_run, "ENGINES", ("numba-of-tomorrow",))
    assert set(any_run.versions()) == set(any_run.PACKAGES)


def test_the_result_names_the_engine_that_applied_the_masks(finished):
    facts = json.loads((finished.folder / "result.json").read_text())
    assert facts["engine"] == engine_for(torch.zeros(1, 1, 1))


def test_a_run_that_an_older_version_finished_is_found_by_its_recipe(finished, tiny, tmp_path):
    older = tmp_path / "tiny" / "LD-x-0.1-seed-3-0123456789ab"
    shutil.copytree(finished.folder, older)
    recipe = yaml.safe_load((older / "recipe.yaml").read_text())
    del recipe["training"]["report"]  # a key that the older version did not know
    (older / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    before = contents(tmp_path)
    assert execute(replace(finished, places=Places.of(tiny, runs=tmp_path))) == older
    assert contents(tmp_path) == before


def test_an_unfinished_run_of_an_older_version_is_not_taken_for_finished(finished, tiny, tmp_path):
    older = tmp_path / "tiny" / "LD-x-0.1-seed-3-0123456789ab"
    shutil.copytree(finished.folder, older)
    (older / "result.json").unlink()
    assert not replace(finished, places=Places.of(tiny, runs=tmp_path)).finished


def test_the_result_says_what_was_expected_to_be_hidden_and_which_policy_was_in_force(finished):
    result = json.loads((finished.folder / "result.json").read_text())
    assert result["in_force"] == [[0, str(finished.recipe.policy.policy())]]
    assert result["expected"]["channels"] == pytest.approx(result["masked"]["channels"], abs=0.2)
    assert 0 < result["expected"]["frames"] < result["expected"]["cells"] < 1
