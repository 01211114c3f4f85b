"""The plain way: a warp and its masks in torch operations, on any device, for any type, with gradients.

The fused passes answer the same call; they are checked against this one.
"""

from jaxtyping import Float, Int
from torch import Tensor

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

    Interval by interval into a copy: a mask of Booleans for every cell would be read and written once more.
    """
    warped = time_warp(features, lengths, Warp(centre, shift, last)) if bool(shift.any()) else None
    if out is None:
        result = features.clone() if warped is None else warped
    else:
        result = out.copy_(features if warped is None else warped)
    values = fill.tolist()
    ends = lengths.tolist()
    for utterance, start, width in intervals(freq):
        result[utterance, : ends[utterance], start : start + width] = values[utterance]
    for utterance, start, width in intervals(time):
        result[utterance, start : min(start + width, ends[utterance])] = values[utterance]
    return result


def intervals(spans: Spans) -> list[tuple[int, int, int]]:
    """(utterance, start, width) of every interval that is not empty."""
    rows = zip(*(part.tolist() for part in spans), strict=True)
    return [
        (utterance, start, width)
        for utterance, (starts, widths) in enumerate(rows)
        for start, width in zip(starts, widths, strict=True)
        if width
    ]
