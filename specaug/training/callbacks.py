"""What happens around the steps of a run: seeds, evaluation, curves, checkpoints, progress."""

import csv
import math
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import distributed

from specaug.speech.classes import Classes
from specaug.speech.prepare import Part
from specaug.speech.scoring import character_errors, word_errors
from specaug.speech.text import Units
from specaug.training.augment import Augment
from specaug.training.files import BEST, CURVES, LAST
from specaug.training.module import Evaluated
from specaug.training.scores import Scores, Transcript, ranked
from specaug.training.seeds import mixed


class Reseed(L.Callback):
    """Seeds dropout and whatever else draws from torch anew at each epoch, from (seed, epoch).

    So a continued run goes on with the numbers of the unbroken one, and no state of a generator is saved.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Before the first batch of the epoch."""
        torch.manual_seed(mixed(self.seed, trainer.current_epoch, trainer.global_rank))


class LastEvaluated(L.Callback):
    """The last epoch has a pass over dev, however many epochs lie between two passes."""

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Before Lightning asks whether this epoch has one."""
        if trainer.current_epoch + 1 == trainer.max_epochs:
            trainer.check_val_every_n_epoch = 1


class Passes(L.Callback):
    """Keeps what the batches of a pass over a part give, until the next pass begins."""

    def __init__(self) -> None:
        self.passes: list[Any] = []

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Forget the pass before."""
        self.passes = []

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep what the batch gave."""
        self.passes.append(outputs)


class Scoring(Passes):
    """Turns what the passes over a part give into `scores`, and logs what is `measured` under the part's name."""

    def __init__(self, name: str, part: Part, units: Units) -> None:
        super().__init__()
        self.name = name
        self.references = {u.id: u.text for u in part.utterances}
        self.units = units
        self.scores: Scores | None = None

    @property
    def measured(self) -> tuple[str, ...]:
        """Loss, WER and CER; of classes also accuracy and mAP, as shares."""
        return ("loss", "wer", "cer", *(("accuracy", "map") if isinstance(self.units, Classes) else ()))

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Score the part."""
        passes = of_all_ranks(self.passes)
        labels = sum(p.labels for p in passes)
        loss = math.fsum(float(p.loss) * p.labels for p in passes) / max(1, labels)
        written = {name: ids for p in passes for name, ids in zip(p.ids, p.transcripts, strict=True)}
        transcripts = [self.transcript(name, written[name]) for name in sorted(written)]
        if isinstance(self.units, Classes):
            told = {name: row for p in passes for name, row in zip(p.ids, p.scores, strict=True)}
            transcripts = ranked(transcripts, self.units, told)
        self.scores = Scores(transcripts, loss)
        wer, found = self.scores.words.rate, self.scores.map
        values = {"loss": loss, "wer": wer, "cer": self.scores.characters.rate, "accuracy": 1 - wer}
        values |= {} if found is None else {"map": found}
        for key in self.measured:
            pl_module.log(f"{self.name}/{key}", values[key], logger=False)

    def transcript(self, name: str, labels: Sequence[int]) -> Transcript:
        """One utterance, scored."""
        reference, hypothesis = self.references[name], self.units.decode(labels)
        words, characters = word_errors(reference, hypothesis), character_errors(reference, hypothesis)
        return Transcript(name, reference, hypothesis, words, characters)


def of_all_ranks(mine: list[Evaluated]) -> list[Evaluated]:
    """The passes of all ranks, each batch once: afterwards each rank knows the whole, and all decide alike."""
    if not distributed.is_initialized():
        return mine
    gathered: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(gathered, [p._replace(loss=p.loss.cpu()) for p in mine])
    return list({p.ids[0]: p for passes in gathered for p in passes}.values())


class Curves(L.Callback):
    """One row an epoch: to `curves.csv` in the run folder first, then to the loggers.

    `dev` names what is measured on dev, `train` what each step gives: the loss, and maybe its parts; with an `augment` its
    strength is told as well.
    """

    def __init__(
        self,
        folder: Path,
        augment: Augment | None = None,
        dev: Sequence[str] = ("loss", "wer", "cer"),
        train: Sequence[str] = ("loss",),
    ) -> None:
        self.path = folder / CURVES
        self.augment = augment
        always = ("epoch", "step", "learning_rate", *(f"train/{name}" for name in train))
        self.columns = (*always, *(f"dev/{name}" for name in dev), *(["strength"] if augment else []))
        self.totals = dict.fromkeys(train, torch.zeros((), dtype=torch.float64))
        self.batches = 0
        self.loss = 0.0  # of the epoch, of all ranks
        self.measured: dict[str, float] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Keep the rows of the epochs that the checkpoint holds; a killed run may have written more."""
        if not trainer.is_global_zero:
            return
        rows = [row for row in read_curves(self.path) if int(row["epoch"]) <= trainer.current_epoch]
        partial = self.path.with_suffix(".partial")
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(rows)
        partial.replace(self.path)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """A new mean."""
        self.totals = {name: torch.zeros_like(total) for name, total in self.totals.items()}
        self.batches, self.measured = 0, {}

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add what the step gave where it lies, without waiting for a GPU."""
        for name, total in self.totals.items():
            self.totals[name] = total.to(outputs[name].device) + outputs[name].detach()
        self.batches += 1  # of the shares of a step, whose losses are parts of the step's, all count together

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Keep what was measured on dev in this epoch."""
        metrics = trainer.callback_metrics
        self.measured = {key: float(metrics[key]) for key in self.columns if key in metrics}

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the row; of several ranks the first one does."""
        means = {}
        for name, total in self.totals.items():
            of_all = float(trainer.strategy.reduce(total, reduce_op="mean"))  # they are weighted for it
            divided = trainer.accumulate_grad_batches if name == "loss" else 1  # by Lightning, the loss alone
            means[f"train/{name}"] = of_all * divided / max(1, self.batches)
        self.loss = means["train/loss"]
        if not trainer.is_global_zero:
            return
        row: dict[str, float] = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            **means,
            **self.measured,
            **({"strength": self.augment.share} if self.augment else {}),
        }
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self.columns).writerow(row)
            file.flush()
            os.fsync(file.fileno())
        for logger in trainer.loggers:
            logger.log_metrics(row, step=trainer.global_step)


def read_curves(path: Path) -> list[dict[str, str]]:
    """The whole rows of a `curves.csv`; none where there is no such file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if line.endswith("\n")))


class Checkpoints(L.Callback):
    """`last.ckpt` after every epoch, and `best.ckpt` where no WER on dev was lower; each renamed into place.

    Of equals the later is the better: it has seen more of the schedule. Only rank 0 writes; the others wait, so that
    they find what it wrote. Another metric than the WER may be `watched`, of which the highest is best where the `sign`
    is -1.
    """

    def __init__(self, folder: Path, watched: str = "dev/wer", sign: int = 1) -> None:
        self.folder = folder
        self.watched, self.sign = watched, sign
        self.best = math.inf
        self.improved = False

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """See whether this is the best so far."""
        value = self.sign * float(trainer.callback_metrics[self.watched])
        self.improved = value <= self.best
        self.best = min(value, self.best)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save: the best first, so that a run killed in between finds it again."""
        partial = self.folder / "partial.ckpt"
        trainer.save_checkpoint(partial)
        if trainer.is_global_zero:
            self.put_in_place(partial)
        trainer.strategy.barrier()
        self.improved = False

    def put_in_place(self, partial: Path) -> None:
        """Give a whole checkpoint its names."""
        if self.improved:
            shutil.copyfile(partial, partial.with_suffix(".best"))
            partial.with_suffix(".best").replace(self.folder / BEST)
        partial.replace(self.folder / LAST)

    def state_dict(self) -> dict[str, Any]:
        """The best so far."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it back."""
        self.best = state_dict["best"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float  # of the last batch (of rank 0's share of it), nats per label
    wer: float | None  # on dev, the last measured
    classes: bool = False  # then it is the share of the utterances that are given a wrong class
    map: float | None = None  # mean average precision, where there are classes; measured with the WER
    stage: str = ""  # what comes before the run's own training, while that lasts
    chosen: tuple[str, float] | None = None  # of a pretraining: the measure on dev by which it is judged

    @property
    def dev(self) -> str:
        """What is said of that on a line; nothing before it is measured."""
        if self.chosen:
            return f", dev {self.chosen[0]} {self.chosen[1]:.3f}"
        if self.wer is None:
            return ""
        named = f"accuracy {100 * (1 - self.wer):.1f}" if self.classes else f"WER {100 * self.wer:.1f}"
        return f", dev {named} %"

    @property
    def place(self) -> str:
        """Where that is, for people."""
        epoch = f"epoch {self.epoch} of {self.epochs}" if self.epochs else ""
        return ", ".join(filter(None, (self.stage, epoch)))


class Report(L.Callback):
    """Tells `report` how far the run is, at most twice a second; of a pretraining also the measure that it is judged by."""

    INTERVAL = 0.5  # seconds

    def __init__(self, report: Callable[[Progress], None], choose: str = "") -> None:
        self.report = report
        self.choose = choose
        self.told = 0.0

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """After a step."""
        if time.monotonic() - self.told < self.INTERVAL:
            return
        self.told = time.monotonic()
        shares = trainer.accumulate_grad_batches
        measured = trainer.callback_metrics
        wer, found, chosen = (measured.get(f"dev/{name}") for name in ("wer", "map", self.choose))
        self.report(
            Progress(
                step=trainer.global_step,
                steps=int(trainer.num_training_batches) // shares * int(trainer.max_epochs or 0),
                epoch=trainer.current_epoch + 1,
                epochs=int(trainer.max_epochs or 0),
                loss=float(outputs["loss"]) * shares,  # which Lightning divided it by
                wer=None if wer is None else float(wer),
                classes="dev/accuracy" in measured,
                map=None if found is None else float(found),
                chosen=None if chosen is None else (self.choose, float(chosen)),
            )
        )
