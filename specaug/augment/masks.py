"""Frequency masks and time masks (Park et al. 2019, section 2): intervals of channels, of frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from specaug.augment.drawn import Drawn, Movable
from specaug.augment.fills import Fills
from specaug.augment.operations import FrequencyMask, TimeMask
from specaug.augment.philox import Limit, below


@dataclass(frozen=True, slots=True)
class Spans(Movable):
    """Half-open intervals [start, start + width), `mask` of them per utterance."""

    start: Int[Tensor, "batch mask"]
    width: Int[Tensor, "batch mask"]


@dataclass(frozen=True, slots=True)
class Masks(Drawn):
    """What one operation hides: `spans` of channels or of frames, and what hidden cells hold instead."""

    axis: str  # "freq" or "time"
    spans: Spans
    fills: Fills

    def apply(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch time mel"]:
        """A new tensor in which the cells of the spans hold the fill."""
        hidden = hidden_cells([self], lengths, features.shape[1], features.shape[2])
        return self.fills.filled(features, hidden, lengths)


def draw_frequency(operation: FrequencyMask, mel: int, words: Int[Tensor, "batch draw 4"]) -> Spans:
    """Widths f ~ U{0..F}, f0 ~ U{0..nu - f}, nu = `mel` (decisions D3, D4, D26)."""
    return place(words, mel, operation.F, mel, operation.bounds)


def draw_time(
    operation: TimeMask, lengths: Int[Tensor, " batch"], words: Int[Tensor, "batch draw 4"]
) -> Spans:
    """Widths t ~ U{0..min(T, floor(p tau))}, t0 ~ U{0..tau - t}; T and the number of masks adapt where p_S, p_M are given."""
    fixed = operation.T is not None and operation.p_S is None
    wished = operation.T or 0 if fixed else each(operation.wished, lengths)
    cap = lengths if operation.p == 1 else each(operation.cap, lengths)
    spans = place(words, lengths, wished, cap, operation.bounds)
    if operation.p_M is None:
        return spans
    there = torch.arange(words.shape[1], device=lengths.device) < each(operation.count, lengths)[:, None]
    return Spans(spans.start * there, spans.width * there)


def each(limit: Callable[[int], int], lengths: Int[Tensor, " batch"]) -> Int[Tensor, " batch"]:
    """A limit of each utterance, in exact arithmetic."""
    return torch.tensor([limit(n) for n in lengths.tolist()], dtype=torch.int64, device=lengths.device)


def place(words: Int[Tensor, "batch draw 4"], size: Limit, wished: Limit, cap: Limit, bounds: str) -> Spans:
    """Intervals inside [0, size), one for each draw: every width, then every place that fits, equally likely.

    `closed`: widths {0..min(wished, cap)}, starts {0..size - width}. `paper`: the last start is never drawn, as its
    [0, size - width) says when read to the letter. `lingvo`, the authors' own code: widths {0..wished - 1}, cut to
    the cap (of at least 1), starts as in `closed`.
    """
    size, wished, cap = (
        torch.as_tensor(limit, device=words.device)[..., None] for limit in (size, wished, cap)
    )
    if bounds == "lingvo":
        drawn = below(words[..., 0], wished.clamp(min=1))
        width = torch.minimum(torch.minimum(drawn, cap.clamp(min=1)), size)
    else:
        top = torch.minimum(wished, cap)  # p is at most 1, so the cap at most the size
        width = below(words[..., 0], top + 1)
    starts = size - width + (bounds != "paper")
    return Spans(below(words[..., 1], starts), width)


def cover(spans: Spans, size: int) -> Bool[Tensor, "batch {size}"]:
    """True at every position that at least one interval contains."""
    position = torch.arange(size, device=spans.start.device)
    start, end = spans.start[..., None], (spans.start + spans.width)[..., None]
    return ((start <= position) & (position < end)).any(dim=1)


def hidden_cells(
    masks: Sequence[Masks], lengths: Int[Tensor, " batch"], time: int, mel: int
) -> Bool[Tensor, "batch {time} {mel}"]:
    """True at every cell of the utterances, padding excepted, that at least one mask hides."""
    hidden = torch.zeros(len(lengths), time, mel, dtype=torch.bool, device=lengths.device)
    for mask in masks:
        if mask.axis == "time":
            hidden |= cover(mask.spans, time)[:, :, None]
        else:
            hidden |= cover(mask.spans, mel)[:, None, :]
    return hidden & (torch.arange(time, device=lengths.device) < lengths[:, None])[:, :, None]
