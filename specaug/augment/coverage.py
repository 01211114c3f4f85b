"""How much a policy hides on average, exactly: no simulation, no torch.

A frame is hidden by a time mask with a probability that depends on its place, since a mask at the edge has fewer
places to start from. The widths and places of the masks are independent, so a frame survives m masks with the
product of the probabilities of surviving each; channels likewise; and a cell survives where its frame, its channel
and its patch do.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from operator import index
from typing import SupportsIndex

from specaug.augment.operation import Operation, require_channels
from specaug.augment.operations import (
    FilterAugment,
    FrequencyMask,
    PatchMask,
    SpecSwap,
    SpliceOut,
    TimeMask,
)

MASKS = (FrequencyMask, TimeMask, PatchMask)
HARMLESS = (*MASKS, SpecSwap, FilterAugment)  # after the last mask these keep the share of what is hidden


@dataclass(frozen=True)
class Coverage:
    """Expected shares hidden, an overlap counted once: the mean over utterances of the share of each.

    Frames are those that time masks hide, channels those that frequency masks hide, cells all that are hidden.
    """

    cells: float
    frames: float
    channels: float


def coverage(operations: Sequence[Operation], lengths: Iterable[SupportsIndex], mel: int) -> Coverage | None:
    """The expected shares that `operations` hide in utterances of these lengths (frames) with `mel` channels.

    None where a warp, SpecSub or SpliceOut follows a mask, or SpecSwap stands between two: they move what is
    hidden. Raises ValueError where lengths are none, or no whole numbers, or the channels too few.
    """
    frames = whole(lengths)
    if mel < 1:
        raise ValueError(f"mel is {mel}; expected at least 1 channel")
    require_channels(operations, mel)
    working = [operation for operation in operations if operation.draws]
    places = [i for i, operation in enumerate(working) if isinstance(operation, MASKS)]
    first, last = (places[0], places[-1]) if places else (len(working), len(working))
    if not all(isinstance(operation, HARMLESS) for operation in working[first:]):
        return None
    if any(isinstance(operation, SpecSwap) for operation in working[first:last]):
        return None
    cuts = tuple(operation for operation in working[:first] if isinstance(operation, SpliceOut))
    masks = tuple(operation for operation in working[first:] if isinstance(operation, MASKS))
    shares = [of_utterance(masks, cuts, length, mel) for length in frames]
    return Coverage(*(sum(column) / len(shares) for column in zip(*shares, strict=True)))


def whole(lengths: Iterable[SupportsIndex]) -> tuple[int, ...]:
    """Lengths as Python's numbers; raises ValueError where they are none, or anything but numbers of frames."""
    try:
        frames = tuple(map(index, lengths))
    except TypeError:
        frames = ()
    if not frames or min(frames) < 0:
        expected = "whole numbers, 0 or more, of at least one utterance"
        raise ValueError(f"lengths are {lengths!r}; expected {expected}")
    return frames


@lru_cache(maxsize=4096)
def of_utterance(
    masks: tuple[Operation, ...], cuts: tuple[SpliceOut, ...], frames: int, mel: int
) -> tuple[float, float, float]:
    """The expected shares of cells, frames and channels hidden in one utterance, which cuts may shorten first."""
    parts = [
        (chance, shares(masks, length, mel))
        for length, chance in lengths_after(cuts, frames).items()
        if length
    ]
    cells, rows, columns = (sum((chance * share[i] for chance, share in parts), 0.0) for i in range(3))
    return cells, rows, columns


def shares(masks: Sequence[Operation], frames: int, mel: int) -> tuple[float, float, float]:
    """The expected shares of cells, frames and channels that masks hide in an utterance of so many frames."""
    rows, columns = [1.0] * frames, [1.0] * mel  # the probability that a frame, a channel survives
    corners = [(0, 0, 1.0)]  # (frames, channels, share of survivors) of the patches of each patch mask
    for mask in masks:
        if isinstance(mask, TimeMask):
            hit = hidden(frames, mask.wished(frames), mask.cap(frames), mask.bounds)
            rows = [s * (1 - q) ** mask.count(frames) for s, q in zip(rows, hit, strict=True)]
        elif isinstance(mask, FrequencyMask):
            hit = hidden(mel, mask.F, mel, mask.bounds)
            columns = [s * (1 - q) ** mask.m_F for s, q in zip(columns, hit, strict=True)]
        elif isinstance(mask, PatchMask):
            down, across = frames // mask.t, mel // mask.f
            chosen = mask.count(frames, mel) / max(1, down * across)
            corners.append((down * mask.t, across * mask.f, 1 - chosen))
    survivors = sum(
        weight * sum(rows[a:b]) * sum(columns[c:d]) for a, b, c, d, weight in rectangles(corners, frames, mel)
    )
    return 1 - survivors / (frames * mel), 1 - sum(rows) / frames, 1 - sum(columns) / mel


def rectangles(
    corners: Sequence[tuple[int, int, float]], frames: int, mel: int
) -> Iterator[tuple[int, int, int, int, float]]:
    """The spectrogram cut at the corners: frames [a, b), channels [c, d), and the share that the patches leave."""
    across = sorted({0, frames, *(corner[0] for corner in corners)})
    down = sorted({0, mel, *(corner[1] for corner in corners)})
    for a, b in pairwise(across):
        for c, d in pairwise(down):
            weight = 1.0
            for rows, columns, left in corners:
                weight *= left if a < rows and c < columns else 1.0
            yield a, b, c, d, weight


@lru_cache(maxsize=4096)
def hidden(size: int, wished: int, cap: int, bounds: str) -> list[float]:
    """The probability of each place in [0, size) that one mask hides it (`masks.place` draws one).

    For one width and starts that are equally likely, the probability rises by a step a place, stays, and falls:
    its second difference is four spikes. All widths are summed before the spikes are summed up twice.
    """
    spikes = [0.0] * (size + 2)
    for width, chance in widths(size, wished, cap, bounds).items():
        starts = max(1, size - width + (bounds != "paper"))
        step = chance / starts
        for place, sign in ((0, 1), (width, -1), (starts, -1), (starts + width, 1)):
            spikes[place] += sign * step
    return list(accumulate(accumulate(spikes)))[:size]


def widths(size: int, wished: int, cap: int, bounds: str) -> dict[int, float]:
    """The probability of each width (decisions D3, D26)."""
    if bounds != "lingvo":
        top = min(wished, cap, size)
        return dict.fromkeys(range(top + 1), 1 / (top + 1))
    chances: dict[int, float] = {}
    for wish in range(max(1, wished)):
        width = min(wish, max(cap, 1), size)
        chances[width] = chances.get(width, 0.0) + 1 / max(1, wished)
    return chances


def lengths_after(cuts: Sequence[SpliceOut], frames: int) -> dict[int, float]:
    """How likely each length is after the cuts, each of which is made in what the one before has left."""
    chances = {frames: 1.0}
    for cut in (cut for operation in cuts for cut in [operation.T] * operation.N):
        after: dict[int, float] = {}
        for length, chance in chances.items():
            top = min(cut, max(0, length - 1))
            for width in range(top + 1):
                after[length - width] = after.get(length - width, 0.0) + chance / (top + 1)
        chances = after
    return chances
