"""Errors of a transcript, in words and in characters, as counts (jiwer)."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import jiwer


@dataclass(frozen=True, slots=True)
class Errors:
    """Counts against a reference of `total` words or characters; they add up over utterances."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    total: int = 0

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors over reference words (or characters): the WER (or CER), pooled."""
        return self.errors / max(1, self.total)


def add(counts: Iterable[Errors]) -> Errors:
    """The sum, field by field."""
    rows = [[getattr(count, field.name) for field in fields(Errors)] for count in counts]
    return Errors(*map(sum, zip(*rows, strict=True))) if rows else Errors()


def word_errors(reference: str, hypothesis: str) -> Errors:
    """Word errors of one utterance; the reference is not empty."""
    reference = tidy(reference)
    out = jiwer.process_words(reference, hypothesis)
    return Errors(out.substitutions, out.deletions, out.insertions, len(reference.split()))


def character_errors(reference: str, hypothesis: str) -> Errors:
    """Character errors of one utterance, one space a gap counted; the reference is not empty."""
    reference = tidy(reference)
    out = jiwer.process_characters(reference, hypothesis)
    return Errors(out.substitutions, out.deletions, out.insertions, len(reference))


def tidy(text: str) -> str:
    """`text` with single spaces, as hypotheses are written: nobody can be asked for a double one."""
    return " ".join(text.split())
