"""What may be masked: a row of Table 1 of the SpecAugment paper."""

from dataclasses import dataclass, replace
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A row of Table 1 of Park et al. 2019 (arXiv:1904.08779); symbols as printed there.

    A width is the largest one that may be drawn, counted in frames (time) or mel channels (frequency). The
    default policy does nothing. Raises ValueError naming the field, its value and what was expected.
    """

    warp: int = 0  # W, frames by which a point in time may move
    freq_width: int = 0  # F, mel channels
    freq_masks: int = 0  # m_F
    time_width: int = 0  # T, frames
    time_fraction: float = 1.0  # p, the share of an utterance that one time mask may cover
    time_masks: int = 0  # m_T

    def __post_init__(self) -> None:
        for name, symbol in SYMBOLS.items():
            value = getattr(self, name)
            if name == "time_fraction":
                if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                    raise ValueError(f"{symbol} ({name}) is {value}; expected a share in [0, 1]")
            elif isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f"{symbol} ({name}) is {value}; expected a whole number, 0 or more")

    def scaled(self, time: float) -> "Policy":
        """The same policy for utterances `time` times as long: W and T are multiplied and rounded.

        >>> LD.scaled(time=0.25).time_width
        25
        """
        if not time > 0:
            raise ValueError(f"time is {time}; expected a factor greater than 0")
        factor = Fraction(str(time))
        return replace(self, warp=round(self.warp * factor), time_width=round(self.time_width * factor))

    def widest(self, frames: int) -> int:
        """The widest time mask of an utterance: min(T, floor(p * tau)), p read as the decimal it prints as.

        >>> Policy(time_width=100, time_fraction=0.29).widest(100)
        29
        """
        share = Fraction(str(self.time_fraction))
        return min(self.time_width, frames * share.numerator // share.denominator)

    def __str__(self) -> str:
        return " ".join(f"{symbol}={getattr(self, name)}" for name, symbol in SYMBOLS.items())


SYMBOLS = {
    "warp": "W",
    "freq_width": "F",
    "freq_masks": "m_F",
    "time_width": "T",
    "time_fraction": "p",
    "time_masks": "m_T",
}

NONE = Policy()
LB = Policy(warp=80, freq_width=27, freq_masks=1, time_width=100, time_fraction=1.0, time_masks=1)
LD = Policy(warp=80, freq_width=27, freq_masks=2, time_width=100, time_fraction=1.0, time_masks=2)
SM = Policy(warp=40, freq_width=15, freq_masks=2, time_width=70, time_fraction=0.2, time_masks=2)
SS = Policy(warp=40, freq_width=27, freq_masks=2, time_width=70, time_fraction=0.2, time_masks=2)

NAMED = {"None": NONE, "LB": LB, "LD": LD, "SM": SM, "SS": SS}
