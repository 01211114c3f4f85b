"""What a recipe may say of features and text. Plain dataclasses: nothing here is slow to import."""

import math
from dataclasses import dataclass
from typing import Literal

SHORTEST, LONGEST = 0.001, 1.0  # seconds of a window: at 1 kHz there is a sample in it


@dataclass(frozen=True, kw_only=True)
class Features:
    """Log-mel energies, each channel of each utterance normalised to mean 0 and variance 1."""

    mel: int = 80  # nu, channels
    window: float = 0.025  # seconds
    shift: float = 0.010  # seconds
    lowest: float = 20.0  # Hz
    highest: float | None = None  # Hz, where the topmost channel ends; null: half the sample rate
    # Decibels below the loudest cell of an utterance: what is weaker counts as so strong
    floor: float | None = None

    def up_to(self, rate: int) -> float:
        """Where the topmost channel ends, in Hz."""
        return rate / 2 if self.highest is None else self.highest

    def __post_init__(self) -> None:
        if self.mel < 1:
            raise ValueError(f"mel is {self.mel}; expected at least 1 channel")
        if not 0 <= self.lowest < math.inf:
            raise ValueError(f"lowest is {self.lowest}; expected 0 Hz or more")
        if self.highest is not None and not self.lowest < self.highest < math.inf:
            raise ValueError(f"highest is {self.highest}; expected above lowest ({self.lowest} Hz), or null")
        if self.floor is not None and not 0 < self.floor < math.inf:
            raise ValueError(f"floor is {self.floor}; expected above 0 dB, or null")
        if not SHORTEST <= self.shift <= self.window <= LONGEST:
            expected = f"expected more than 0 (at least {SHORTEST}), at most window ({self.window}), that at most {LONGEST}"
            raise ValueError(f"shift is {self.shift}; {expected} seconds")


@dataclass(frozen=True, kw_only=True)
class Text:
    """What a network writes of which utterances, and what is done with one that cannot be used.

    That is characters, or word pieces of them; or, with `classes`, one name: the value of that column of the manifest.
    """

    alphabet: str = " 'abcdefghijklmnopqrstuvwxyz"
    # Word pieces made of these characters, trained on the training transcripts; 0: the characters
    pieces: int = 0
    classes: str | None = None  # a column (text, speaker, ...); alphabet and pieces then say nothing
    labelled: float = 1.0  # the share of the training utterances whose transcripts, or classes, are used
    on_bad_utterance: Literal["error", "skip"] = "error"

    def __post_init__(self) -> None:
        if self.classes is not None and not self.classes.strip():
            raise ValueError(f"classes is {self.classes!r}; expected a column of the manifest")
        if self.classes and self.pieces:
            raise ValueError(
                f"pieces is {self.pieces} and classes is {self.classes!r}; expected one of them: "
                "a class is written whole"
            )
        if not 0 < self.labelled <= 1:
            raise ValueError(f"labelled is {self.labelled}; expected a share above 0, at most 1")
        if len(set(self.alphabet)) != len(self.alphabet) or not self.alphabet:
            raise ValueError(f"alphabet is {self.alphabet!r}; expected characters, each of them once")
        if self.pieces < 0:
            raise ValueError(f"pieces is {self.pieces}; expected 0 (characters) or more")

    @property
    def labels(self) -> int:
        """How many labels a network chooses from; label 0 is the blank of CTC, or the end.

        Of classes the corpus tells how many there are; until it is read they are taken to be as many as characters.
        """
        return 1 + (self.pieces or len(self.alphabet))
