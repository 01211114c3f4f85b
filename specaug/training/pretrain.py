"""One run of pretraining: dry run, training, the checkpoint whose encoder is kept."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import lightning as L
import torch
from torch import nn

from specaug.augment.patch_grid_masks import PatchHiding
from specaug.errors import UserError
from specaug.speech.corpus import DEV, TRAIN
from specaug.speech.prepare import Part
from specaug.training.callbacks import (
    Checkpoints,
    Curves,
    LastEvaluated,
    Passes,
    Report,
    Reseed,
    read_curves,
)
from specaug.training.checkpoints import weights_of
from specaug.training.data import evaluation_loader, training_loader
from specaug.training.files import CURVES, LAST
from specaug.training.finite import Finite
from specaug.training.fit import Job, make_trainer, quieten, tested
from specaug.training.pretrain_contract import answering
from specaug.training.pretrain_module import FIXED, Pretrainer, hidden_of
from specaug.training.trial import longest, require_finite, told_as

HIGHEST = ("retrieval",)  # of these measures on dev the highest is best, of any other the lowest


@dataclass(frozen=True, kw_only=True)
class PretrainJob(Job):
    """All that a run of pretraining is made of; its network is the objective around the encoder, and it has no policy."""

    hiding: PatchHiding
    measures: Sequence[str]  # on dev, as the dry run found them
    choose: str = "loss"  # the one by which a checkpoint is the best


@dataclass(frozen=True)
class Pretrained:
    """What a run came to: the measures on dev after the last epoch, and after that of the best checkpoint."""

    final: Mapping[str, int | float]
    best: Mapping[str, int | float]
    epochs: int
    steps: int


def pretrain(job: PretrainJob) -> Pretrained:
    """Train, or continue from `last.ckpt` in the run's folder.

    In the end the network has the weights of the checkpoint that the recipe keeps.
    """
    quieten()
    module = Pretrainer(job.network, job.options, job.hiding, job.seed)
    curves = Curves(job.folder, dev=job.measures, train=job.measures)
    callbacks = [
        Reseed(job.seed),
        LastEvaluated(),
        Judging(),
        curves,
        Finite(curves),
        Checkpoints(job.folder, f"dev/{job.choose}", sign_of(job.choose)),
        Report(job.report, job.choose),
    ]
    trainer = make_trainer(job, callbacks, job.loggers)
    last = job.folder / LAST
    if last.is_file():
        weights_of(last, job.network)  # or Lightning would stop with a page of names
    train, dev, options = job.prepared.parts[TRAIN], job.prepared.parts[DEV], job.options
    try:
        trainer.fit(
            module,
            training_loader(train, options.batch, job.seed, frames=options.frames, shares=options.accumulate),
            evaluation_loader(dev, options.at_once(max(dev.frames))),
            ckpt_path=last if last.is_file() else None,
            weights_only=True,
        )
    except SystemExit:
        raise KeyboardInterrupt from None  # Lightning turns Ctrl-C into exit(1)
    module.load_state_dict(tested(job))
    return outcome(job, trainer.current_epoch, trainer.global_step)


def outcome(job: PretrainJob, epochs: int, steps: int) -> Pretrained:
    """What `curves.csv` says of the last epoch, and of the best, the later of equals."""
    rows = [row for row in read_curves(job.folder / CURVES) if row["dev/loss"]]
    measured = [
        {"epoch": int(row["epoch"]), **{name: float(row[f"dev/{name}"]) for name in job.measures}}
        for row in rows
    ]
    best = min(reversed(measured), key=lambda row: sign_of(job.choose) * row[job.choose])
    return Pretrained(measured[-1], best, epochs, steps)


def sign_of(measure: str) -> int:
    """1 where a measure is to be low, -1 where it is to be high."""
    return -1 if measure in HIGHEST else 1


class Judging(Passes):
    """Logs the measures of a pass over dev under `dev/`, each a mean over all hidden patches."""

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log the means."""
        patches = sum(judged.patches for judged in self.passes)
        for name in self.passes[0].measures:
            total = math.fsum(float(judged.measures[name]) * judged.patches for judged in self.passes)
            pl_module.log(f"{DEV}/{name}", total / patches, logger=False)


def dry_run(network: nn.Module, part: Part, size: int, hiding: PatchHiding) -> list[str]:
    """One batch of the longest utterances through loss, gradient and picture, on a copy; the names of the measures.

    Raises UserError where the objective does not keep its contract, or its loss is not finite.
    """
    trial, name = copy.deepcopy(network), f"objective {type(network).__name__}"
    asked, batch = answering(trial), longest(part, size)
    with told_as(name, "its first batch"):
        hidden = hidden_of(hiding, batch, *FIXED)
        loss, parts = asked.loss(batch.features, batch.lengths, hidden)
        loss.backward()  # type: ignore[no-untyped-call]
        trial.eval()
        with torch.no_grad():
            picture = asked.reconstruction(batch.features, batch.lengths, hidden)
        got, due = [*picture.shape], [*batch.features.shape]
    require_finite(name, loss)
    if got != due:
        raise UserError(f"{name}: a reconstruction is {got}; expected {due}, as the features are")
    return ["loss", *parts]
