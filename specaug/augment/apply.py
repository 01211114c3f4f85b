"""Applying: a pure function of features and draws. Nothing here is random."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from specaug.augment.draws import Draws, Spans


def apply(
    features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"], draws: Draws
) -> Float[Tensor, "batch time mel"]:
    """Warped, then masked with 0 in channels and in frames; a new tensor, its padding as it was.

    Shape:
        features: (batch, time, mel), log-mel energies with mean 0, so that 0 is neutral
        lengths:  (batch,), frames before the padding, 0 <= length <= time
        output:   (batch, time, mel)
    """
    _, time, mel = features.shape
    frames, channels = cover(draws.time, time), cover(draws.freq, mel)
    valid = torch.arange(time, device=features.device) < lengths[:, None]
    hidden = (frames[:, :, None] | channels[:, None, :]) & valid[:, :, None]
    if bool(draws.shift.any()):
        return time_warp(features, lengths, draws).masked_fill_(hidden, 0.0)
    return features.masked_fill(hidden, 0.0)


def cover(spans: Spans, size: int) -> Bool[Tensor, "batch {size}"]:
    """True at every position that at least one interval contains."""
    position = torch.arange(size, device=spans.start.device)
    start, end = spans.start[..., None], (spans.start + spans.width)[..., None]
    return ((start <= position) & (position < end)).any(dim=1)


def hidden_shares(draws: Draws, lengths: Int[Tensor, " batch"], mel: int) -> Float[Tensor, "3 batch"]:
    """The shares of cells, of frames and of channels that are hidden in each utterance, overlaps once."""
    length = lengths.double().clamp(min=1)
    frames = cover(draws.time, int(lengths.max())).sum(dim=1) / length
    channels = cover(draws.freq, mel).sum(dim=1).double() / mel
    return torch.stack([frames + channels - frames * channels, frames, channels])


def time_warp(
    features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"], draws: Draws
) -> Float[Tensor, "batch time mel"]:
    """Each utterance stretched on one side of a frame and squeezed on the other; its length stays.

    Frame y of the output is read at x(y), piecewise linear with x(0) = 0, x(centre + shift) = centre and
    x(tau - 1) = tau - 1 (Park et al. 2020, section 2), between two frames by linear interpolation. x is
    computed as a whole number and a rest: a float32 position would be wrong by 8e-4 at frame 1600.
    """
    batch, time, mel = features.shape
    before, rest = source_frames(lengths, draws, time)
    rows = features.reshape(batch * time, mel)
    first = (before + time * torch.arange(batch, device=features.device)[:, None]).flatten()
    low = rows.index_select(0, first).view(batch, time, mel)
    high = rows.index_select(0, (first + 1).clamp(max=batch * time - 1)).view(batch, time, mel)
    weight = rest.to(features.dtype)[:, :, None]
    return torch.where(weight > 0, torch.lerp(low, high, weight), low)


def source_frames(
    lengths: Int[Tensor, " batch"], draws: Draws, time: int
) -> tuple[Int[Tensor, "batch {time}"], Float[Tensor, "batch {time}"]]:
    """Where each frame of the output is read: after which frame of the input, and how far after, in [0, 1)."""
    output = torch.arange(time, device=lengths.device).expand(len(lengths), time)
    centre, last = draws.centre[:, None], (lengths.long() - 1)[:, None]
    target = centre + draws.shift[:, None]
    left = output <= target
    run = torch.where(left, target, last - target).clamp(min=1)  # frames of output on this side
    rise = torch.where(left, centre, last - centre)  # frames of input on this side
    climb = torch.where(left, output, output - target) * rise
    whole = climb.div(run, rounding_mode="floor")
    rest = (climb - whole * run).double() / run
    moved = (draws.shift != 0)[:, None] & (output <= last)
    before = torch.where(left, whole, whole + centre)
    return torch.where(moved, before, output), torch.where(moved, rest, torch.zeros_like(rest))
