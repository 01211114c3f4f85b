"""How fast this machine trains a network: a few steps of it, timed."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import lightning as L
import torch
from torch.utils.data import DataLoader

from specaug.speech.batching import Batch
from specaug.speech.prepare import Part
from specaug.study.cost.laws import Law
from specaug.training.data import Share, Utterances
from specaug.training.fit import quieten
from specaug.training.module import Trained
from specaug.training.noise import WeightNoise

WARM = 2  # steps that are left out: memory is found, kernels are chosen
ROUNDS = 3  # times that each batch is trained on; the median counts
PATIENCE = 30.0  # seconds that the timed steps may take, in about


@dataclass(frozen=True, slots=True)
class Timed:
    """What was timed."""

    passes: float  # seconds of all but the update: loading, masks, forward and backward; one of each batch
    update: float  # seconds in which gradients are clipped and weights changed
    noise: float  # seconds in which weight noise is added and taken away; 0 where there is none
    shapes: Sequence[Sequence[int]]  # the frames of the utterances of each batch
    whole: bool  # whether batches were as large as in training

    def rate(self, law: Law) -> float:
        """FLOP/s of the passes, by the law of their FLOPs."""
        return sum(law.of(len(shape), max(shape)) for shape in self.shapes) / max(1e-9, self.passes)


def timed(
    module: Trained,
    callbacks: Sequence[L.Callback],
    part: Part,
    batches: Sequence[Sequence[int]],
    patience: float,
) -> Timed:
    """Train a module on batches (places of a part), on the GPU where there is one, and time it.

    Where that would take longer than `patience` (seconds), the batches are cut to fewer utterances, at least one, then
    there are fewer rounds and fewer batches. The module's weights change.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module = module.to(device)
    typical = sorted(batches, key=lambda batch: part.frames[batch[0]])[len(batches) // 2]
    alone, update = step_of(module, Utterances(part)[Share([typical[0]])])
    afford = patience / (ROUNDS * len(batches) * alone)  # utterances, at the pace of one alone
    rounds = ROUNDS if afford >= 1 else 1
    chosen = batches if afford * ROUNDS >= 1 else [typical]
    cut = [[*batch][: max(1, int(afford))] for batch in chosen]
    took = trained(
        module, callbacks, part, [cut[0]] * WARM + [batch for batch in cut for _ in range(rounds)]
    )[WARM:]
    passes = [median(took[place : place + rounds]) for place in range(0, len(took), rounds)]
    return Timed(
        passes=sum(max(0.0, seconds - update) for seconds in passes),
        update=update,
        noise=noise_of(module),
        shapes=[[part.frames[place] for place in batch] for batch in cut],
        whole=sum(map(len, cut)) == sum(map(len, batches)),
    )


def step_of(module: Trained, batch: Batch) -> tuple[float, float]:
    """The seconds of the passes over a batch, and of the update after it; the last of a few."""
    device, ((optimizer,), _) = module.device, module.configure_optimizers()
    moved = batch._replace(
        **{
            name: getattr(batch, name).to(device)
            for name in ("features", "lengths", "targets", "target_lengths")
        }
    )
    for _ in range(WARM + 1):
        with clock(device) as passes:
            given: Any = module.training_step(
                moved, 0
            )  # the loss, or it and its parts; Lightning knows others
            (given["loss"] if isinstance(given, dict) else given).backward()
        with clock(device) as update:
            torch.nn.utils.clip_grad_norm_(module.parameters(), module.options.clip)
            optimizer.step()
            optimizer.zero_grad()
    return max(1e-9, passes[0]), update[0]


def noise_of(module: Trained) -> float:
    """The seconds that the weight noise of a step takes, without what it needs the first time."""
    if not module.options.weight_noise:
        return 0.0
    noise = WeightNoise(module.options.weight_noise, 0, 0)
    for step in range(WARM):
        with clock(module.device) as seconds:
            noise.add(module, step)
            noise.restore()
    return seconds[0]


@contextmanager
def clock(device: torch.device) -> Iterator[list[float]]:
    """The seconds that what is inside takes, on a GPU with all that was started."""
    seconds = [0.0]
    started = now(device)
    yield seconds
    seconds[0] = now(device) - started


def now(device: torch.device) -> float:
    """The time in seconds, when a GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


class Ends(L.Callback):
    """When each step ended."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Where the first one begins."""
        self.at = [now(pl_module.device)]

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """The end of one."""
        self.at.append(now(pl_module.device))


def trained(
    module: Trained, callbacks: Sequence[L.Callback], part: Part, batches: Sequence[Sequence[int]]
) -> list[float]:
    """The seconds of each step, through Lightning as a run takes them."""
    quieten()
    ends = Ends()
    trainer = L.Trainer(
        max_steps=len(batches),
        devices=1,
        gradient_clip_val=module.options.clip,
        callbacks=[*callbacks, ends],
        logger=False,
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    shares = [Share([*batch]) for batch in batches]
    trainer.fit(module, DataLoader(Utterances(part), sampler=shares, batch_size=None))
    return [after - before for before, after in zip(ends.at, ends.at[1:], strict=False)]


def spread(shares: Sequence[Sequence[int]], count: int) -> list[Sequence[int]]:
    """So many of the shares of batches, evenly from the smallest to the largest.

    >>> spread([[5], [1], [3, 3], [2], [9], [7]], 3)
    [[2], [3, 3], [9]]
    """
    order = sorted(shares, key=lambda share: len(share) * max(share))
    picked = min(count, len(order))
    return [order[(2 * place + 1) * len(order) // (2 * picked)] for place in range(picked)]
