import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from standins import tones

from specaug import cli
from specaug.errors import UserError
from specaug.speech.check import Problem
from specaug.study.ablation import ready
from specaug.study.load import load
from specaug.study.origin import left_out, same_data, trained_on
from specaug.study.places import Places
from specaug.study.screen import Screen


@pytest.fixture
def runs(tmp_path) -> Path:
    """Run folders of data with the fingerprint "old", as far as each has come."""
    for name, files in {
        "begun": ("fingerprint",),
        "killed": ("fingerprint", "last.ckpt"),
        "killed.try-3": ("fingerprint", "last.ckpt"),
        "older": ("last.ckpt",),
        "empty": (),
    }.items():
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text("old")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "fingerprint"),
    [("begun", None), ("killed", "old"), ("older", None), ("empty", None), ("no such folder", None)],
)
def test_a_run_is_of_the_data_that_it_was_begun_with_once_there_is_a_checkpoint(runs, name, fingerprint):
    assert trained_on(runs / name) == fingerprint


def test_runs_of_other_data_are_refused_with_the_folder_to_delete(runs, tone_corpus):
    same_data([runs / name for name in ("begun", "older", "empty", "no such folder")], tone_corpus)
    with pytest.raises(UserError) as caught:
        same_data([runs / "begun", runs / "killed"], tone_corpus)
    assert str(caught.value) == (
        f"{runs / 'killed'} (and 1 more): trained on data that have changed since (fingerprint old, now "
        f"{tone_corpus.fingerprint}); expected the same, or the folder deleted, to train anew"
    )
    shutil.rmtree(runs / "killed")
    with pytest.raises(UserError, match=r"killed\.try-3: trained on data"):
        same_data([runs / "killed"], tone_corpus)


def test_skipped_utterances_are_counted_once_however_many_faults_they_have(tmp_path):
    problems = [Problem("m:1", "empty"), Problem("m:1", "foreign"), Problem("m:2", "short")]
    assert (
        left_out(replace(tones(tmp_path), skipped=problems)) == "skipped 2 utterances; the first: m:1: empty"
    )


def command(laboratory: Path, verb: str, *words: str) -> list[str]:
    return [verb, str(laboratory / "experiments" / "tiny.yaml"), *words]


def say_otherwise(laboratory: Path) -> None:
    """Change a transcript of the training part."""
    manifest = laboratory / "data" / "train.jsonl"
    manifest.write_text(manifest.read_text().replace('"cab"', '"cac"'))


def test_finished_runs_of_data_that_have_changed_stop_an_ablation_before_it_trains(laboratory, capfd):
    assert cli.main(command(laboratory, "train", "policy=LD", "seed=0")) == 0
    (run,) = (laboratory / "runs" / "tiny").iterdir()
    (run / "fingerprint").unlink()  # an older version kept none: the result says it too
    say_otherwise(laboratory)
    assert cli.main(command(laboratory, "ablate", "--workers", "1")) == 2
    assert f"specaug: {run}: trained on data that have changed since" in capfd.readouterr().err
    assert list((laboratory / "runs" / "tiny").iterdir()) == [run]


def test_a_killed_run_does_not_go_on_with_data_that_have_changed(laboratory, capfd):
    assert cli.main(command(laboratory, "train")) == 0
    (run,) = (laboratory / "runs" / "tiny").iterdir()
    fingerprint = json.loads((run / "result.json").read_text())["corpus"]["fingerprint"]
    assert (run / "fingerprint").read_text() == fingerprint
    (run / "result.json").unlink()
    kept = (run / "last.ckpt").read_bytes()
    say_otherwise(laboratory)
    assert cli.main(command(laboratory, "train")) == 2
    told = capfd.readouterr().err
    assert f"specaug: {run}: trained on data that have changed since (fingerprint {fingerprint}, now" in told
    assert (run / "last.ckpt").read_bytes() == kept
    shutil.rmtree(run)
    assert cli.main(command(laboratory, "train")) == 0


def test_an_ablation_says_what_is_skipped_once_before_it_trains(laboratory):
    (laboratory / "data" / "train-2.wav").write_bytes(b"")
    (laboratory / "data" / "dev-0.wav").write_bytes(b"")
    said: list[str] = []

    class Heard(Screen):
        def say(self, what: str) -> None:
            said.append(what)

    recipe = load(laboratory / "experiments" / "tiny.yaml", ["text.on_bad_utterance=skip"])
    assert len(ready("tiny", recipe, Places.of(laboratory), Heard(1))) == 4
    (line,) = [line for line in said if "skipped" in line]
    assert line.startswith(f"skipped 2 utterances; the first: {laboratory / 'data' / 'train.jsonl'}:3: audio")
