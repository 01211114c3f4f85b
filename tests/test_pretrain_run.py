import json
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import deaths
import numpy as np
import pytest
import soundfile
import torch
from conftest import TONES, lay_out, speak
from filelock import FileLock
from PIL import Image
from pretrained import recipe_in
from safetensors import safe_open
from test_cli import WATCH

from specaug import cli
from specaug.errors import UserError
from specaug.study.cost.machines import Machine
from specaug.study.cost.memory import needed_by
from specaug.study.laboratory import on_path
from specaug.study.load import load_as
from specaug.study.places import Places
from specaug.study.pretraining.recipe import Pretraining
from specaug.study.pretraining.run import PretrainRun, execute, ready
from specaug.study.recipe import run_id
from specaug.study.results import find_runs
from specaug.training.callbacks import read_curves
from specaug.training.pretrain_module import pretext_loss

FAST = {"WANDB_MODE": "disabled"}


class Left(NamedTuple):
    """What a run leaves, but for its times."""

    last: dict[str, list[float]]
    best: dict[str, list[float]]
    encoder: bytes
    curves: bytes
    result: dict[str, Any]


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Path:
    """A laboratory with a recipe of pretraining."""
    folder = lay_out(tmp_path_factory.mktemp("pretrained") / "laboratory")
    recipe_in(folder)
    return folder


def test_a_batch_that_cannot_fit_is_told_before_pretraining(lab, tmp_path, monkeypatch):
    recipe = load_as(Pretraining, lab / "experiments" / "pretraining" / "tiny.yaml", ["training.batch=6"])
    run = PretrainRun("tiny", recipe, Places.of(lab, None, tmp_path / "runs"))
    with on_path(lab):
        made = ready(run)
    loss = partial(pretext_loss, made.hiding)
    need = needed_by(made.network, made.data.parts["train"], recipe.training, loss)
    assert need.each > 0
    small = Machine("a stand-in", 1, need.of(3) / 0.9, False)
    monkeypatch.setattr("specaug.study.cost.memory.here", lambda: small)
    with on_path(lab), pytest.raises(UserError, match=r"training.batch is 6: .* at most training.batch=3"):
        ready(run)
    assert not run.folder.exists()


@pytest.fixture(autouse=True)
def _quiet(monkeypatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")


def command(lab: Path, runs: Path, *overrides: str) -> list[str]:
    return [
        "pretrain",
        str(lab / "experiments" / "pretraining" / "tiny.yaml"),
        *overrides,
        "--runs",
        str(runs),
    ]


def folder_of(runs: Path) -> Path:
    (folder,) = runs.glob("pretraining/tiny/*")
    return folder


def weights(path: Path) -> dict[str, list[float]]:
    state = torch.load(path, weights_only=True)["state_dict"]
    return {name: tensor.flatten().tolist() for name, tensor in state.items()}


def left(runs: Path) -> Left:
    folder = folder_of(runs)
    result = json.loads((folder / "result.json").read_text())
    del result["wall_seconds"]
    kept = [(folder / name).read_bytes() for name in ("encoder.safetensors", "curves.csv")]
    return Left(weights(folder / "last.ckpt"), weights(folder / "best.ckpt"), *kept, result)


@pytest.fixture(scope="module")
def finished(lab, tmp_path_factory) -> Path:
    """The runs folder of a whole run."""
    runs = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        assert cli.main(command(lab, runs)) == 0
    return runs


def test_a_run_leaves_its_recipe_result_curves_encoder_and_pictures(finished):
    names = {path.name for path in folder_of(finished).iterdir()} - {".lock"}
    of_training = {"curves.csv", "best.ckpt", "last.ckpt"}
    of_pretraining = {"encoder.safetensors", "reconstructions.png"}
    assert names == {"recipe.yaml", "fingerprint", "result.json", *of_training, *of_pretraining}


def test_the_folder_is_named_for_people_and_ends_in_the_id_of_the_recipe_in_it(finished):
    folder = folder_of(finished)
    recipe = load_as(Pretraining, folder / "recipe.yaml")
    assert folder.name == f"seed-0-{run_id(recipe)}"


def test_the_result_says_what_was_run_and_what_came_out(finished):
    folder = folder_of(finished)
    result = json.loads((folder / "result.json").read_text())
    rows = [
        {name.removeprefix("dev/"): float(text) for name, text in row.items()}
        for row in read_curves(folder / "curves.csv")
    ]
    for name, row in (("final", rows[-1]), ("best", min(rows, key=lambda row: row["loss"]))):
        assert result[name] == {measure: row[measure] for measure in result[name]}
    assert set(result["final"]) == {"epoch", "loss", "reconstruction", "contrastive", "retrieval"}
    assert (result["epochs"], result["steps"], result["seed"], result["skipped"]) == (4, 12, 0, [])
    assert result["corpus"]["utterances"] == {"train": 6, "dev": 2}
    assert result["wall_seconds"] > 0
    assert set(result["versions"]) >= {"torch", "specaug"}


def test_the_sizes_are_those_of_the_encoder_and_of_all_that_was_trained(finished):
    folder = folder_of(finished)
    result, state = json.loads((folder / "result.json").read_text()), weights(folder / "last.ckpt")
    encoder = sum(len(values) for name, values in state.items() if name.startswith("network.encoder."))
    sizes = [result[what]["parameters"] for what in ("network", "objective")]
    assert sizes == [encoder, sum(map(len, state.values()))]


def test_the_encoder_that_is_kept_is_that_of_the_last_checkpoint_with_the_recipe(finished):
    folder = folder_of(finished)
    state = weights(folder / "last.ckpt")
    with safe_open(folder / "encoder.safetensors", "pt") as file:
        kept = {name: file.get_tensor(name).flatten().tolist() for name in file.keys()}  # noqa: SIM118 (no dict)
        recipe = json.loads(file.metadata()["recipe"])
    prefix = "network.encoder."
    assert kept == {
        name.removeprefix(prefix): values for name, values in state.items() if name.startswith(prefix)
    }
    assert recipe["features"]["mel"] == 32
    assert recipe["network"]["arguments"]["depth"] == 2
    again = load_as(Pretraining, folder / "recipe.yaml")
    (folder.parent.parent / "header.yaml").write_text(json.dumps(recipe))
    assert load_as(Pretraining, folder.parent.parent / "header.yaml").hidden == again.hidden


def test_with_report_best_the_encoder_is_that_of_the_best_checkpoint(lab, tmp_path):
    """At this rate, and without decay, InfoNCE on dev rises again."""
    coarse = ("training.peak=0.1", "training.schedule={s_r: 0, s_i: 11, s_f: 12}", "choose=contrastive")
    assert cli.main(command(lab, tmp_path, "training.report=best", *coarse)) == 0
    folder = folder_of(tmp_path)
    result = json.loads((folder / "result.json").read_text())
    best, last = weights(folder / "best.ckpt"), weights(folder / "last.ckpt")
    assert best != last
    assert result["best"]["contrastive"] < result["final"]["contrastive"]
    with safe_open(folder / "encoder.safetensors", "pt") as file:
        kept = file.get_tensor("embedding.weight").flatten().tolist()
    assert kept == best["network.encoder.embedding.weight"] != last["network.encoder.embedding.weight"]


def test_the_picture_has_a_row_for_each_utterance_of_dev_and_some_colour(finished):
    with Image.open(folder_of(finished) / "reconstructions.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape[1] > pixels.shape[0] > 500  # two rows
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100


def test_the_same_recipe_twice_has_the_same_bits(lab, finished, tmp_path):
    assert cli.main(command(lab, tmp_path)) == 0
    assert left(tmp_path) == left(finished)


def test_a_finished_run_is_answered_from_disk_and_its_encoder_is_printed(lab, finished, capsys):
    before = (folder_of(finished) / "result.json").stat().st_mtime_ns
    assert cli.main(command(lab, finished)) == 0
    assert capsys.readouterr().out == f"{folder_of(finished) / 'encoder.safetensors'}\n"
    assert (folder_of(finished) / "result.json").stat().st_mtime_ns == before


def test_a_run_that_an_older_version_finished_is_found_again(lab, finished, tmp_path):
    shutil.copytree(finished, tmp_path / "runs")
    folder = folder_of(tmp_path / "runs")
    older = folder.with_name("seed-0-0123456789ab")
    folder.rename(older)
    recipe = load_as(Pretraining, lab / "experiments" / "pretraining" / "tiny.yaml").run()
    assert PretrainRun("tiny", recipe, Places.of(lab, runs=tmp_path / "runs")).folder == older


@pytest.mark.slow
@pytest.mark.parametrize("point", ["pretraining", "checkpoint", "pretrained"])
def test_a_killed_run_that_is_started_again_has_the_bits_of_the_unbroken_one(lab, finished, tmp_path, point):
    assert deaths.killed(point, command(lab, tmp_path), FAST) == -signal.SIGKILL
    assert not (folder_of(tmp_path) / "result.json").exists()
    assert cli.main(command(lab, tmp_path)) == 0
    assert left(tmp_path) == left(finished)


@pytest.mark.slow
def test_ctrl_c_ends_with_one_line_that_says_how_to_go_on(lab, finished, tmp_path):
    runs, errors = tmp_path / "runs", tmp_path / "errors"
    assert deaths.lived("pretraining", signal.SIGINT, command(lab, runs), FAST, errors) == 130
    said = errors.read_text().splitlines()
    goes_on = " ".join(command(lab, runs))
    assert said[-1] == f"specaug: interrupted; what is done is kept. To go on: specaug {goes_on}"
    assert cli.main(command(lab, runs)) == 0
    assert left(runs) == left(finished)


def test_each_seed_is_a_run_and_a_seed_that_is_asked_for_is_alone(lab, finished, tmp_path, capsys):
    shutil.copytree(finished, tmp_path / "runs")
    quick = ("training.schedule.s_f=7", "training.schedule.s_i=3")
    assert cli.main(command(lab, tmp_path / "runs", "seeds=1,2", *quick)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [Path(line).parent.name[:6] for line in lines] == ["seed-1", "seed-2"]
    assert len({Path(line).read_bytes() for line in lines}) == 2
    assert cli.main(command(lab, tmp_path / "runs", "seed=2", *quick)) == 0
    assert capsys.readouterr().out.splitlines() == lines[1:]


def test_print_config_prints_a_recipe_of_the_same_runs(lab, tmp_path, capsys):
    assert cli.main([*command(lab, tmp_path, "seeds=3,4"), "--print-config"]) == 0
    printed = capsys.readouterr().out
    (tmp_path / "printed.yaml").write_text(printed)
    assert cli.main(["pretrain", str(tmp_path / "printed.yaml"), "--print-config"]) == 0
    assert capsys.readouterr().out == printed
    assert "seeds:\n- 3\n- 4\n" in printed


def test_runs_of_pretraining_are_in_the_way_of_no_comparison(finished):
    found = find_runs([finished])
    assert (found.finished, found.unfinished) == ([], [])
    with pytest.raises(UserError, match="a run of pretraining, which recognises nothing; expected runs that"):
        find_runs([finished / "pretraining"])


def test_features_are_shared_with_ordinary_runs(laboratory):
    recipe_in(laboratory)
    assert cli.main(command(laboratory, laboratory / "runs")) == 0
    assert cli.main(["data", "make", str(laboratory / "experiments" / "tiny.yaml")]) == 0
    assert len([path for path in (laboratory / "cache").glob("features-*") if path.is_dir()]) == 1


def rows_of(lab: Path, part: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (lab / "data" / f"{part}.jsonl").read_text().splitlines()]


def put(lab: Path, part: str, rows: list[dict[str, Any]]) -> None:
    (lab / "data" / f"{part}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def test_transcripts_are_not_looked_at_nor_are_test_parts(laboratory):
    recipe_in(laboratory)
    put(
        laboratory,
        "train",
        [
            {**row, "text": text}
            for row, text in zip(rows_of(laboratory, "train"), ["", "é"] * 3, strict=True)
        ],
    )
    put(laboratory, "test", [{**row, "audio_filepath": "gone.wav"} for row in rows_of(laboratory, "test")])
    assert cli.main(command(laboratory, laboratory / "runs")) == 0


def test_an_utterance_that_is_too_short_for_the_mask_is_told_or_left_out(laboratory, capsys):
    """Of 0.05 s: three frames, and one whole patch."""
    recipe_in(laboratory)
    short = laboratory / "data" / "short.wav"
    speak(short, "a")
    wave, rate = soundfile.read(short)
    soundfile.write(short, wave[: rate // 20], rate)
    row = {**rows_of(laboratory, "train")[0], "id": "short", "audio_filepath": "short.wav", "duration": 0.05}
    put(laboratory, "train", [*rows_of(laboratory, "train"), row])
    assert cli.main(command(laboratory, laboratory / "runs")) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    where = f"specaug: {laboratory / 'data' / 'train.jsonl'}:{1 + len(TONES['train'])}: "
    what = (
        "an utterance of 3 frames has 1 whole patches of 2 frames by 32 channels, of which share 0.6 hides 0"
    )
    assert said == f"{where}{what}; expected 1 at least, and not all"
    assert not list((laboratory / "runs").glob("pretraining/*/*"))
    assert cli.main(command(laboratory, laboratory / "runs", "on_bad_utterance=skip")) == 0
    assert "skipped 1 utterance; the first: " in capsys.readouterr().err
    result = json.loads((folder_of(laboratory / "runs") / "result.json").read_text())
    assert result["corpus"]["utterances"]["train"] == len(TONES["train"])
    assert len(result["skipped"]) == 1


ALL_OF_THEM = "of 2 frames by 32 channels, of which number"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        pytest.param(["hidden={number: 100}"], ALL_OF_THEM, id="all"),
        pytest.param(
            ["hidden.share=0.01"], "share 0.01 hides 0; expected 1 at least, and not all", id="none"
        ),
        pytest.param(
            ["network.arguments.t=200"], "has 0 whole patches of 200 frames by 32 channels", id="shorter"
        ),
        pytest.param(
            ["objective.path=models.ssast.Ssats"],
            "unknown objective 'models.ssast.Ssats'; did you mean 'models.ssast.SSAST'?",
            id="objective",
        ),
        pytest.param(["features.mel=40"], "encoder models.ast.AST: mel is 40; expected a multiple", id="mel"),
        pytest.param(
            ["choose=retrieval", "objective.path=models.ssast.Generative"],
            "choose is retrieval; expected loss or reconstruction: models.ssast.Generative tells no other",
            id="measure",
        ),
        pytest.param(
            ["choose=retrieval"],
            "training.report is last; expected best: choose: retrieval says which checkpoint is the best, and",
            id="choice of the last",
        ),
        pytest.param(["policy=LD"], "unknown key 'policy'", id="key"),
        pytest.param(["corpus.dev=data/no.jsonl"], "data/no.jsonl: no such file", id="corpus"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_written(lab, tmp_path, capsys, overrides, message):
    assert cli.main(command(lab, tmp_path / "runs", *overrides)) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("specaug: ")
    assert message in said[-1]
    assert not list((tmp_path / "runs").glob("pretraining/*"))


def test_data_that_have_changed_are_refused(laboratory, capsys):
    recipe_in(laboratory)
    runs = laboratory / "runs"
    assert deaths.killed("pretraining", command(laboratory, runs), FAST) == -signal.SIGKILL
    put(laboratory, "dev", [{**row, "speaker": "another"} for row in rows_of(laboratory, "dev")])
    assert cli.main(command(laboratory, runs)) == 2
    assert "trained on data that have changed since" in capsys.readouterr().err


def test_a_run_that_another_process_is_at_is_refused(lab, finished, tmp_path):
    shutil.copytree(finished, tmp_path / "runs")
    folder = folder_of(tmp_path / "runs")
    (folder / "result.json").unlink()
    recipe = load_as(Pretraining, lab / "experiments" / "pretraining" / "tiny.yaml").run()
    with FileLock(folder / ".lock"), pytest.raises(UserError, match="another process is at this run"):
        execute(PretrainRun("tiny", recipe, Places.of(lab, runs=tmp_path / "runs")))


@pytest.mark.slow
@pytest.mark.parametrize(
    "objective",
    [
        "{path: models.maskspec.MaskSpec, arguments: {width: 12, depth: 1, heads: 2}}",
        "{path: models.ssast.Discriminative}",
    ],
)
def test_every_objective_goes_the_whole_way(lab, tmp_path, objective):
    assert cli.main(command(lab, tmp_path, f"objective={objective}", "network.arguments.f=16")) == 0
    assert (folder_of(tmp_path) / "encoder.safetensors").is_file()


@pytest.mark.slow
def test_wandb_has_every_row_once_and_a_batch_with_what_is_hidden(lab, tmp_path, monkeypatch, records):
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert deaths.killed("pretraining", command(lab, tmp_path), {"WANDB_MODE": "offline"}) == -signal.SIGKILL
    assert cli.main(command(lab, tmp_path)) == 0
    (log,) = (folder_of(tmp_path) / "wandb").glob("offline-run-*")
    found = records(log)
    rows = [record["history"]["item"] for record in found if record["type"] == "history"]
    assert [row["_step"] for row in rows] == [0, 3, 6, 9, 12, 13]  # pictures, an epoch each, pictures
    assert rows[0]["masked batch.count"] == 2
    assert all("dev/retrieval" in row and "train/contrastive" in row for row in rows[1:-1])
    assert rows[-1]["reconstructions.count"] == 2


@pytest.mark.parametrize("words", [["--print-config"], ["--help"], ["sed=1"]], ids=str)
def test_help_and_print_config_import_nothing_slow(lab, words):
    recipe = str(lab / "experiments" / "pretraining" / "tiny.yaml")
    done = subprocess.run(
        [sys.executable, "-c", WATCH, "pretrain", recipe, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == (2 if "sed=1" in words else 0), done.stderr
