"""The image warp of the 2019 paper: a point of the spectrogram moves in time, and a spline moves the rest along.

Nothing here is random. It is the slow and literal warp; the piecewise linear one moves all channels alike.
"""

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

TICK_BITS = 24  # positions are whole numbers of 2^-24 frames, whose fractions float32 holds exactly


def sparse_warp(
    features: Float[Tensor, "batch time mel"],
    lengths: Int[Tensor, " batch"],
    centre: Int[Tensor, " batch"],
    shift: Int[Tensor, " batch"],
) -> Float[Tensor, "batch time mel"]:
    """Each utterance as an image whose point at frame `centre`, half-way up, is at `centre + shift`; a new tensor.

    A cell is read in its own channel at its frame less its flow (see `sparse_flow`), held inside the utterance,
    between two frames by linear interpolation. An utterance of fewer than 3 frames or of shift 0 is copied, and
    so is the padding.

    Shape:
        features: (batch, time, mel), log-mel energies
        lengths:  (batch,), frames before the padding, tau, 0 <= tau <= time
        centre:   (batch,), frames
        shift:    (batch,), frames, w
        output:   (batch, time, mel)

    Park et al. 2019, section 2. Raises ValueError where a moved point starts or arrives outside (0, tau - 1).
    """
    _, time, mel = features.shape
    lengths, centre, shift = (x.to(features.device, torch.int64) for x in (lengths, centre, shift))
    frame = torch.arange(time, device=features.device)
    flow = sparse_flow(lengths, centre, shift, time, mel)
    bound = torch.maximum(frame, lengths[:, None] - 1)[:, :, None]  # padding is not held inside the utterance
    # Rounding to ticks also takes away the solver's error: what arrives at a frame is read from one frame alone.
    flow = flow.neg_().add_(frame[:, None]).mul_(1 << TICK_BITS).round_()
    ticks = flow.long().clamp_(min=0).clamp_(max=bound << TICK_BITS)
    before = ticks >> TICK_BITS
    low, high = features.gather(1, before), features.gather(1, (before + 1).clamp_(max=time - 1))
    working = torch.promote_types(features.dtype, torch.float32)
    weight = ticks.bitwise_and_((1 << TICK_BITS) - 1).to(working).div_(1 << TICK_BITS)
    # Not torch.lerp, whose difference of the two may be infinite, or no number, where both cells are neither
    between = (low.to(working) * (1 - weight)).addcmul(high.to(working), weight).to(features.dtype)
    return torch.where(weight > 0, between, low)


def sparse_flow(
    lengths: Int[Tensor, " batch"],
    centre: Int[Tensor, " batch"],
    shift: Int[Tensor, " batch"],
    time: int,
    mel: int,
) -> Float64[Tensor, "batch {time} {mel}"]:
    """By how many frames what arrives in a cell has moved; 0 in the padding and where nothing moves.

    A polyharmonic spline of order 1 (phi(r) = r) with an affine part, in frames and channels as they are. It is
    w at (centre + shift, (mel - 1) / 2) and 0 at six anchors: channels 0, (mel - 1) / 2 and mel - 1 of frames 0
    and tau - 1. With one channel they are three points, and the flow is the line of two pieces through them,
    which is this spline in one dimension.

    The flow fades towards the outer channels: of LD's draws in 1,200 frames of 80 channels, channel 0 moves by
    0.92 of what channel 39 does (median, at the frame of arrival), and by 0.19 for an arrival near an end. The
    end frames stay at their anchors alone; between them they move by up to 15 frames, 0.2 on average.

    Park et al. 2019, section 2. Raises ValueError where a moved point starts or arrives outside (0, tau - 1).
    """
    moved = (shift != 0) & (lengths >= 3)
    require_inside("centre", centre, lengths, moved)
    require_inside("centre + shift", centre + shift, lengths, moved)
    # What does not move takes any spline that can be solved, times 0.
    last = torch.where(moved, lengths - 1, 2).double()
    target = torch.where(moved, centre + shift, 1).double()
    shift = torch.where(moved, shift, 0).double()
    frame = torch.arange(time, dtype=torch.float64, device=lengths.device)
    if mel == 1:
        up, down = frame / target[:, None], (last[:, None] - frame) / (last - target)[:, None]
        flow = (torch.minimum(up, down) * shift[:, None])[:, :, None]
    else:
        flow = evaluate_spline(control_points(last, target, mel), shift, frame, mel)
    return flow.masked_fill_((frame >= lengths[:, None])[:, :, None], 0.0)


def require_inside(
    name: str, frame: Int[Tensor, " batch"], lengths: Int[Tensor, " batch"], moved: Tensor
) -> None:
    """Raise ValueError for the first moved utterance whose `frame` is not one between its ends."""
    outside = moved & ((frame <= 0) | (frame >= lengths - 1))
    if bool(outside.any()):
        place = int(outside.nonzero()[0])
        value, length = int(frame[place]), int(lengths[place])
        raise ValueError(
            f"{name} is {value} in an utterance of {length} frames; expected a frame in 1..{length - 2}"
        )


def control_points(
    last: Float64[Tensor, " batch"], target: Float64[Tensor, " batch"], mel: int
) -> Float64[Tensor, "batch 7 2"]:
    """Where the flow is known, as (frame, channel): the point that has moved, then the six anchors."""
    first = torch.zeros_like(last)
    frames = torch.stack([target, first, first, first, last, last, last], dim=1)
    bottom, middle, top = 0.0, (mel - 1) / 2, mel - 1.0
    channels = last.new_tensor([middle, bottom, middle, top, bottom, middle, top])
    return torch.stack([frames, channels.expand_as(frames)], dim=2)


def solve_spline(
    points: Float64[Tensor, "batch 7 2"], shift: Float64[Tensor, " batch"]
) -> Float64[Tensor, "batch 9"]:
    """The spline's coefficients: one for the distance to each point, then those of 1 and of the frame.

    The channel's own is 0, since the points lie alike on both sides of the middle channel; it is left out.
    """
    system = points.new_zeros(len(points), 9, 9)
    system[:, :7, :7] = torch.linalg.vector_norm(points[:, :, None] - points[:, None], dim=3)
    system[:, :7, 7] = system[:, 7, :7] = 1.0
    system[:, :7, 8] = system[:, 8, :7] = points[:, :, 0]
    known = points.new_zeros(len(points), 9)
    known[:, 0] = shift
    solution: Tensor = torch.linalg.solve(system, known)
    return solution


def evaluate_spline(
    points: Float64[Tensor, "batch 7 2"],
    shift: Float64[Tensor, " batch"],
    frame: Float64[Tensor, " time"],
    mel: int,
) -> Float64[Tensor, "batch time {mel}"]:
    """The spline in every cell, one control point at a time: all at once would hold seven times as much.

    Of the channels only one half is computed; the other is its mirror image.
    """
    weights = solve_spline(points, shift)
    channel = torch.arange((mel + 1) // 2, dtype=torch.float64, device=points.device)
    affine = weights[:, 7, None] + weights[:, 8, None] * frame
    half = affine[:, :, None].repeat(1, 1, len(channel))
    for place in range(7):
        rise, run = channel - points[:, place, 1:], frame - points[:, place, :1]
        distance = (run.square()[:, :, None] + rise.square()[:, None, :]).sqrt_()
        half.addcmul_(distance, weights[:, place, None, None])
    return torch.cat([half, half[:, :, : mel // 2].flip(2)], dim=2)
