"""The fused CUDA path: one kernel warps and masks a batch in one pass over memory.

What a cell costs: one that is shown is read once and written once. A warped frame reads two rows, but its
neighbour in the same block reads one of them too and finds it in the cache, so that memory still sees about
one read a cell. A frame under a time mask is written and never read. That is 8 bytes a cell in float32 and 4
in the half types, as much as a plain copy moves; the arithmetic, one interpolation a cell and two divisions a
frame, hides behind it. So bandwidth alone decides, and the tile below only has to keep enough loads in flight.
"""

import math
from typing import no_type_check

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from specaug.augment.means import means as means

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
TILE = 2048  # cells of one program: 16 for each of its 128 threads
WIDEST = 46340  # frames; the square of one more does not fit into 31 bits


def warp_and_mask(
    features: Shaped[Tensor, "batch time mel"],
    lengths: Int[Tensor, " batch"],
    centre: Int[Tensor, " batch"],
    shift: Int[Tensor, " batch"],
    last: Int[Tensor, " batch"],
    freq: tuple[Int[Tensor, "batch freq_masks"], Int[Tensor, "batch freq_masks"]],
    time: tuple[Int[Tensor, "batch time_masks"], Int[Tensor, "batch time_masks"]],
    fill: Float[Tensor, " batch"],
    out: Shaped[Tensor, "batch time mel"] | None = None,
) -> Shaped[Tensor, "batch time mel"]:
    """Features warped in time, then `fill` where a mask hides them; launched, and not waited for.

    Shape:
        features: (batch, time, mel), float32, bfloat16 or float16, of any strides; never modified
        lengths:  (batch,), frames before the padding, 0 <= length <= time; the padding is copied as it is
        centre:   (batch,), the frame of the input that is read at frame centre + shift of the output
        shift:    (batch,), 0 where an utterance is copied bit for bit
        last:     (batch,), the frame after the centre that stays where it is, as frame 0 does
        freq:     starts and widths, (batch, masks) each, of half-open intervals of channels
        time:     the same, of frames
        fill:     (batch,), what a hidden cell holds
        output:   (batch, time, mel): `out` where it is given, which must not overlap `features`

    Park et al. 2019 (arXiv:1904.08779), section 2. Nothing here asks the device for a value, so the call is as
    short on the host as a launch is. Tensors of draws that are not contiguous cost a copy each.
    """
    out = destination(features, out)
    if features.numel() == 0:
        return out
    batch, frames, mel = features.shape
    channels = 1 << (mel - 1).bit_length()
    block = max(1, TILE // channels)
    draws = [part.contiguous() for part in (lengths, centre, shift, last, *freq, *time, fill)]
    sizes = (frames, freq[0].shape[1], time[0].shape[1], *features.stride(), *out.stride())
    unit = math.gcd(16, *features.stride()[:2], *out.stride()[:2])
    with torch.cuda.device(features.get_device()):
        # One axis: the second and the third of a grid end at 65,535 programs.
        # No fused multiply-add: it would round once where the CPU rounds twice.
        kernel[(batch * -(-frames // block),)](
            features, out, *draws, *sizes, mel, channels, block, unit, frames > WIDEST, enable_fp_fusion=False
        )
    return out


def destination(features: Shaped[Tensor, "..."], out: Shaped[Tensor, "..."] | None) -> Shaped[Tensor, "..."]:
    """`out` where it can take the result, or a new tensor like `features`; ValueError where it cannot."""
    if features.dtype not in DTYPES:
        raise ValueError(f"features is of {features.dtype}; expected one of {', '.join(map(str, DTYPES))}")
    if out is None:
        return torch.empty_like(features)
    if out.dtype != features.dtype or out.shape != features.shape:
        raise ValueError(
            f"out is {tuple(out.shape)} of {out.dtype}; "
            f"expected what features is, {tuple(features.shape)} of {features.dtype}"
        )
    if out.numel() and out.data_ptr() == features.data_ptr():
        raise ValueError("out is the memory of features; expected memory of its own")
    return out


# A kernel is compiled from its source: no_type_check keeps whatever checks shapes from wrapping it. Only what
# triton itself builds in is called, nothing of its library, whose functions were compiled when it was imported.


@triton.jit
@no_type_check
def covered(place, start, width, first, masks):
    """True at each of `place` that at least one of the intervals from number `first` contains."""
    found = place < 0
    mask = 0
    while mask < masks:  # not `range`, whose end triton's interpreter does not accept from numpy 2.4 on
        begin = tl.load(start + first + mask)
        found |= (begin <= place) & (place < begin + tl.load(width + first + mask))
        mask += 1
    return found


@triton.jit
@no_type_check
def source(frame, centre, target, last, wide: tl.constexpr):
    """After which frame of the input each frame of the output is read, and how far after, in [0, 1).

    Whole numbers up to the division of what remains, which is the one rounding of the weight.
    """
    left = frame <= target
    run = tl.maximum(tl.where(left, target, last - target), 1)  # frames of output on this side
    rise = tl.where(left, centre, last - centre)  # frames of input on this side
    climb = tl.where(left, frame, frame - target) * rise
    whole = climb // run
    rest = climb - whole * run
    if wide:  # float32 holds no whole number above 2^24; double division is slow on small cards
        weight = (rest.to(tl.float64) / run.to(tl.float64)).to(tl.float32)
    else:
        weight = tl.div_rn(rest.to(tl.float32), run.to(tl.float32))
    return tl.where(left, whole, whole + centre), weight


# fmt: off
@triton.jit(do_not_specialize=["time", "freq_masks", "time_masks"])  # a batch of another length compiles nothing
@no_type_check
def kernel(
    features, out, lengths, centre, shift, last, freq_start, freq_width, time_start, time_width, fill,
    time, freq_masks, time_masks, in_batch, in_time, in_mel, out_batch, out_time, out_mel,
    mel: tl.constexpr, channels: tl.constexpr, block: tl.constexpr, unit: tl.constexpr, wide: tl.constexpr,
):
    # fmt: on
    """A program's share: `block` frames of one utterance, all its channels."""
    index = tl.int64 if wide else tl.int32  # what holds a product of two frames
    blocks = (time + block - 1) // block
    utterance = (tl.program_id(0) // blocks).to(tl.int64)
    frame = (tl.program_id(0) % blocks * block + tl.arange(0, block)).to(index)
    channel = tl.arange(0, channels).to(tl.int64)
    # A length past the end is an error that the host cannot see without waiting; it must not read past the end.
    length = tl.minimum(tl.load(lengths + utterance), time).to(index)
    middle, by = tl.load(centre + utterance).to(index), tl.load(shift + utterance).to(index)
    before, weight = source(frame, middle, middle + by, tl.load(last + utterance).to(index), wide)

    inside, valid = frame < time, frame < length
    moved = valid & (by != 0)
    before = tl.where(moved, tl.minimum(before, length - 1), frame)
    weight = tl.where(moved & (before < length - 1), weight, 0.0)[:, None]
    unseen = valid & covered(frame, time_start, time_width, utterance * time_masks, time_masks)
    muted = covered(channel, freq_start, freq_width, utterance * freq_masks, freq_masks)
    hidden = unseen[:, None] | (valid[:, None] & muted[None, :])

    # A load of 16 bytes needs to know that its row starts at a multiple of them, and a mask that is the same all
    # along them: so the channel masks act on values.
    row = tl.multiple_of(utterance * in_batch + before.to(tl.int64) * in_time, unit)
    next_row = tl.multiple_of(row + in_time, unit)
    target = tl.multiple_of(utterance * out_batch + frame.to(tl.int64) * out_time, unit)
    here = inside[:, None] & (channel < mel)[None, :]
    shown = here & ~unseen[:, None]
    low = tl.load(features + row[:, None] + channel[None, :] * in_mel, mask=shown)
    high = tl.load(features + next_row[:, None] + channel[None, :] * in_mel, mask=shown & (weight > 0))
    # Not low + weight * (high - low), whose difference may be infinite, or no number, where both cells are neither
    between = ((1 - weight) * low.to(tl.float32) + weight * high.to(tl.float32)).to(low.dtype)
    value = tl.where(hidden, tl.load(fill + utterance).to(low.dtype), tl.where(weight > 0, between, low))
    tl.store(out + target[:, None] + channel[None, :] * out_mel, value, mask=here)
