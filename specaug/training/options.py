"""What a recipe may say of training. Plain dataclasses: nothing here is slow to import."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BeforeValidator

from specaug.training.schedule import Schedule, spelled

AnySchedule = Annotated[Schedule, BeforeValidator(spelled)]


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a run is trained: AdamW, gradients clipped by their norm, the schedule in steps."""

    batch: int = 16  # utterances of a step
    frames: int = 0  # where above 0, a step has as many utterances as have so many frames, on average
    accumulate: int = 1  # shares in which a process works off its batch, one after the other, to save memory
    peak: float = 1e-3  # learning rate
    schedule: AnySchedule = field(default_factory=Schedule)
    weight_decay: float = 0.01
    clip: float = 1.0  # norm of the gradient
    # Standard deviation of what is added to the weights in each step from s_noise on
    weight_noise: float = 0.0
    label_smoothing: float = 0.0  # share of each label that is spread over all, where the network has it
    smooth_until: int = 0  # step at which smoothing ends, whatever the scale of the schedule; 0: never
    # bf16: products in half the bits, sums and weights in all
    precision: Literal["float32", "bf16"] = "float32"
    evaluate_every: int = 1  # epochs between two passes over dev; the last epoch always has one
    # The checkpoint that is tested, or kept; best by WER on dev, or by `choose`
    report: Literal["last", "best"] = "last"
    devices: int = 1  # processes that share each batch, each with a GPU or, where there is none, a CPU thread

    def __post_init__(self) -> None:
        for name in ("batch", "peak", "clip", "evaluate_every", "devices", "accumulate"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; expected more than 0, and finite")
        for name in ("weight_decay", "weight_noise", "frames", "smooth_until"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; expected 0 or more, and finite")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing is {self.label_smoothing}; expected 0 or more, below 1")
        if self.smooth_until > self.schedule.s_f:
            expected = f"expected at most the {self.schedule.s_f} steps of the schedule"
            raise ValueError(f"smooth_until is {self.smooth_until}; {expected}")
        if not self.frames:
            self._check_shares()

    def _check_shares(self) -> None:
        for name, room in (("devices", self.batch), ("accumulate", self.batch // self.devices)):
            if getattr(self, name) > room:
                whose = "a batch" if name == "devices" else "a device's share of a batch"
                raise ValueError(
                    f"{name} is {getattr(self, name)}; expected at most the {room} utterances of {whose}"
                )

    def at_once(self, longest: int) -> int:
        """How many utterances a process works on together where they are of `longest` frames."""
        together = max(1, self.frames // max(1, longest)) if self.frames else self.batch
        return -(-together // (self.devices * self.accumulate))
