"""Time warping: a frame moves, the ends stay, what lies between is stretched or squeezed; the length stays."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from specaug.augment.drawn import Drawn
from specaug.augment.operations import TimeWarp
from specaug.augment.philox import below
from specaug.augment.sparse_warp import sparse_warp


@dataclass(frozen=True, slots=True)
class Warp(Drawn):
    """Frame `centre` of each utterance moves to `centre + shift`; frames 0 and `last` stay."""

    centre: Int[Tensor, " batch"]
    shift: Int[Tensor, " batch"]
    last: Int[Tensor, " batch"]  # tau - 1; tau with lingvo's bounds
    kind: str = "linear"

    def apply(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch time mel"]:
        """A new tensor, warped."""
        if self.kind == "sparse":
            return sparse_warp(features, lengths, self.centre, self.shift)
        return time_warp(features, lengths, self)


def draw_warp(
    operation: TimeWarp, lengths: Int[Tensor, " batch"], words: Int[Tensor, "batch draw 4"]
) -> Warp:
    """The frame that moves, in (W, tau - 1 - W), and its shift, U{-W..W} (decision D6).

    In an utterance of fewer than 2 W + 3 frames W is lowered until such a frame exists. With lingvo's bounds the
    frame lies anywhere in [1, tau - 2], and where it would leave the utterance the shift is cut (decision D26).
    """
    first, second = words[:, 0, 0], words[:, 0, 1]
    if operation.bounds == "lingvo":
        centre = torch.where(lengths >= 3, 1 + below(first, (lengths - 2).clamp(min=1)), 0)
        wished = below(second, torch.full_like(lengths, 2 * operation.W + 1)) - operation.W
        # the image warp cannot move a point to the edge
        edge = lengths - (2 if operation.warp == "sparse" else 1)
        target = torch.minimum((centre + wished).clamp(min=1), edge)
        return Warp(centre, torch.where(lengths >= 3, target - centre, 0), lengths, operation.warp)
    reach = (lengths - 3).div(2, rounding_mode="floor").clamp(min=0, max=operation.W)
    room = (lengths - 2 - 2 * reach).clamp(min=1)
    centre = torch.where(lengths >= 3, reach + 1 + below(first, room), 0)
    return Warp(centre, below(second, 2 * reach + 1) - reach, lengths - 1, operation.warp)


def time_warp(
    features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"], warp: Warp
) -> Float[Tensor, "batch time mel"]:
    """Frame y of the output is read at x(y), between two frames by linear interpolation; padding is copied.

    x is piecewise linear, with x(0) = 0, x(centre + shift) = centre and x(last) = last (Park et al. 2020, section
    2), and computed as a whole number and a rest: a float32 position would be wrong by 8e-4 at frame 1600.

    A frame is the weighted sum of two rows, in one pass. A weight of 0 would spread what is not a number, so a frame
    that is read whole is half a row and half the same row: its bits, unless it is subnormal.
    """
    batch, time, mel = features.shape
    exact = torch.float64 if features.dtype == torch.float64 else torch.float32
    before, rest = source_frames(lengths, warp, time)
    first = before + time * torch.arange(batch, device=features.device)[:, None]
    between = rest > 0
    pairs = torch.stack([first, first + between], dim=-1).view(-1, 2)
    far = torch.where(between, rest, 0.5).to(exact)
    weights = torch.stack([1 - far, far], dim=-1).view(-1, 2)
    rows = features.reshape(batch * time, mel).to(exact).contiguous()  # the order of a sum depends on strides
    summed = torch.nn.functional.embedding_bag(pairs, rows, mode="sum", per_sample_weights=weights)
    return summed.to(features.dtype).view(batch, time, mel)


def source_frames(
    lengths: Int[Tensor, " batch"], warp: Warp, time: int
) -> tuple[Int[Tensor, "batch {time}"], Float[Tensor, "batch {time}"]]:
    """Where each frame of the output is read: after which frame of the input, and how far after, in [0, 1).

    Whole numbers in float64, which divides them six times as fast as int64: products of two frames are exact, and so
    is the floor of such a product over a number of frames.
    """
    output = torch.arange(time, dtype=torch.float64, device=lengths.device).expand(len(lengths), time)
    centre, last, end = (part.double()[:, None] for part in (warp.centre, warp.last, lengths - 1))
    target = centre + warp.shift[:, None]
    left = output <= target
    run = torch.where(left, target, last - target).clamp(min=1)  # frames of output on this side
    rise = torch.where(left, centre, last - centre)  # frames of input on this side
    climb = torch.where(left, output, output - target) * rise
    whole = (climb / run).floor()
    rest = (climb - whole * run) / run
    before = torch.where(left, whole, whole + centre)
    rest = torch.where(before < end, rest, 0.0)
    before = torch.minimum(before, end)
    moved = (warp.shift != 0)[:, None] & (output <= end)
    return torch.where(moved, before, output).long(), torch.where(moved, rest, 0.0)
