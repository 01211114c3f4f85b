"""The operations that a policy may list, under the symbols of their papers. Nothing here needs torch.

How each is drawn and applied stands in the file that its docstring names. Widths are counted in frames (time) or
mel channels (frequency) and are the largest that may be drawn.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from specaug.augment.operation import Fill, Operation, floor_of


@dataclass(frozen=True)
class TimeWarp(Operation):
    """A frame moves by up to W frames, the two ends stay, what lies between is stretched (`warp.py`).

    `linear` is the warp of Park et al. 2020 (arXiv:1912.05533), section 2, piecewise linear in time; `sparse` the
    image warp of Park et al. 2019 (arXiv:1904.08779), section 2, whose shift fades towards the outer channels.
    """

    stream = 0
    kinds = ("linear", "sparse")
    W: int = 0  # frames
    warp: str = "linear"
    bounds: str = "closed"

    @property
    def draws(self) -> int:
        return int(self.W > 0)

    def scaled(self, time: Fraction) -> "TimeWarp":
        return replace(self, W=round(self.W * time))


@dataclass(frozen=True)
class FrequencyMask(Operation):
    """m_F masks of up to F channels (Park et al. 2019, section 2; `masks.py`)."""

    stream = 1
    repeats = True
    F: int = 0  # mel channels
    m_F: int = 1
    fill: Fill = 0.0
    bounds: str = "closed"

    @property
    def draws(self) -> int:
        return self.m_F if self.F else 0

    @property
    def channels(self) -> int:
        return max(1, self.F)


@dataclass(frozen=True)
class TimeMask(Operation):
    """m_T masks of up to min(T, p tau) frames, tau frames being the utterance (Park et al. 2019, section 2; `masks.py`).

    Adaptive in size where p_S is given, T = floor(p_S tau), and in number where p_M is given, then there are
    min(m_T, floor(p_M tau)) masks (Park et al. 2020, section 2). Without T and p_S, p alone bounds the width.
    """

    stream = 2
    repeats = True
    T: int | None = None  # frames
    p: float = 1.0  # the share of an utterance that one mask may cover
    m_T: int = 1  # with p_M, the most masks
    p_S: float | None = None
    p_M: float | None = None
    fill: Fill = 0.0
    bounds: str = "closed"

    @property
    def draws(self) -> int:
        return 0 if 0 in (self.T, self.p, self.p_S, self.p_M) else self.m_T

    def scaled(self, time: Fraction) -> "TimeMask":
        return self if self.T is None else replace(self, T=round(self.T * time))

    def given(self, of: str) -> dict[str, Any]:
        alone = of == "widths" and self.T is None and self.p_S is None
        return {"p": self.p} if alone else super().given(of)

    def widest(self, frames: int) -> int:
        """The widest mask of an utterance.

        >>> TimeMask(T=100, p=0.29).widest(100)
        29
        """
        return min(self.wished(frames), self.cap(frames))

    def wished(self, frames: int) -> int:
        """What T and p_S alone would allow."""
        sizes = [] if self.T is None else [self.T]
        sizes += [] if self.p_S is None else [floor_of(self.p_S, frames)]
        return min(sizes, default=frames)

    def cap(self, frames: int) -> int:
        """What p allows: floor(p tau)."""
        return floor_of(self.p, frames)

    def count(self, frames: int) -> int:
        """How many masks an utterance gets."""
        return self.m_T if self.p_M is None else min(self.m_T, floor_of(self.p_M, frames))


@dataclass(frozen=True)
class SpecSub(Operation):
    """N stretches of 1 to t_max frames are replaced by earlier ones of the utterance (U2++, Wu et al. 2021,
    arXiv:2106.05642, section 3.2.3; `spec_sub.py`).
    """

    stream = 3
    t_max: int = 30  # frames
    N: int = 3

    @property
    def draws(self) -> int:
        return self.N if self.t_max else 0

    def scaled(self, time: Fraction) -> "SpecSub":
        return replace(self, t_max=round(self.t_max * time))


@dataclass(frozen=True)
class SpecSwap(Operation):
    """Two blocks of up to F channels change places, then two of up to T frames (Song et al., Interspeech 2020;
    `spec_swap.py`).
    """

    stream = 4
    F: int = 7  # mel channels
    m_F: int = 1
    T: int = 40  # frames
    m_T: int = 1

    @property
    def draws(self) -> int:
        return self.m_F * (self.F > 0) + self.m_T * (self.T > 0)

    @property
    def channels(self) -> int:
        return max(1, 2 * self.F)

    def scaled(self, time: Fraction) -> "SpecSwap":
        return replace(self, T=round(self.T * time))


@dataclass(frozen=True)
class SpliceOut(Operation):
    """N stretches of up to T frames are cut out and the ends joined (Jain et al. 2021, arXiv:2110.00046;
    `splice_out.py`). The utterance becomes shorter: its length changes with its features.
    """

    stream = 5
    N: int = 2
    T: int = 40  # frames

    @property
    def draws(self) -> int:
        return self.N if self.T else 0

    def scaled(self, time: Fraction) -> "SpliceOut":
        return replace(self, T=round(self.T * time))


@dataclass(frozen=True)
class FilterAugment(Operation):
    """Bands of channels become louder or softer by up to g decibels (Nam et al. 2022, arXiv:2110.03282, section 2;
    `filter_augment.py`).

    From n_low to n_high bands of at least w_min channels each. `step`: one gain a band; `linear`: gains at the
    bands' borders, and lines between. `unit` is what a decibel of power is in the unit of the features: ln(10) / 10
    for natural logarithms of energies, less where they are divided by their deviation.
    """

    stream = 6
    kinds = ("linear", "step")
    g: float = 6.0  # decibels
    n_low: int = 3
    n_high: int = 6
    w_min: int = 6  # mel channels
    kind: str = "linear"
    unit: float = 0.2303

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.n_low <= self.n_high:
            raise ValueError(f"n_low is {self.n_low}, n_high {self.n_high}; expected 1 <= n_low <= n_high")
        if not self.w_min:
            raise ValueError("w_min is 0; expected at least 1 channel")

    @property
    def draws(self) -> int:
        return (
            1 + 2 * self.n_high if self.g and self.unit else 0
        )  # how many bands, their borders, their gains

    @property
    def channels(self) -> int:
        return self.n_high * self.w_min


@dataclass(frozen=True)
class PatchMask(Operation):
    """A share of the whole patches of t frames by f channels is hidden, each as likely as any other (as in MaskSpec,
    Chong et al. 2022, arXiv:2204.12768; `patches.py`).
    """

    stream = 7
    t: int = 16  # frames
    f: int = 16  # mel channels
    share: float = 0.1
    fill: Fill = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.t and self.f):
            raise ValueError(f"a patch is t={self.t} frames by f={self.f} channels; expected at least 1 by 1")

    @property
    def draws(self) -> int:
        return int(self.share > 0)

    @property
    def channels(self) -> int:
        return self.f

    def count(self, frames: int, mel: int) -> int:
        """How many patches of an utterance are hidden."""
        return floor_of(self.share, (frames // self.t) * (mel // self.f))


KINDS = (TimeWarp, FrequencyMask, TimeMask, SpecSub, SpecSwap, SpliceOut, FilterAugment, PatchMask)
OPERATIONS: dict[str, type[Operation]] = {kind.__name__: kind for kind in KINDS}
