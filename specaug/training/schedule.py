"""The learning rate over the steps: ramp, hold, decay, as the SpecAugment paper writes it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FINAL = 0.01  # the share of the peak that is left at s_f
NAMED: Mapping[str, Mapping[str, int]] = {  # Park et al. 2019, section 3.2
    "B": {"s_r": 500, "s_noise": 10_000, "s_i": 20_000, "s_f": 80_000},
    "D": {"s_r": 1_000, "s_noise": 20_000, "s_i": 40_000, "s_f": 160_000},
    "L": {"s_r": 1_000, "s_noise": 20_000, "s_i": 140_000, "s_f": 320_000},
}


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Ramp up to step s_r, hold to step s_i, decay exponentially to 1/100 at step s_f, where training ends.

    Park et al. 2019, section 3.2; the steps are optimiser steps. Weight noise, where there is any, begins at s_noise.
    """

    s_r: int = 200
    s_noise: int = 0
    s_i: int = 1500
    s_f: int = 3000

    def __post_init__(self) -> None:
        fine = 0 <= self.s_r <= self.s_i < self.s_f and 0 <= self.s_noise <= self.s_f
        if not fine:
            steps = f"s_r={self.s_r} s_noise={self.s_noise} s_i={self.s_i} s_f={self.s_f}"
            raise ValueError(f"schedule is {steps}; expected 0 <= s_r <= s_i < s_f, 0 <= s_noise <= s_f")

    def factor(self, step: int) -> float:
        """The share of the peak learning rate at `step`.

        >>> [round(Schedule(s_r=10, s_i=20, s_f=40).factor(step), 4) for step in (5, 10, 20, 30, 40)]
        [0.5, 1.0, 1.0, 0.1, 0.01]
        """
        if step < self.s_r:
            return step / self.s_r
        if step <= self.s_i:
            return 1.0
        return float(FINAL ** (min(step - self.s_i, self.s_f - self.s_i) / (self.s_f - self.s_i)))


def spelled(value: Any) -> Any:
    """A schedule as its steps: it may be written by the paper's name, `D`, or as `{name: D, scale: 0.01}` with steps of its own.

    >>> spelled({"name": "B", "scale": 0.01, "s_f": 900})
    {'s_r': 5, 's_noise': 100, 's_i': 200, 's_f': 900}
    """
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, dict) or not {"name", "scale"} & set(value):
        return value
    own = dict(value)
    name, scale = own.pop("name", None), own.pop("scale", 1)
    if not isinstance(name, str) or name not in NAMED:
        raise ValueError(f"unknown schedule {name!r}; expected one of {', '.join(NAMED)}, or its steps")
    number = isinstance(scale, int | float) and not isinstance(scale, bool)
    if not number or not 0 < scale * NAMED[name]["s_f"] < math.inf:
        raise ValueError(f"scale is {scale!r}; expected a factor above 0 that leaves finite steps")
    return {step: round(at * scale) for step, at in NAMED[name].items()} | own
