"""The mean of an utterance, by which masks may be filled: of its finite cells, in float64, in constant memory."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

PORTION = 2**19  # cells that are looked at together: 4 megabytes in float64


def means(
    features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
) -> Float64[Tensor, " batch"]:
    """The mean of each utterance's cells before the padding, without what is infinite or not a number; 0 where none is left.

    On the host cells are looked at one by one only where a sum is not finite; to ask a GPU for that is to wait
    for it. No gradient passes.
    """
    counts = (lengths * features.shape[2]).double()
    if features.device.type == "cpu":
        sums = totals(features, lengths, lambda cells: cells)
        if bool(sums.isfinite().all()):
            return sums / counts.clamp(min=1)
    sums = totals(features, lengths, lambda cells: cells.nan_to_num_(0.0, 0.0, 0.0))
    # A cell that is not finite, less itself, is no number
    strays = totals(features, lengths, lambda cells: cells.sub_(cells).nan_to_num_(1.0))
    return sums / (counts - strays).clamp(min=1)


def totals(
    features: Float[Tensor, "batch time mel"],
    lengths: Int[Tensor, " batch"],
    prepare: Callable[[Tensor], Tensor],
) -> Float64[Tensor, " batch"]:
    """The sum of each utterance's cells before the padding, some frames at a time, which `prepare` may write to."""
    batch, time, mel = features.shape
    size = max(1, PORTION // max(1, mel))
    rows = features.detach().flatten(0, 1)
    frames = torch.empty(batch * time, dtype=torch.float64, device=features.device)
    room = torch.empty(min(size, batch * time), mel, dtype=torch.float64, device=features.device)
    for cells, into in zip(torch.split(rows, size), torch.split(frames, size), strict=True):
        torch.sum(prepare(room[: len(cells)].copy_(cells)), dim=1, out=into)
    spoken = torch.arange(time, device=lengths.device) < lengths[:, None]
    inside = frames.view(batch, time).where(spoken, 0.0)
    if not time or inside.device.type != "cpu":
        return inside.sum(dim=1)
    # One after the other: a sum of all at once has an order that depends on how much padding there is
    return inside.cumsum(dim=1)[:, -1]
