import csv
from dataclasses import replace
from pathlib import Path

import lightning as L
import pytest
import torch
from standins import ALPHABET, OneLayer, Plan, Scripted, quiet_trainer, tones

from specaug.speech.scoring import Errors
from specaug.study.views.shown import numbers
from specaug.training.callbacks import Checkpoints, Progress, Report, Reseed, Scoring, read_curves
from specaug.training.fit import train
from specaug.training.module import Evaluated
from specaug.training.seeds import mixed
from specaug.training.strength import Strength

OLDER = "epoch,step,learning_rate,train/loss,dev/loss,dev/wer,dev/cer"  # of an older version
HEADER = f"{OLDER},strength"
ROW = "{epoch},{step},0.1,2.5,1.5,1.0,1.0,1.0"


class Nothing(L.LightningModule):
    """A module that takes what callbacks log, and keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.logged: dict[str, float] = {}

    def log(self, name: str, value: float, **_: object) -> None:
        self.logged[name] = value


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "curves.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def epoch_of(checkpoint: Path) -> int:
    return int(torch.load(checkpoint, weights_only=True)["epoch"]) + 1


def test_a_pass_is_scored_utterance_by_utterance_and_its_loss_is_per_label(tone_corpus):
    module, scoring = Nothing(), Scoring("dev", tone_corpus.parts["dev"], ALPHABET)  # "dad", "a cab b"
    scoring.on_validation_epoch_start(quiet_trainer(1), module)
    written = {"dev-1": "a cab", "dev-0": "bad"}
    for (name, text), loss, labels in zip(written.items(), (2.0, 4.0), (7, 3), strict=True):
        outputs = Evaluated([name], torch.tensor(loss), labels, [ALPHABET.encode(text)])
        scoring.on_validation_batch_end(quiet_trainer(1), module, outputs, None, 0)
    scoring.on_validation_epoch_end(quiet_trainer(1), module)
    assert [(t.id, t.reference, t.hypothesis) for t in scoring.scores.transcripts] == [
        ("dev-0", "dad", "bad"),
        ("dev-1", "a cab b", "a cab"),
    ]
    assert scoring.scores.words == Errors(1, 1, 0, 4)
    assert scoring.scores.characters == Errors(1, 2, 0, 10)
    assert module.logged == pytest.approx({"dev/wer": 2 / 4, "dev/cer": 3 / 10, "dev/loss": (14 + 12) / 10})


def test_the_next_pass_forgets_the_one_before(tone_corpus):
    module, scoring = Nothing(), Scoring("dev", tone_corpus.parts["dev"], ALPHABET)
    for loss in (5.0, 1.0):
        scoring.on_validation_epoch_start(quiet_trainer(1), module)
        outputs = Evaluated(["dev-0"], torch.tensor(loss), 3, [[]])
        scoring.on_validation_batch_end(quiet_trainer(1), module, outputs, None, 0)
        scoring.on_validation_epoch_end(quiet_trainer(1), module)
    assert (len(scoring.scores.transcripts), scoring.scores.loss) == (1, 1.0)


def test_the_curves_have_a_row_an_epoch_with_the_mean_loss_of_its_steps(tone_corpus, tmp_path):
    class Keeping(OneLayer):
        def loss(self, *batch: torch.Tensor) -> torch.Tensor:
            loss = super().loss(*batch)
            if self.training:
                losses.append(float(loss.detach()))
            return loss

    losses: list[float] = []
    outcome = train(Plan(folder=tmp_path, prepared=tone_corpus, network=Keeping()).job())
    rows = rows_of(tmp_path)
    assert ",".join(rows[0]) == HEADER
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "3"), ("2", "6"), ("3", "9"), ("4", "12")]
    means = [sum(losses[start : start + 3]) / 3 for start in (0, 3, 6, 9)]
    assert [float(row["train/loss"]) for row in rows] == pytest.approx(means)
    dev = outcome.parts["dev"]
    last = [float(rows[-1][f"dev/{name}"]) for name in ("loss", "wer", "cer")]
    assert last == pytest.approx([dev.loss, dev.words.rate, dev.characters.rate])


@pytest.mark.parametrize(
    ("strength", "expected"),
    [
        pytest.param(Strength(), [1, 1, 1, 1], id="constant"),
        pytest.param(
            Strength(start=3, end=9), [0, 1 / 3, 5 / 6, 1], id="ramp"
        ),  # its last step is 2, 5, 8, 11
    ],
)
def test_the_curves_hold_the_strength_at_the_last_step_of_each_epoch(
    tone_corpus, tmp_path, strength, expected
):
    train(replace(Plan(folder=tmp_path, prepared=tone_corpus).job(), strength=strength))
    assert [float(row["strength"]) for row in rows_of(tmp_path)] == pytest.approx(expected)


def test_a_run_goes_on_in_the_curves_of_an_older_version(tone_corpus, tmp_path):
    plan = Plan(folder=tmp_path, prepared=tone_corpus, steps=6)  # two epochs
    train(plan.job())
    lines = (tmp_path / "curves.csv").read_text().splitlines()
    older = [line.rpartition(",")[0] for line in lines]
    assert older[0] == OLDER
    (tmp_path / "curves.csv").write_text("".join(f"{line}\n" for line in older))
    plan.steps, plan.network = 12, OneLayer()
    train(plan.job())
    rows = [numbers(row) for row in read_curves(tmp_path / "curves.csv")]
    assert [row.get("strength") for row in rows] == [None, None, 1.0, 1.0]
    assert [",".join(row.values()) for row in rows_of(tmp_path)[:2]] == [f"{line}," for line in older[1:]]


@pytest.mark.parametrize(
    "torn",
    [
        pytest.param("", id="whole"),
        pytest.param("3", id="one field"),
        pytest.param("3,9,0.1,2.5,1.5,1.0,1.0", id="one field short"),
        pytest.param("3,9,0.1,2.5,1.5,1.0,1.0,0.", id="last field torn"),
        pytest.param(f"{ROW.format(epoch=3, step=9)}\n4,1", id="two more rows"),
    ],
)
def test_rows_past_the_checkpoint_and_torn_rows_are_dropped(tone_corpus, tmp_path, torn):
    plan = Plan(folder=tmp_path, prepared=tone_corpus, steps=6)  # two epochs
    train(plan.job())
    kept = (tmp_path / "curves.csv").read_text()
    (tmp_path / "curves.csv").write_text(kept + torn, newline="")
    plan.steps, plan.network = 12, OneLayer()
    train(plan.job())
    assert (tmp_path / "curves.csv").read_text().startswith(kept)
    assert [row["epoch"] for row in rows_of(tmp_path)] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("cut", range(1, 1 + len(ROW.format(epoch=2, step=6))))
def test_a_torn_last_line_never_stops_a_reader(tmp_path, cut):
    path = tmp_path / "curves.csv"
    path.write_text(f"{HEADER}\n{ROW.format(epoch=1, step=3)}\n{ROW.format(epoch=2, step=6)[:cut]}")
    rows = read_curves(path)
    assert rows[0]["dev/cer"] == "1.0"
    assert all(None not in row.values() for row in rows)
    assert len(rows) == 1


def test_no_file_has_no_rows(tmp_path):
    assert read_curves(tmp_path / "curves.csv") == []


def test_a_new_run_does_not_go_on_in_the_curves_of_another(tone_corpus, tmp_path):
    (tmp_path / "curves.csv").write_text(f"{HEADER}\n{ROW.format(epoch=1, step=3)}\n")
    train(Plan(folder=tmp_path, prepared=tone_corpus).job())
    assert [row["epoch"] for row in rows_of(tmp_path)] == ["1", "2", "3", "4"]
    assert rows_of(tmp_path)[0]["train/loss"] != "2.5"


@pytest.mark.parametrize(
    ("script", "best"),
    [
        pytest.param([True, False, False, False], 1, id="the first"),
        pytest.param([False, True, True, False], 3, id="the later of equals"),
        pytest.param([False] * 4, 4, id="all equal"),
    ],
)
def test_the_best_checkpoint_is_the_later_of_the_equals(tmp_path, script, best):
    prepared = tones(tmp_path, {"train": ["a", "a"], "dev": ["a"]})
    folder = tmp_path / "run"
    train(Plan(folder=folder, prepared=prepared, network=Scripted(script, 1), steps=4).job())
    assert (epoch_of(folder / "best.ckpt"), epoch_of(folder / "last.ckpt")) == (best, 4)


def test_a_continued_run_knows_how_good_the_best_was(tmp_path):
    prepared = tones(tmp_path, {"train": ["a", "a"], "dev": ["a"]})
    plan = Plan(folder=tmp_path / "run", prepared=prepared)
    for plan.steps in (4, 6):  # 4 epochs, then 2 more
        plan.network = Scripted([False, True, False, False, False, False], 1)
        train(plan.job())
    assert epoch_of(plan.folder / "best.ckpt") == 2


class Torn(L.Trainer):
    """A trainer whose disk is full in the middle of a checkpoint."""

    def save_checkpoint(self, path: Path, *_: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("no space left on device")


def test_a_checkpoint_is_whole_or_is_the_one_before(tmp_path):
    for name in ("last.ckpt", "best.ckpt"):
        (tmp_path / name).write_bytes(b"whole")
    checkpoints = Checkpoints(tmp_path)
    checkpoints.improved = True
    with pytest.raises(OSError, match="no space"):
        checkpoints.on_train_epoch_end(Torn(logger=False), Nothing())
    assert [(tmp_path / name).read_bytes() for name in ("last.ckpt", "best.ckpt")] == [b"whole"] * 2


class Whole(L.Trainer):
    """A trainer that saves."""

    def save_checkpoint(self, path: Path, *_: object) -> None:
        Path(path).write_bytes(b"new")


def test_checkpoints_are_renamed_into_place_so_that_an_open_one_stays_as_it_was(tmp_path):
    for name in ("last.ckpt", "best.ckpt"):
        (tmp_path / name).write_bytes(b"old")
    checkpoints = Checkpoints(tmp_path)
    checkpoints.improved = True
    with (tmp_path / "last.ckpt").open("rb") as last, (tmp_path / "best.ckpt").open("rb") as best:
        checkpoints.on_train_epoch_end(Whole(logger=False), Nothing())
        assert (last.read(), best.read()) == (b"old", b"old")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "last.ckpt": b"new",
        "best.ckpt": b"new",
    }


def test_a_run_tells_how_far_it_is(tone_corpus, tmp_path):
    told: list[Progress] = []
    train(Plan(folder=tmp_path, prepared=tone_corpus, report=told.append).job())
    assert told  # the first step at least: it is told at most twice a second
    assert (told[0].step, told[0].steps, told[0].epoch, told[0].epochs, told[0].wer) == (1, 12, 1, 4, None)
    assert told[0].loss > 0


def test_the_losses_that_are_told_of_the_shares_of_a_step_have_its_loss_as_their_mean(
    tone_corpus, tmp_path, monkeypatch
):
    monkeypatch.setattr(Report, "INTERVAL", 0.0)
    told: dict[int, list[float]] = {1: [], 2: []}
    for shares, losses in told.items():
        plan = Plan(
            folder=tmp_path / f"{shares}",
            prepared=tone_corpus,
            network=OneLayer(dropout=0.0),
            options={"accumulate": shares},
            report=lambda progress, losses=losses: losses.append(progress.loss),
        )
        train(plan.job())
    assert sum(told[2][:2]) / 2 == pytest.approx(told[1][0], rel=1e-5)


def drawn(seed: int, epoch: int) -> float:
    trainer = quiet_trainer(9)
    trainer.fit_loop.epoch_progress.current.completed = epoch
    trainer.fit_loop.epoch_progress.current.processed = epoch
    Reseed(seed).on_train_epoch_start(trainer, Nothing())
    return float(torch.rand(()))


def test_torch_is_seeded_by_seed_and_epoch_whatever_was_drawn_before():
    places = [(seed, epoch) for seed in range(3) for epoch in range(3)]
    once = {place: drawn(*place) for place in places}
    assert {place: drawn(*place) for place in reversed(places)} == once
    assert len(set(once.values())) == 9


def test_mixed_seeds_are_of_63_bits_and_of_all_their_numbers():
    seeds = {mixed(a, b) for a in range(30) for b in range(30)}
    assert len(seeds) == 900
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) > 2**62
