"""Every mistake a user can make: one line that names it, status 2, and nothing half-written."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from specaug import cli

Rows = list[dict[str, Any]]


def train(laboratory: Path, *overrides: str) -> int:
    return cli.main(["train", str(laboratory / "experiments" / "tiny.yaml"), *overrides])


def complaint(capfd: pytest.CaptureFixture[str], last: bool = True) -> str:
    """The one line of standard error that is no progress."""
    errors = capfd.readouterr().err
    assert "Traceback" not in errors
    (line,) = [line for line in errors.splitlines() if line.startswith("specaug: ")]
    assert (errors.splitlines()[-1] == line) == last
    return line


def assert_nothing_half_written(laboratory: Path) -> None:
    assert not list(laboratory.rglob("result.json"))
    assert not list(laboratory.rglob(".probe-*"))
    assert not [path for path in laboratory.rglob(".features-*") if path.is_dir()]
    for store in (laboratory / "cache").glob("features-*"):
        assert store.suffix == ".lock" or (store / "index.json").is_file()


def edit(laboratory: Path, part: str, change: Callable[[Rows], object]) -> None:
    """Change the rows of a manifest."""
    manifest = laboratory / "data" / f"{part}.jsonl"
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    change(rows)
    manifest.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        pytest.param(["sed=1"], "tiny.yaml: unknown key 'sed'; did you mean 'seed'?", id="key"),
        pytest.param(
            ["policy=LDD"], "tiny.yaml: policy: unknown policy 'LDD'; did you mean 'LD'?", id="policy"
        ),
        pytest.param(
            ["network.path=models.bilstm.BiLSTM_CTC"],
            "unknown network 'models.bilstm.BiLSTM_CTC'; did you mean 'models.bilstm.BiLSTMCTC'?",
            id="network",
        ),
        pytest.param(
            ["network.arguments.widht=8"], "unknown argument 'widht'; did you mean 'width'?", id="argument"
        ),
        pytest.param(
            ["network.arguments.width=wide"], "network models.bilstm.BiLSTMCTC: ", id="argument's type"
        ),
        pytest.param(
            ["network.arguments.width=-1"], "network models.bilstm.BiLSTMCTC: ", id="argument's value"
        ),
        pytest.param(
            ["corpus.name=fsd"], "tiny.yaml: unknown corpus 'fsd'; did you mean 'fsdd'?", id="corpus"
        ),
        pytest.param(["policy.F=33"], "F is 33; expected at most the 32 mel channels", id="F"),
        pytest.param(["policy.p=1.1"], "p (TimeMask) is 1.1; expected a share in [0, 1]", id="p above"),
        pytest.param(["policy.p=-0.1"], "p (TimeMask) is -0.1; expected a share in [0, 1]", id="p below"),
        pytest.param(
            ["policy.m_T=-1"], "m_T (TimeMask) is -1; expected a whole number, 0 or more", id="count"
        ),
        pytest.param(["policy.W=1.5"], "policy.W is 1.5; input should be a valid integer", id="fraction"),
        pytest.param(["training.batch=-2"], "batch is -2; expected more than 0", id="batch"),
        pytest.param(["corpus.train=data/no.jsonl"], "data/no.jsonl: no such file", id="manifest"),
        pytest.param(["corpus.test=[data/train.jsonl]"], "makes a part called 'train'", id="part twice"),
        pytest.param(
            ["features.window=1e-5", "features.shift=1e-5"],
            "shift is 1e-05; expected more than 0",
            id="shift",
        ),
        pytest.param(
            ["features.lowest=4000"], "above 4000.0 Hz do not fit a sample rate of 8000 Hz", id="lowest"
        ),
        pytest.param(
            ["features.highest=8000"],
            "features: highest is 8000 Hz; expected 4000 Hz or less, half the sample rate",
            id="highest",
        ),
    ],
)
def test_a_mistake_in_the_recipe(laboratory, capfd, overrides, expected):
    assert train(laboratory, *overrides) == 2
    assert expected in complaint(capfd)
    assert_nothing_half_written(laboratory)


def empty(wav: Path) -> None:
    wav.write_bytes(b"")


def truncated(wav: Path) -> None:
    wav.write_bytes(wav.read_bytes()[:2000])


def headless(wav: Path) -> None:
    wav.write_bytes(b"no audio at all")


def holding_nan(wav: Path) -> None:
    wave, rate = soundfile.read(wav)
    wave[100] = np.nan
    soundfile.write(wav, wave, rate, subtype="FLOAT")


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        pytest.param(Path.unlink, "does not exist", id="missing"),
        pytest.param(empty, "is empty (0 bytes)", id="empty"),
        pytest.param(truncated, "is cut short: 1956 of 8000 bytes", id="truncated"),
        pytest.param(headless, "cannot be read: ", id="no audio"),
        pytest.param(holding_nan, "holds NaN or infinity; expected samples in [-1, 1]", id="NaN"),
    ],
)
def test_damaged_audio(laboratory, capfd, damage, expected):
    wav = laboratory / "data" / "train-1.wav"
    damage(wav)
    assert train(laboratory) == 2
    assert complaint(capfd).startswith(
        f"specaug: {laboratory}/data/train.jsonl:2: audio file {wav} {expected}"
    )
    assert_nothing_half_written(laboratory)


def set_field(place: int, **fields: Any) -> Callable[[Rows], object]:
    return lambda rows: rows[place].update(fields)


@pytest.mark.parametrize(
    ("part", "change", "expected"),
    [
        pytest.param(
            "train", set_field(2, text="  "), "train.jsonl:3: the transcript is empty; expected", id="empty"
        ),
        pytest.param(
            "dev",
            set_field(1, text="c4"),
            "dev.jsonl:2: characters '4' are not in the alphabet",
            id="alphabet",
        ),
        pytest.param(
            "train", set_field(0, text="ac" * 40), "train.jsonl:1: too short for its", id="too long"
        ),
        pytest.param(
            "train", set_field(3, id="train-0"), "train.jsonl:4: id 'train-0' is already used at", id="id"
        ),
        pytest.param(
            "dev", set_field(0, id="train-0"), "dev.jsonl:1: id 'train-0' is already used at", id="id across"
        ),
        pytest.param(
            "test",
            set_field(1, speaker="train-speaker"),
            "test.jsonl:2: speaker 'train-speaker' of part test is also in train",
            id="speaker",
        ),
        pytest.param(
            "train", set_field(0, duration=-1), "train.jsonl:1: field duration is -1; expected", id="duration"
        ),
        pytest.param(
            "train", lambda rows: rows[5].pop("text"), "train.jsonl:6: field text is missing", id="field"
        ),
        pytest.param(
            "dev", lambda rows: rows.clear(), "dev.jsonl: empty; expected at least one line", id="no line"
        ),
    ],
)
def test_a_mistake_in_a_manifest(laboratory, capfd, part, change, expected):
    edit(laboratory, part, change)
    assert train(laboratory) == 2
    assert expected in complaint(capfd)
    assert_nothing_half_written(laboratory)


def test_a_line_that_is_no_json(laboratory, capfd):
    manifest = laboratory / "data" / "train.jsonl"
    manifest.write_text(manifest.read_text() + "{\n")
    assert train(laboratory) == 2
    assert complaint(capfd).startswith(f"specaug: {manifest}:7: not JSON")


def test_two_sample_rates(laboratory, capfd):
    wav = laboratory / "data" / "train-4.wav"
    wave, rate = soundfile.read(wav)
    soundfile.write(wav, np.repeat(wave, 2), 2 * rate)
    assert train(laboratory) == 2
    expected = (
        f"train.jsonl:5: {wav} has 16000 Hz and {wav.with_name('train-0.wav')} has 8000 Hz; expected one"
    )
    assert expected in complaint(capfd)
    assert_nothing_half_written(laboratory)


def test_a_bad_utterance_is_skipped_where_the_recipe_says_so_unless_none_is_left(laboratory, capfd):
    for place in range(2):
        empty(laboratory / "data" / f"dev-{place}.wav")
    assert train(laboratory, "text.on_bad_utterance=skip") == 2
    assert "part dev has no utterance left of 2; expected at least one" in complaint(capfd)
    assert_nothing_half_written(laboratory)


def test_a_line_that_is_no_utterance_is_never_skipped(laboratory, capfd):
    edit(laboratory, "train", lambda rows: rows[1].pop("text"))
    assert train(laboratory, "text.on_bad_utterance=skip") == 2
    assert "train.jsonl:2: field text is missing" in complaint(capfd)


def test_the_same_run_goes_well_once_the_mistake_is_mended(laboratory, capfd):
    edit(laboratory, "train", set_field(2, text=""))
    assert train(laboratory) == 2
    edit(laboratory, "train", set_field(2, text="ab"))
    assert train(laboratory) == 0
    assert len(list(laboratory.rglob("result.json"))) == 1
    assert complaint(capfd, last=False)


@pytest.mark.parametrize("name", ["runs", "cache", "runs/tiny"])
def test_a_folder_that_cannot_be_written(laboratory, capfd, name):
    (laboratory / name).parent.mkdir(exist_ok=True)
    (laboratory / name).write_text("mine")
    assert train(laboratory) == 2
    line = complaint(capfd)
    assert line.startswith(f"specaug: {laboratory / name}")
    assert "cannot be written" in line
    assert (laboratory / name).read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["--workers", "0"], "--workers is 0; expected at least 1", id="workers"),
        pytest.param(["--seeds", "0,0"], "seeds hold 0 twice; expected each once", id="seeds"),
        pytest.param(
            ["--seeds", "[]"], "the recipe has no policies or no seeds; expected at least one", id="none"
        ),
        pytest.param(
            ["--policies", "LD,XX"], "policies.1: unknown policy 'XX'; known: None, LB", id="policies"
        ),
        pytest.param(["corpus.dev=data/no.jsonl"], "data/no.jsonl: no such file", id="data"),
    ],
)
def test_a_mistake_in_an_ablation_ends_before_the_first_run(laboratory, capfd, arguments, expected):
    assert cli.main(["ablate", str(laboratory / "experiments" / "tiny.yaml"), *arguments]) == 2
    assert expected in complaint(capfd)
    assert not (laboratory / "runs" / "tiny").exists()


def test_a_recipe_outside_a_laboratory(tmp_path, laboratory, capfd):
    shutil.copy(laboratory / "experiments" / "tiny.yaml", tmp_path / "stray.yaml")
    assert cli.main(["train", str(tmp_path / "stray.yaml")]) == 2
    assert "no folder above it holds models/; expected a laboratory" in complaint(capfd)


def test_a_recipe_that_is_not_there(laboratory, capfd):
    assert cli.main(["train", str(laboratory / "experiments" / "tin.yaml")]) == 2
    assert "tin.yaml: no such recipe; did you mean 'tiny.yaml'?" in complaint(capfd)
