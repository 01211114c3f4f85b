import csv
import json
import os
from pathlib import Path

import deaths
import numpy as np
import pytest
from PIL import Image

from specaug import cli
from specaug.study.mirror import Bell, Mirror

BROKEN = """from models.bilstm import BiLSTMCTC

class Broken(BiLSTMCTC):
    steps = 0

    def loss(self, *batch):
        self.steps += self.training
        if self.steps > 4:  # the dry run and a validation are past
            raise ArithmeticError("broken on purpose")
        return super().loss(*batch)
"""


def train(laboratory: Path, runs: Path, *overrides: str) -> int:
    return cli.main(["train", str(laboratory / "experiments" / "tiny.yaml"), *overrides, "--runs", str(runs)])


def log_of(runs: Path, policy: str) -> Path:
    (folder,) = runs.glob(f"tiny/{policy}-*/wandb/offline-run-*")
    return folder


@pytest.fixture(scope="module")
def runs(tiny, tmp_path_factory) -> Path:
    """Two runs of one process, mirrored."""
    folder = tmp_path_factory.mktemp("mirrored")
    for policy in ("LD", "LB"):
        assert train(tiny, folder, f"policy={policy}") == 0
    return folder


@pytest.fixture(scope="module")
def seen(runs, records):
    return records(log_of(runs, "LD"))


def history(seen):
    return [record["history"]["item"] for record in seen if record["type"] == "history"]


def test_a_run_is_in_the_project_of_the_experiment_and_the_group_of_its_policy(seen):
    (run,) = [record["run"] for record in seen if record["type"] == "run"]
    assert (run["project"], run["run_group"], run["job_type"]) == ("tiny", "LD x 0.1", "train")
    assert run["display_name"] == "LD x 0.1 seed 0"
    assert run["tags"] == ["manifests", "LD x 0.1", "seed 0"]


def test_the_config_is_flat_and_tells_policy_seed_and_network(seen):
    (run,) = [record["run"] for record in seen if record["type"] == "run"]
    config = run["config"]["update"]
    expected = {"policy": "LD x 0.1", "W": 8, "F": 27, "m_F": 2, "T": 10, "p": 1, "m_T": 2, "seed": 0}
    assert {name: config[name] for name in expected} == expected
    assert (config["network"], config["network.width"]) == ("models.bilstm.BiLSTMCTC", 8)


@pytest.mark.parametrize("name", ["dev/wer", "dev/cer", "dev/loss", "train/loss"])
def test_a_curve_is_drawn_over_epochs_and_summed_up_by_its_minimum(seen, name):
    metrics = {r["metric"].get("name"): r["metric"] for r in seen if r["type"] == "metric"}
    assert metrics[name]["step_metric"] == "epoch"
    assert metrics[name]["summary"] == {"min": True}


def test_the_rows_are_those_of_the_curve_on_disk(runs, seen):
    with (log_of(runs, "LD").parents[1] / "curves.csv").open(newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    logged = [{name: row[name] for name in rows[0]} for row in history(seen) if "epoch" in row]
    assert logged == rows
    assert [row["strength"] for row in rows] == [1.0] * 4


def test_the_file_is_looked_at_for_an_epoch_and_not_for_each_step():
    class Looked(Mirror):
        def __init__(self) -> None:
            self.times = 0

        def look(self) -> None:
            self.times += 1

    bell = Bell(mirror := Looked())
    bell.log_metrics({"policy/strength": 1.0}, step=5)
    assert mirror.times == 0
    bell.log_metrics({"epoch": 1, "step": 6}, step=6)
    assert mirror.times == 1


def test_the_table_holds_the_hypotheses(runs, seen):
    (row,) = [row for row in history(seen) if "hypotheses.path" in row]
    table = json.loads((log_of(runs, "LD") / "files" / row["hypotheses.path"]).read_text())
    assert table["columns"] == ["part", "id", "reference", "hypothesis", "errors", "words"]
    assert [line[:3] for line in table["data"]] == [
        ["dev", "dev-0", "bc"],
        ["dev", "dev-1", "c a"],
        ["test", "test-0", "ac"],
        ["test", "test-1", "b c"],
    ]


def test_the_picture_shows_the_masked_utterance_above_the_clean_one(runs, seen):
    (row,) = [row for row in history(seen) if "augmented batch.filenames" in row]
    files = row["augmented batch.filenames"]
    assert len(set(files)) == len(row["augmented batch.captions"]) == 2
    pixels = np.asarray(Image.open(log_of(runs, "LD") / "files" / files[0]))[..., :3]
    masked, clean = pixels[:32], pixels[32:]
    assert len(np.unique(clean.reshape(-1, 3), axis=0)) > 50
    assert not np.array_equal(masked, clean)
    neutral = (np.abs(masked.astype(int) - [33, 145, 140]) <= 2).all(axis=2)  # the middle of viridis
    assert neutral.all(axis=1).any() or neutral.all(axis=0).any()


def test_the_last_error_rates_are_in_the_summary(seen):
    summary = {}
    for record in seen:
        summary |= record["summary"].get("update", {}) if record["type"] == "summary" else {}
    assert {"dev/final_wer", "test/final_wer", "dev/final_cer", "test/final_cer", "masked"} <= set(summary)


def test_a_finished_run_is_closed_with_status_0(seen):
    assert seen[-1]["type"] == "exit"
    assert seen[-1]["exit"].get("exit_code", 0) == 0


def test_artifacts_lie_beside_the_runs_which_may_be_renamed(runs):
    assert any((runs / "tiny" / "wandb-artifacts" / "artifacts" / "staging").iterdir())
    assert "WANDB_DATA_DIR" not in os.environ


def test_the_steps_are_those_of_the_optimiser(seen):
    steps = [(row["_step"], row["step"]) for row in history(seen) if "epoch" in row]
    assert steps == [(3, 3), (6, 6), (9, 9), (12, 12)]


def test_a_run_whose_training_raises_is_closed_with_status_1(laboratory, tmp_path, monkeypatch, records):
    monkeypatch.setenv("WANDB_MODE", "offline")
    (laboratory / "models" / "broken.py").write_text(BROKEN)
    with pytest.raises(ArithmeticError, match="on purpose"):
        train(laboratory, tmp_path, "policy=LD", "network.path=models.broken.Broken")
    last = records(log_of(tmp_path, "LD"))[-1]
    assert (last["type"], last["exit"]["exit_code"]) == ("exit", 1)


def test_wandb_says_nothing_on_the_terminal(tiny, tmp_path):
    """In a process of its own: W&B gives some of its warnings once a process."""
    errors, recipe = tmp_path / "errors", tiny / "experiments" / "tiny.yaml"
    arguments = ["train", str(recipe), "policy=SS", "--runs", str(tmp_path / "runs")]
    assert deaths.lived("never", 0, arguments, {"WANDB_MODE": "offline"}, errors) == 0
    said = [line for line in errors.read_text().splitlines() if not line.startswith(("features: ", "["))]
    assert said == [f"{recipe}: SS x 0.1, seed 0", "SS x 0.1, seed 0: finished (1 of 1)"]
    assert log_of(tmp_path / "runs", "SS")


def test_wandb_disabled_leaves_it_out(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert train(tiny, tmp_path) == 0
    assert not list(tmp_path.rglob("*wandb*"))


def test_online_without_a_key_is_the_users_to_mend(tiny, tmp_path, monkeypatch, capfd):
    for name, value in {
        "HOME": str(tmp_path),
        "WANDB_BASE_URL": "http://127.0.0.1:9",
        "WANDB_MODE": "",
    }.items():
        monkeypatch.setenv(name, value)
    assert train(tiny, tmp_path / "runs", "--online") == 2
    assert capfd.readouterr().err.splitlines()[-1].startswith("specaug: W&B: No API key configured")
    assert not list(tmp_path.rglob("result.json"))
