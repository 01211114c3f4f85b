"""Text and labels: characters from 1 on; 0 is the blank of CTC."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

BLANK = 0
SPACE = "<space>"


@runtime_checkable  # tests check it wherever it stands in a signature
class Units(Protocol):
    """What a network writes: characters or word pieces, labelled from 1 on."""

    @property
    def size(self) -> int:
        """The number of labels, label 0 among them."""
        ...

    @property
    def tokens(self) -> Sequence[str]:
        """What labels 1, 2, ... are called in a file of n-grams."""
        ...

    def encode(self, text: str) -> list[int]:
        """The labels of `text`; raises ValueError where it has characters that they cannot write."""
        ...

    def decode(self, labels: Sequence[int]) -> str:
        """The text of `labels`, its spaces tidied."""
        ...


@dataclass(frozen=True)
class Alphabet:
    """The characters that a network can write, in the order of their labels."""

    characters: str

    @property
    def size(self) -> int:
        """The number of labels, the blank among them."""
        return len(self.characters) + 1

    @property
    def tokens(self) -> list[str]:
        """The characters, the space by a name: such files have spaces between tokens."""
        return [SPACE if character == " " else character for character in self.characters]

    def encode(self, text: str) -> list[int]:
        """The labels of `text`. Raises ValueError naming the characters that are not in the alphabet."""
        if strange := foreign(text, self.characters):
            raise ValueError(f"characters {strange!r} are not in the alphabet {self.characters!r}")
        return [self.characters.index(character) + 1 for character in text]

    def decode(self, labels: Sequence[int]) -> str:
        """The text of `labels`, its spaces tidied."""
        return " ".join("".join(self.characters[label - 1] for label in labels).split())


def foreign(text: str, characters: str) -> str:
    """The characters of `text` that are not among `characters`, each once."""
    return "".join(sorted(set(text) - set(characters)))


def frames_needed(labels: Sequence[int] | str) -> int:
    """The fewest output frames in which CTC can write `labels`: one each, and a blank between two alike."""
    return len(labels) + sum(a == b for a, b in itertools.pairwise(labels))
