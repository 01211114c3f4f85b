"""The learning rate over the steps: ramp, hold, decay, as the SpecAugment paper writes it."""

from dataclasses import dataclass

FINAL = 0.01  # the share of the peak that is left at s_f


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Ramp up to step s_r, hold to step s_i, decay exponentially to 1/100 at step s_f, where training ends.

    Park et al. 2019, section 3.2; the steps are optimiser steps.
    """

    s_r: int = 200
    s_i: int = 1500
    s_f: int = 3000

    def __post_init__(self) -> None:
        if not 0 <= self.s_r <= self.s_i < self.s_f:
            steps = f"s_r={self.s_r} s_i={self.s_i} s_f={self.s_f}"
            raise ValueError(f"schedule is {steps}; expected 0 <= s_r <= s_i < s_f")

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
