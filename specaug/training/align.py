"""When the words of a transcript were spoken, by the frames of a CTC network (torchaudio's forced alignment)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import torch
from jaxtyping import Float
from torch import Tensor
from torchaudio.functional import forced_align

from specaug.speech.text import BLANK, Alphabet, foreign, frames_needed

MARGIN = 0.1  # seconds: the labels of CTC are peaks inside their words, which reach a little further


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of an utterance, in seconds from its start."""

    start: float
    end: float


def word_spans(
    log_probs: Float[Tensor, "frames vocab"], text: str, alphabet: Alphabet, step: float
) -> list[Span] | None:
    """When each word of `text` was spoken, on the most likely path that spells all of it.

    `step` is the time of one frame in seconds. A word reaches up to `MARGIN` beyond its first and last label,
    but not beyond the middle of the gap to its neighbour. None where the text does not fit: it has characters
    that the network cannot write, or needs more frames than there are.
    """
    words = text.split()
    line = " ".join(words)
    if foreign(line, alphabet.characters) or frames_needed(line) > len(log_probs):
        return None
    frames = label_frames(log_probs, alphabet.encode(line))
    ends = [(frames[start][0], frames[stop - 1][1]) for start, stop in _places(words)]
    return widened([Span(step * first, step * last) for first, last in ends], step * len(log_probs))


def label_frames(log_probs: Float[Tensor, "frames vocab"], labels: Sequence[int]) -> list[tuple[int, int]]:
    """The first frame of each label, and the one after its last, on the most likely path that spells them."""
    if not labels:
        return []
    path, _ = forced_align(log_probs.float()[None], torch.tensor([list(labels)]), blank=BLANK)
    found, place = [], 0
    for label, run in groupby(path[0].tolist()):
        start, place = place, place + len(list(run))
        if label != BLANK:
            found.append((start, place))
    return found


def widened(spans: Sequence[Span], end: float) -> list[Span]:
    """Spans that reach further by `MARGIN`, but neither into each other nor out of [0, end]."""
    middles = [(one.end + other.start) / 2 for one, other in pairwise(spans)]
    lowest, highest = [0.0, *middles], [*middles, end]
    return [
        Span(max(low, span.start - MARGIN), min(high, span.end + MARGIN))
        for span, low, high in zip(spans, lowest, highest, strict=False)
    ]


def _places(words: Sequence[str]) -> list[tuple[int, int]]:
    """Where each word starts and stops in the line that they make with single spaces."""
    found, start = [], 0
    for word in words:
        found.append((start, start + len(word)))
        start += len(word) + 1
    return found
