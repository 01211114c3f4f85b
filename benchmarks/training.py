"""What a training step costs through Lightning, beside a bare PyTorch loop over the same batches.

    python benchmarks/training.py [--rounds 5] [--network models.bilstm.BiLSTMCTC]

The batches are those of `spoken`-like lengths, made up, since only time is measured: cached features, buckets
of like length, the same network, optimiser, clipping and schedule. The variants take turns, an epoch each, and
the ratio of each to the bare loop in the same round is printed, with the median over rounds, and the share of the
training time that augmentation takes. The first round warms up and does not count.
"""

import argparse
import importlib
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import nn

from specaug import LD, NONE, Policy
from specaug.speech.manifest import Utterance
from specaug.speech.prepare import Part
from specaug.training.augment import Augment, Drawing
from specaug.training.callbacks import Curves, Report, Reseed
from specaug.training.data import training_loader
from specaug.training.fit import quieten
from specaug.training.module import Recognizer
from specaug.training.options import Training
from specaug.training.schedule import Schedule

MEL, VOCAB, SHARE = 80, 29, 12  # SHARE: frames a label


def made_up(utterances: int) -> Part:
    """Utterances of 130 to 400 frames of noise, as FSDD's strings have."""
    chance = np.random.Generator(np.random.Philox(key=0))
    frames = chance.integers(130, 400, utterances).tolist()
    labels = [chance.integers(1, VOCAB, n // SHARE).tolist() for n in frames]
    rows = chance.standard_normal((sum(frames), MEL), dtype=np.float32)
    starts = np.cumsum([0, *frames[:-1]]).tolist()
    said = [Utterance(id=f"u{i}", text="", speaker="s", duration=n / 100) for i, n in enumerate(frames)]
    return Part(said, labels, frames, starts, rows)


def bare(network: nn.Module, part: Part, options: Training) -> Callable[[int], None]:
    """A loop without Lightning."""
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.peak, fused=True)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: options.schedule.factor(done + 1))
    loader = training_loader(part, options.batch, 0)

    def epoch(number: int) -> None:
        loader.sampler.set_epoch(number)
        for batch in loader:
            loss = network.loss(batch.features, batch.lengths, batch.targets, batch.target_lengths)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), options.clip)
            optimizer.step()
            scheduler.step()

    return epoch


def ours(
    network: nn.Module, part: Part, options: Training, policy: Policy, folder: Path
) -> Callable[[int], None]:
    """An epoch as `specaug train` runs it, callbacks and checkpoint included."""
    module, augment = Recognizer(network, options), Timed(policy)

    def epoch(number: int) -> None:
        trainer = L.Trainer(
            max_epochs=1,
            gradient_clip_val=options.clip,
            callbacks=[Reseed(0), augment, Timer(), Curves(folder, augment), Report(lambda _: None)],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            default_root_dir=folder,
        )
        trainer.fit(module, training_loader(part, options.batch, number))

    return epoch


class Timed(Augment):
    """The callback, and the time that it takes: drawing, applying, counting what is hidden."""

    seconds = 0.0

    def drawn(self, batch: Any, trainer: L.Trainer) -> Drawing | None:
        """What happens to one batch."""
        started = time.process_time()
        drawing = super().drawn(batch, trainer)
        Timed.seconds += time.process_time() - started
        return drawing

    def applied(self, batch: Any, drawing: Drawing | None) -> Any:
        """It done to the batch."""
        started = time.process_time()
        batch = super().applied(batch, drawing)
        Timed.seconds += time.process_time() - started
        return batch


class Timer(L.Callback):
    """Times the epochs alone: the start of a trainer is paid once a run, and not once an epoch."""

    seconds = 0.0

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start."""
        self.started = time.process_time()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop."""
        Timer.seconds = time.process_time() - self.started


def main() -> None:
    """Print a table, tab-separated."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--utterances", type=int, default=320)
    options.add_argument("--network", default="models.bilstm.BiLSTMCTC")
    given = options.parse_args()
    torch.set_num_threads(1)
    quieten()
    part, training = made_up(given.utterances), Training(schedule=Schedule(s_r=10, s_i=1000, s_f=10_000))
    module, _, name = given.network.rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    folder = Path(tempfile.mkdtemp())

    def network() -> nn.Module:
        torch.manual_seed(0)
        return kind(mel=MEL, vocab=VOCAB)

    variants = {
        "bare loop": bare(network(), part, training),
        "ours, None": ours(network(), part, training, NONE, folder),
        "ours, LD": ours(network(), part, training, LD.scaled(time=0.25), folder),
    }
    seconds: dict[str, list[float]] = {label: [] for label in variants}
    augmenting: dict[str, list[float]] = {label: [] for label in variants}
    for number in range(given.rounds + 1):
        for label, epoch in variants.items():
            started, Timed.seconds = time.process_time(), 0.0
            epoch(number)
            took = time.process_time() - started if label == "bare loop" else Timer.seconds
            seconds[label] += [took] if number else []
            augmenting[label] += [Timed.seconds / took] if number else []
    steps = -(-given.utterances // training.batch)
    print("variant\tms a step\tx bare (median)\taugmenting\tx bare (rounds)")
    for label, took in seconds.items():
        ratios = [mine / floor for mine, floor in zip(took, seconds["bare loop"], strict=True)]
        rounds = " ".join(f"{ratio:.3f}" for ratio in ratios)
        share = f"{statistics.median(augmenting[label]):.2%}"
        step = f"{1000 * statistics.median(took) / steps:.1f}"
        print(f"{label}\t{step}\t{statistics.median(ratios):.3f}\t{share}\t{rounds}")


if __name__ == "__main__":
    main()
