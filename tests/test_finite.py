import csv
import math
from pathlib import Path
from typing import Any

import pytest
from standins import OneLayer, Plan
from torch import Tensor

from specaug import cli
from specaug.errors import Diverged
from specaug.training.fit import train


class Strange(OneLayer):
    """Adds a number to its losses of training, or of evaluation, once the epochs before `epoch` are over."""

    def __init__(self, number: float, epoch: int, training: bool) -> None:
        super().__init__()
        self.number, self.before, self.where = number, 3 * (epoch - 1), training

    def loss(self, *batch: Any) -> Tensor:
        loss = super().loss(*batch)
        late = len(self.steps) > self.before + (not self.where) * 2  # dev comes after the third step
        return loss + self.number if late and self.training == self.where else loss


def epochs_of(folder: Path) -> list[str]:
    with (folder / "curves.csv").open(newline="") as file:
        return [row["epoch"] for row in csv.DictReader(file)]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("epoch", [1, 3, 4])
def test_a_train_loss_that_is_not_finite_ends_the_run_after_its_row(tone_corpus, tmp_path, number, epoch):
    plan = Plan(folder=tmp_path, prepared=tone_corpus, network=Strange(number, epoch, training=True))
    with pytest.raises(Diverged) as caught:
        train(plan.job())
    told = f"train loss is {number} after epoch {epoch}; expected a finite one: try a lower training.peak"
    assert str(caught.value) == told
    assert epochs_of(tmp_path) == [str(n) for n in range(1, epoch + 1)]


@pytest.mark.parametrize("epoch", [1, 3])
def test_the_epoch_that_went_wrong_leaves_no_checkpoint(tone_corpus, tmp_path, epoch):
    """So the next start trains that epoch again, and comes to the same end."""
    plan = Plan(folder=tmp_path, prepared=tone_corpus, network=Strange(math.nan, epoch, training=True))
    with pytest.raises(Diverged):
        train(plan.job())
    kept = {path.name: path.read_bytes() for path in tmp_path.glob("*.ckpt")}
    assert set(kept) == (set() if epoch == 1 else {"best.ckpt", "last.ckpt"})
    plan.network = Strange(math.nan, 1, training=True)
    with pytest.raises(Diverged, match=f"after epoch {epoch};"):
        train(plan.job())
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.ckpt")} == kept


def test_weights_that_a_last_step_spoiled_are_found_by_the_loss_on_dev(tone_corpus, tmp_path):
    plan = Plan(folder=tmp_path, prepared=tone_corpus, network=Strange(math.nan, 4, training=False))
    with pytest.raises(Diverged, match="dev loss is nan after epoch 4; expected a finite one"):
        train(plan.job())


def test_an_infinite_loss_on_dev_is_that_of_an_utterance_too_short_and_stops_nothing(tone_corpus, tmp_path):
    plan = Plan(folder=tmp_path, prepared=tone_corpus, network=Strange(math.inf, 1, training=False))
    outcome = train(plan.job())
    assert outcome.epochs == 4
    assert outcome.parts["dev"].loss == math.inf


def test_a_run_that_diverges_is_one_line_status_1_and_no_result(laboratory, capfd):
    recipe = str(laboratory / "experiments" / "tiny.yaml")
    assert cli.main(["train", recipe, "training.peak=1e30"]) == 1
    assert "specaug: train loss is nan after epoch 1; expected a finite one" in capfd.readouterr().err
    assert not list(laboratory.rglob("result.json"))
    assert not list(laboratory.rglob("*.ckpt"))
