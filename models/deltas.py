"""How features change: their slope over time, and the slope of that."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.ctc import valid

REACH = 2  # frames on each side over which a slope is fitted


def with_deltas(
    features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
) -> Float[Tensor, "batch 3 time mel"]:
    """The features, their slopes a frame, and the slopes of these; the padding is 0.

    Taken of what the network is given: a masked cell is 0 in the features, and in their slopes but for the frames
    beside a mask's edges. The paper computes slopes first and masks all three (D62).
    """
    there = valid(lengths, features.shape[1])
    static = features.masked_fill(~there[:, :, None], 0.0)
    first = slopes(static, lengths) * there[:, :, None]
    second = slopes(first, lengths) * there[:, :, None]
    return torch.stack([static, first, second], dim=1)


def slopes(
    rows: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
) -> Float[Tensor, "batch time mel"]:
    """The least-squares slope over five frames about each; beyond an utterance its end frames go on."""
    place = torch.arange(rows.shape[1], device=lengths.device)
    last = (lengths - 1).clamp(min=0)[:, None]

    def moved(by: int) -> Tensor:
        from_ = (place + by).clamp(min=0).minimum(last)
        return rows.gather(1, from_[:, :, None].expand_as(rows))

    weighted = [n * (moved(n) - moved(-n)) for n in range(1, REACH + 1)]
    return torch.stack(weighted).sum(dim=0) / (2 * sum(n * n for n in range(1, REACH + 1)))
