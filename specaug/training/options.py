"""What a recipe may say of training. Plain dataclasses: nothing here is slow to import."""

import math
from dataclasses import dataclass, field
from typing import Literal

from specaug.training.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a run is trained: AdamW, gradients clipped by their norm, the schedule in steps."""

    batch: int = 16  # utterances
    peak: float = 1e-3  # learning rate
    schedule: Schedule = field(default_factory=Schedule)
    weight_decay: float = 0.01
    clip: float = 1.0  # norm of the gradient
    evaluate_every: int = 1  # epochs between two passes over dev; the last epoch always has one
    report: Literal["last", "best"] = "last"  # the checkpoint that is tested; best by WER on dev
    devices: int = 1  # processes that share each batch, each with a GPU or, where there is none, a CPU thread

    def __post_init__(self) -> None:
        for name in ("batch", "peak", "clip", "evaluate_every", "devices"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; expected more than 0, and finite")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay is {self.weight_decay}; expected 0 or more, and finite")
        if self.devices > self.batch:
            raise ValueError(
                f"devices is {self.devices}; expected at most the {self.batch} utterances of a batch"
            )
