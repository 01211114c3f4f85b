"""One run: training, then the report checkpoint tested on every part."""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers import Logger
from torch import nn

from specaug.augment.policy import Policy
from specaug.speech.corpus import DEV, PLUS, TRAIN
from specaug.speech.prepare import Prepared
from specaug.training.augment import Augment
from specaug.training.callbacks import (
    Checkpoints,
    Curves,
    LastEvaluated,
    Progress,
    Report,
    Reseed,
    Scoring,
)
from specaug.training.checkpoints import weights_of
from specaug.training.data import evaluation_loader, steps_of, training_loader
from specaug.training.ddp import Logged, Telling, spread
from specaug.training.files import BEST, LAST
from specaug.training.finite import Finite
from specaug.training.module import Recognizer
from specaug.training.noise import WeightNoise
from specaug.training.options import Training
from specaug.training.ranks import ALONE, Rank, nothing, together
from specaug.training.scores import Scores
from specaug.training.smoothing import LabelSmoothing
from specaug.training.strength import Strength


@dataclass(frozen=True)
class Decoder:
    """A way to write transcripts beside the greedy one: what the network is told, the best of some candidates on dev."""

    label: str
    candidates: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Job:
    """All that a run is made of. The network comes with its initial weights."""

    network: nn.Module
    prepared: Prepared
    policy: Policy
    seed: int
    options: Training
    folder: Path
    loggers: Sequence[Logger] = ()
    strength: Strength = Strength()  # noqa: RUF009 (frozen)
    decoders: Sequence[Decoder] = ()
    report: Callable[[Progress], None] = nothing

    @property
    def epochs(self) -> int:
        """Epochs until step s_f; the one in which it falls is finished."""
        options = self.options
        steps = steps_of(self.prepared.parts[TRAIN], options.batch, options.frames)
        return -(-options.schedule.s_f // steps)


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    parts: Mapping[str, Scores]  # dev and the test parts, and each as `part+label` by further decoders
    decoded: Mapping[str, Mapping[str, Any]]  # by label, what was chosen on dev
    masked: Mapping[str, float]  # mean shares of cells, frames, channels hidden in training
    in_force: Sequence[tuple[int, str]]  # the policy from each step on at which it changed
    engine: str  # which code did to the batches what was drawn; empty where nothing was
    epochs: int
    steps: int


def train(job: Job) -> Outcome:
    """Train, or continue from `last.ckpt` in the run's folder, then test the checkpoint the recipe names.

    With several devices as many processes share the work, and this one waits for them and passes on what they tell.
    They take shares of the very batches that one process would see, with the same masks, and step by the gradient of
    the whole batch, up to rounding. Their number changes rounding and dropout, and so is part of what a run is. In the
    end the network has the weights that were tested.
    """
    if job.options.devices == 1:
        return trained(job)
    status = "failed"
    try:
        outcome: Outcome = together(
            as_rank,
            replace(job, loggers=(), report=nothing),
            job.options.devices,
            lambda news: hear(job, news),
        )
        Recognizer(job.network, job.options).load_state_dict(tested(job))
        status = "success"
    finally:
        for logger in job.loggers:
            logger.finalize(status)
    return outcome


def hear(job: Job, news: Any) -> None:
    """What rank 0 tells: how far it is, and rows for the loggers."""
    if isinstance(news, Progress):
        job.report(news)
    if isinstance(news, Logged):
        for logger in job.loggers:
            logger.log_metrics(dict(news.metrics), news.step)


def as_rank(job: Job, rank: Rank) -> Outcome:
    """One rank's part of a job; the first one tells how it goes."""
    if rank.number == 0:
        job = replace(job, loggers=[Telling(rank)], report=rank.tell)
    return trained(job, rank)


def trained(job: Job, rank: Rank = ALONE) -> Outcome:
    """Train and test in this process, alone or as one of several ranks; only the first of them writes."""
    quieten()
    module = Recognizer(job.network, job.options, job.prepared.units)
    augment = Augment(job.policy, job.seed, strength=job.strength)
    scoring = Scoring(DEV, job.prepared.parts[DEV], job.prepared.units)
    curves, checkpoints = Curves(job.folder, augment, scoring.measured), Checkpoints(job.folder)
    trainer = make_trainer(
        job,
        [
            Reseed(job.seed),
            LastEvaluated(),
            augment,
            scoring,
            curves,
            Finite(curves),
            checkpoints,
            Report(job.report),
            *regularisers(job),
        ],
        job.loggers,
        rank,
    )
    last, judging = job.folder / LAST, job.prepared.parts[DEV]
    if last.is_file():
        weights_of(last, job.network)  # or Lightning would stop with a page of names
    try:
        trainer.fit(
            module,
            training_loader(
                job.prepared.parts[TRAIN],
                job.options.batch,
                job.seed,
                rank,
                job.options.frames,
                job.options.accumulate,
            ),
            evaluation_loader(judging, job.options.at_once(max(judging.frames)), rank),
            ckpt_path=last if last.is_file() else None,
            weights_only=True,
        )
        module.load_state_dict(tested(job))
        parts = {name: evaluate(job, module, name, rank) for name in job.prepared.parts if name != TRAIN}
        chosen = {decoder.label: choose(job, module, decoder, rank) for decoder in job.decoders}
        for label, (told, dev) in chosen.items():
            parts |= {
                f"{name}{PLUS}{label}": dev if name == DEV else evaluate(job, module, name, rank, told)
                for name in [*parts]
                if name in job.prepared.parts
            }
    except SystemExit:
        raise KeyboardInterrupt from None  # Lightning turns Ctrl-C into exit(1)
    decoded = {label: plainly(told) for label, (told, _) in chosen.items()}
    applied = augment.masked, augment.in_force, augment.engine
    return Outcome(parts, decoded, *applied, trainer.current_epoch, trainer.global_step)


def choose(job: Job, module: Recognizer, decoder: Decoder, rank: Rank) -> tuple[Mapping[str, Any], Scores]:
    """The candidate with the lowest WER on dev, the first of equals, and its scores."""
    tried = [(told, evaluate(job, module, DEV, rank, told)) for told in decoder.candidates]
    return min(tried, key=lambda one: one[1].words.rate)


def plainly(told: Mapping[str, Any]) -> dict[str, Any]:
    """What a network was told, as a result file holds it."""
    return {name: value for name, value in told.items() if isinstance(value, int | float)}


def regularisers(job: Job) -> list[L.Callback]:
    """Weight noise and label smoothing, where the recipe has them."""
    options = job.options
    noise = [WeightNoise(options.weight_noise, options.schedule.s_noise, job.seed)]
    smoothing = [LabelSmoothing(job.network, options.label_smoothing, options.smooth_until)]
    return [*(noise if options.weight_noise else []), *(smoothing if options.label_smoothing else [])]


def tested(job: Job) -> dict[str, Any]:
    """The weights that the recipe wants tested."""
    reported = job.folder / (BEST if job.options.report == "best" else LAST)
    state: dict[str, Any] = torch.load(reported, weights_only=True, map_location="cpu")["state_dict"]
    return state


def make_trainer(
    job: Job, callbacks: list[L.Callback], loggers: Sequence[Logger], rank: Rank = ALONE
) -> L.Trainer:
    """A Lightning trainer that leaves files, bars and logs to our callbacks."""
    return L.Trainer(
        max_epochs=job.epochs,
        gradient_clip_val=job.options.clip,
        accumulate_grad_batches=job.options.accumulate,
        check_val_every_n_epoch=job.options.evaluate_every,
        callbacks=callbacks,
        logger=list(loggers) or False,
        default_root_dir=job.folder,
        **spread(rank),
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def evaluate(
    job: Job,
    module: Recognizer,
    name: str,
    rank: Rank = ALONE,
    told: Mapping[str, Any] = MappingProxyType({}),
) -> Scores:
    """One pass over a part, without augmentation; the ranks share its batches, and each gets the scores of all.

    No more utterances are worked on together than in training, where as many are known to fit. `told` is what the
    network is told of decoding.
    """
    part = job.prepared.parts[name]
    module.decode(told)
    scoring = Scoring(name, part, job.prepared.units)
    trainer = make_trainer(job, [scoring], (), rank)
    loader = evaluation_loader(part, job.options.at_once(max(part.frames)), rank)
    trainer.validate(module, loader, verbose=False)
    assert scoring.scores is not None
    return scoring.scores


def quieten() -> None:
    """Keep Lightning's tips and its advice on loaders, which does not fit cached features, off the screen."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
