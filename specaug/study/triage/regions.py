"""The word errors of a transcript, and where in time they lie."""

from collections.abc import Sequence
from dataclasses import dataclass

import jiwer

from specaug.study.triage.config import DEL, INS, SUB
from specaug.training.align import Span

KINDS = {"substitute": SUB, "delete": DEL, "insert": INS}  # as jiwer calls them


@dataclass(frozen=True, slots=True)
class WordError:
    """One word that was recognised as another, missed, or made up."""

    kind: str
    said: int | None  # the place of the word in the reference; None where it was made up
    written: int | None  # its place in the hypothesis; None where it was missed
    note: str  # the words


@dataclass(frozen=True, slots=True)
class Region:
    """A word error at its time."""

    kind: str
    note: str
    span: Span


def word_errors(reference: str, hypothesis: str) -> list[WordError]:
    """The errors that jiwer counts, in the order of the utterance."""
    said, written = reference.split(), hypothesis.split()
    found = []
    for chunk in jiwer.process_words(" ".join(said), " ".join(written)).alignments[0]:
        if chunk.type == "equal":
            continue
        kind = KINDS[chunk.type]
        count = max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
        for place in range(count):
            at = None if kind == INS else chunk.ref_start_idx + place
            to = None if kind == DEL else chunk.hyp_start_idx + place
            words = ["" if at is None else said[at], "" if to is None else written[to]]
            found.append(WordError(kind, at, to, " \N{RIGHTWARDS ARROW} ".join(words).strip()))
    return found


def placed(
    errors: Sequence[WordError], said: Sequence[Span] | None, written: Sequence[Span] | None
) -> list[Region]:
    """The errors at their times: what was written by the hypothesis's alignment, what was missed by the reference's.

    None is an alignment that could not be made; its errors have no region.
    """
    regions = []
    for error in errors:
        spans, place = (said, error.said) if error.written is None else (written, error.written)
        if spans is not None and place is not None:
            regions.append(Region(error.kind, error.note, spans[place]))
    return regions
