"""What a recipe may say of features and text. Plain dataclasses: nothing here is slow to import."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Features:
    """Log-mel energies, each channel of each utterance normalised to mean 0 and variance 1."""

    mel: int = 80  # nu, channels
    window: float = 0.025  # seconds
    shift: float = 0.010  # seconds
    lowest: float = 20.0  # Hz; the highest is half the sample rate

    def __post_init__(self) -> None:
        if self.mel < 1:
            raise ValueError(f"mel is {self.mel}; expected at least 1 channel")
        if not 0 < self.shift <= self.window:
            raise ValueError(
                f"shift is {self.shift}; expected more than 0 and at most window ({self.window})"
            )


@dataclass(frozen=True, kw_only=True)
class Text:
    """The characters that a network writes, and what is done with an utterance that cannot be used."""

    alphabet: str = " 'abcdefghijklmnopqrstuvwxyz"
    on_bad_utterance: Literal["error", "skip"] = "error"

    def __post_init__(self) -> None:
        if len(set(self.alphabet)) != len(self.alphabet) or not self.alphabet:
            raise ValueError(f"alphabet is {self.alphabet!r}; expected characters, each of them once")
