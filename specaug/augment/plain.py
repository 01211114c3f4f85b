"""The plain way: a warp and its masks in torch operations, on any device, for any type.

The fused passes answer the same call; they are checked against this one.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from specaug.augment.means import means as means
from specaug.augment.warp import Warp, time_warp

Spans = tuple[Tensor, Tensor]  # starts and widths, (batch, masks) each


def warp_and_mask(
    features: Float[Tensor, "batch time mel"],
    lengths: Int[Tensor, " batch"],
    centre: Int[Tensor, " batch"],
    shift: Int[Tensor, " batch"],
    last: Int[Tensor, " batch"],
    freq: Spans,
    time: Spans,
    fill: Float[Tensor, " batch"],
    out: Float[Tensor, "batch time mel"] | None = None,
) -> Float[Tensor, "batch time mel"]:
    """Warped, then `fill` in the channels of `freq` and the frames of `time`; the padding as it was.

    Interval by interval into a copy: a mask of Booleans for every cell would be read and written once more. And
    utterance by utterance, so that what was copied is still in the cache when it is hidden. With the features
    themselves as `out` and no warp, only what is hidden is written. No gradient passes.
    """
    moves = bool(shift.any())
    source = time_warp(features, lengths, Warp(centre, shift, last)) if moves else features
    if out is None:
        out = source if moves else torch.empty_like(features)
    hidden = zip(lengths.tolist(), fill.tolist(), intervals(freq), intervals(time), strict=True)
    for utterance, (length, value, channels, frames) in enumerate(hidden):
        if out is not source:
            out[utterance].copy_(source[utterance])
        speech = out[utterance, :length]
        for start, end in channels:
            speech[:, start:end].fill_(value)
        for start, end in frames:
            speech[start:end].fill_(value)
    return out


def intervals(spans: Spans) -> list[list[tuple[int, int]]]:
    """(start, end) of each interval of each utterance that is not empty."""
    rows = zip(*(part.tolist() for part in spans), strict=True)
    return [[(start, start + width) for start, width in zip(*row, strict=True) if width] for row in rows]
