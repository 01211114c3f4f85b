"""The warp and the masks of a padded batch in one pass over memory, compiled by numba (an optional extra).

Bytes decide: the batch is read once and written once, and what is hidden is decided while a row is in the cache. What
stays where it is, padding and utterances without a warp, goes by the C library's copy, which need not read what it
writes over, and is then masked in place. The kernels hold no GIL, and what is compiled stays on disk. With more than
one torch thread the rows are shared among them and not among numba's own, which two callers at once may not share, nor
a fork()ed loader worker.
"""

import ctypes
from collections.abc import Sequence
from functools import cache, partial
from typing import Any, no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Float, Float64, Int, Shaped
from torch import Tensor

from specaug.augment import means as plain
from specaug.augment.fused_draws import CPU, kept, whole
from specaug.augment.team import claim, copy, pointer, run

CELLS = {  # what the kernel sees: cells of 16 bits are moved, and become float32 where they are warped
    torch.float32: numba.float32,
    torch.float16: numba.int16,
    torch.bfloat16: numba.int16,
}
GRAIN = 2**16  # cells that a thread takes at a time: what is copied is masked before it leaves the cache


class Job(ctypes.Structure):
    """What a thread needs to know: numbers, and addresses of int64 vectors and of cells."""

    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in (
            *("claimed", "parts", "batch", "time", "mel", "freq_masks", "time_masks"),
            *("source", "utterance_step", "frame_step", "target", "out_utterance", "out_frame", "fill"),
            *("lengths", "centre", "shift", "last", "freq_start", "freq_width", "time_start", "time_width"),
        )
    )


OF_A_JOB: Any = numba.types.void(numba.types.CPointer(numba.from_dtype(np.dtype(Job))))  # type: ignore[no-untyped-call]
Spans = tuple[Tensor, Tensor]


def accepts(features: Shaped[Tensor, "*shape"]) -> bool:
    """Whether `warp_and_mask` can do it: dense float32, float16 or bfloat16 on the CPU; the rest goes the plain way."""
    return features.device.type == "cpu" and features.layout == torch.strided and features.dtype in CELLS


def warp_and_mask(
    features: Shaped[Tensor, "batch time mel"],
    lengths: Int[Tensor, " batch"],
    centre: Int[Tensor, " batch"],
    shift: Int[Tensor, " batch"],
    last: Int[Tensor, " batch"],
    freq: Spans,
    time: Spans,
    fill: Float[Tensor, " batch"],
    out: Shaped[Tensor, "batch time mel"] | None = None,
) -> Shaped[Tensor, "batch time mel"]:
    """Each utterance warped, then its masks filled: frame `centre` is read at `centre + shift`; no gradient passes.

    Frames 0 and `last` stay; in between the source is linear on each side of the centre (Park et al. 2019,
    section 2), exact as a whole number and a rest. A frame of weight 0 is a copy of one frame. Raises ValueError
    where an argument does not fit the features.

    Shape:
        features:     (batch, time, mel), in any order in memory
        freq, time:   starts and widths, each (batch, masks), of channels and of frames
        out:          (batch, time, mel), may be strided, must share no memory with the features
        output:       (batch, time, mel), `out` where it is given
    """
    result = torch.empty(features.shape, dtype=features.dtype, device=CPU) if out is None else out
    vectors = {"lengths": lengths, "centre": centre, "shift": shift, "last": last, "fill": fill}
    check(features, vectors, {"freq": freq, "time": time}, result)
    if not features.numel():
        return result
    half = features.dtype != torch.float32 and bool(shift.any())
    number = torch.float32 if half else features.dtype
    source = features.to(number)
    direct = in_rows(result) and not half
    target = result if direct else torch.empty(features.shape, dtype=number, device=CPU)
    source = source if in_rows(source) else source.contiguous()
    drawn = [whole(part) for part in (lengths, centre, shift, last, *freq, *time)]
    pass_over(source, target, fill.to(number).contiguous(), drawn)
    return result if direct else result.copy_(target)


def means(
    features: Shaped[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
) -> Float64[Tensor, " batch"]:
    """Those of `means.py`, an utterance at a time in compiled code; what is not finite or not float32 goes the plain way.

    Channel by channel, so that the bits are the same whatever number of cells a processor adds at once.
    """
    if features.dtype != torch.float32:
        return plain.means(features, lengths)
    batch, time, mel = features.shape
    source = features.detach()
    source = source if in_rows(source) else source.contiguous()
    sums, frames = torch.empty(batch, dtype=torch.float64, device=CPU), whole(lengths)
    steps = dict(zip(("utterance_step", "frame_step"), source.stride(), strict=False))
    addresses = {"source": source.data_ptr(), "target": sums.data_ptr(), "lengths": frames.data_ptr()}
    job = Job(parts=batch, batch=batch, time=time, mel=mel, **steps, **addresses)
    run(summing().address, ctypes.addressof(job), min(torch.get_num_threads(), batch))
    result = sums / (frames * mel).clamp(min=1)
    stray = ~sums.isfinite()
    if bool(stray.any()):
        result[stray] = plain.means(source[stray], frames[stray])
    return result


def check(features: Tensor, vectors: dict[str, Tensor], spans: dict[str, Spans], out: Tensor) -> None:
    """Refuse what the kernel would read or write out of bounds."""
    batch = len(features)
    if not accepts(features):
        given = f"{features.dtype} on {features.device}"
        raise ValueError(f"features is {given}; expected one of {', '.join(map(str, CELLS))} on cpu")
    for name, vector in vectors.items():
        if vector.shape != (batch,):
            raise ValueError(f"{name} has shape {tuple(vector.shape)}; expected ({batch},)")
    for name, (start, width) in spans.items():
        if start.shape != width.shape or start.ndim != 2 or len(start) != batch:
            shapes = f"{tuple(start.shape)} and {tuple(width.shape)}"
            raise ValueError(f"{name} has shapes {shapes}; expected ({batch}, masks) twice")
    if (out.shape, out.dtype, out.device) != (features.shape, features.dtype, features.device):
        got, due = (f"{tuple(t.shape)}, {t.dtype} on {t.device}" for t in (out, features))
        raise ValueError(f"out is {got}; expected {due}")


def in_rows(features: Shaped[Tensor, "batch time mel"]) -> bool:
    """Whether the channels of a frame lie side by side."""
    return features.stride(2) == 1 or features.shape[2] == 1


def pass_over(source: Tensor, target: Tensor, fill: Tensor, drawn: Sequence[Tensor]) -> None:
    """Run the kernel over all rows, on torch's threads; what was drawn is the last eight fields of a job."""
    batch, time, mel = source.shape
    parts = max(1, batch * time * mel // GRAIN)
    addresses = [vector.data_ptr() for vector in (fill, *drawn)]
    steps = (source.data_ptr(), *source.stride()[:2], target.data_ptr(), *target.stride()[:2])
    masks = drawn[4].shape[1], drawn[6].shape[1]
    job = Job(0, parts, batch, time, mel, *masks, *steps, *addresses)
    run(kernel(source.dtype).address, ctypes.addressof(job), min(torch.get_num_threads(), parts))


@cache
def kernel(dtype: torch.dtype) -> Any:
    """The code that takes part after part of a job until none is left."""
    cells = CELLS[dtype]

    @no_type_check
    def work(of):
        job = numba.carray(of, 1)[0]
        batch, time, mel = job.batch, job.time, job.mel
        warps = (
            numbers(job.lengths, batch),
            numbers(job.centre, batch),
            numbers(job.shift, batch),
            numbers(job.last, batch),
        )
        freq = spans(job.freq_start, job.freq_width, batch, job.freq_masks)
        times = spans(job.time_start, job.time_width, batch, job.time_masks)
        source = job.source, job.utterance_step, job.frame_step
        target = job.target, job.out_utterance, job.out_frame
        plan = warps, freq, times, numba.carray(pointer(job.fill), batch, cells)
        hidden = np.empty(time, np.bool_), np.empty(mel, cells)  # as wide as what they decide: see `hide_row`
        rows = batch * time
        part = claim(of)
        while part < job.parts:
            ends = rows * part // job.parts, rows * (part + 1) // job.parts
            write_rows(source, target, time, plan, ends, hidden)
            part = claim(of)

    return kept(partial(numba.cfunc, OF_A_JOB, error_model="numpy"), work)


@cache
def summing() -> Any:
    """The code that sums up utterance after utterance of a job until none is left."""

    @no_type_check
    def work(of):
        job = numba.carray(of, 1)[0]
        lengths = numbers(job.lengths, job.batch)
        sums = numba.carray(pointer(job.target), job.batch, np.float64)
        channels = np.empty(job.mel, np.float64), np.empty(job.mel, np.float32)
        utterance = claim(of)
        while utterance < job.parts:
            at = utterance * job.utterance_step
            frames = min(lengths[utterance], job.time)
            sums[utterance] = summed(job.source, at, job.frame_step, frames, channels)
            utterance = claim(of)

    return kept(partial(numba.cfunc, OF_A_JOB, error_model="numpy"), work)


@numba.njit(error_model="numpy")
@no_type_check
def summed(source, at, frame_step, frames, channels):
    """The sum of so many frames from a place on; `channels` is room for the sum of each channel, and says what a row is."""
    sums, like = channels
    for channel in range(len(sums)):
        sums[channel] = 0.0
    for frame in range(frames):
        row = channels_at(source, at + frame * frame_step, like)
        for channel in range(len(sums)):
            sums[channel] += row[channel]
    total = 0.0
    for channel in range(len(sums)):
        total += sums[channel]
    return total


@numba.njit
@no_type_check
def numbers(at, size):
    """The int64 vector at an address."""
    return numba.carray(pointer(at), size, np.int64)


@numba.njit
@no_type_check
def spans(starts, widths, batch, masks):
    """The starts and widths at two addresses, (batch, masks) each."""
    shape = (batch, masks)
    return numba.carray(pointer(starts), shape, np.int64), numba.carray(pointer(widths), shape, np.int64)


@numba.njit(error_model="numpy")
@no_type_check
def write_rows(source, target, time, plan, rows, hidden):
    """Write rows[0] to rows[1] of the output, counted over the whole batch; `hidden` is room for the flags of both axes.

    Of an utterance first the frames that move, then those that stay, which are copied and then masked where they are.
    """
    source, utterance_step, frame_step = source
    target, out_utterance, out_frame = target
    warps, freq, times, fill = plan
    frames, channels = hidden
    row = rows[0]
    while row < rows[1]:
        i = row // time
        begin, end = row - i * time, min(time, row - i * time + rows[1] - row)
        length, centre, shift, last, value = (
            min(warps[0][i], time),
            warps[1][i],
            warps[2][i],
            warps[3][i],
            fill[i],
        )
        mark(frames[:length], times[0][i], times[1][i])
        mark(channels, freq[0][i], freq[1][i])
        still = max(begin, 0 if shift == 0 else length)  # from here on a frame stays where it is
        for frame in range(begin, min(end, still)):
            to = channels_at(target, i * out_utterance + frame * out_frame, channels)
            before, rest, run = read_at(frame, length, centre, shift, last)
            place = i * utterance_step + before * frame_step
            low = channels_at(source, place, channels)
            if frames[frame]:
                fill_row(to, value)
            elif rest == 0:
                hide_row(to, low, channels, value)
            else:
                high = channels_at(source, place + frame_step, channels)
                blend_row(to, low, high, numba.float32(rest / run), channels, value)
        ends = i * out_utterance + still * out_frame, i * utterance_step + still * frame_step
        copy_rows(target, source, ends, (out_frame, frame_step), end - still, channels)
        for frame in range(still, min(end, length)):
            to = channels_at(target, i * out_utterance + frame * out_frame, channels)
            if frames[frame]:
                fill_row(to, value)
            else:
                hide_in(to, channels, value)
        row += end - begin


@numba.njit
@no_type_check
def channels_at(cells, place, like):
    """As many cells as `like` has, of its type, from a place on; a slice would be checked at each frame, for a fifth of the time."""
    return numba.carray(pointer(cells + place * like.itemsize), len(like), like.dtype)


@numba.njit(error_model="numpy")
@no_type_check
def mark(flags, start, width):
    """Raise the flags that an interval contains, and lower the others."""
    for place in range(len(flags)):
        flags[place] = False
    for mask in range(len(start)):
        for place in range(max(0, start[mask]), min(len(flags), start[mask] + width[mask])):
            flags[place] = True


@numba.njit(error_model="numpy")
@no_type_check
def read_at(frame, length, centre, shift, last):
    """Where a frame of the output is read: after which frame of the input, and rest / run of a frame further.

    Bounds that let frame `last` be the one after the utterance read its last frames past the end: clamped.
    """
    target = centre + shift
    if frame <= target:
        run, rise, on, base = target, centre, frame, 0
    else:
        run, rise, on, base = last - target, last - centre, frame - target, centre
    run = max(run, 1)
    before = on * rise // run
    rest = on * rise - before * run
    before += base
    if before < 0 or before >= length - 1:
        return min(max(before, 0), length - 1), 0, 1
    return before, rest, run


@numba.njit(error_model="numpy")
@no_type_check
def copy_rows(target, source, places, steps, frames, like):
    """So many frames as they are, at once where they lie side by side."""
    size = len(like) * like.itemsize
    at, of = target + places[0] * like.itemsize, source + places[1] * like.itemsize
    if steps[0] == len(like) and steps[1] == len(like):
        size, frames = size * max(frames, 0), 1
    for frame in range(frames):
        copy(at + frame * steps[0] * like.itemsize, of + frame * steps[1] * like.itemsize, size)


@numba.njit(error_model="numpy")
@no_type_check
def fill_row(to, fill):
    """A hidden frame. Loops over cells: numba takes ten seconds to compile the same as slices."""
    for channel in range(len(to)):
        to[channel] = fill


@numba.njit(error_model="numpy")
@no_type_check
def hide_row(to, low, channels, fill):
    """One frame with its hidden channels filled.

    A cell is read also where it is hidden, and its flag is of the cells' type: else the processor takes one at a time.
    """
    for channel in range(len(to)):
        value = low[channel]
        if channels[channel]:
            value = fill
        to[channel] = value


@numba.njit(error_model="numpy")
@no_type_check
def hide_in(to, channels, fill):
    """The hidden channels of one frame filled where it is; the others are written as they are, for the same reason."""
    for channel in range(len(to)):
        old = to[channel]
        to[channel] = fill if channels[channel] else old


@numba.njit(error_model="numpy", forceinline=True)
@no_type_check
def blend_row(to, low, high, weight, channels, fill):
    """The frame between two frames, with its hidden channels filled. A call of its own would cost a third of it.

    A sum of two shares: the difference of two cells may be infinite, or no number, where the cells and the sum are not.
    """
    rest = numba.float32(1) - weight
    for channel in range(len(to)):
        value = rest * low[channel] + weight * high[channel]
        to[channel] = fill if channels[channel] else value
