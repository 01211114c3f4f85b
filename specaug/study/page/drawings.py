"""What a policy does to an utterance at each epoch, drawn again from its keys, as numbers that a page can draw.

An epoch is a list of steps in the order of the policy, each of which starts with its kind:

    ["w", centre, shift, last, sparse]  frame `centre` goes to `centre + shift`, frames 0 and `last` stay
    ["t", start, width, ...]            frames that are hidden
    ["f", start, width, ...]            channels that are hidden
    ["p", t, f, across, "8f.."]         patches of t by f cells, `across` in a row, a bit each, hidden where it is 1
    ["s", length, frame, source, ...]   from `frame` on the frames are those from `source` on; `length` are left
    ["c", mel, channel, source, ...]    channels likewise
    ["g", gain, ...]                    what is added to each channel, in hundredths
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from specaug.augment.drawn import Drawn
from specaug.augment.draws import draw
from specaug.augment.filter_augment import Gains
from specaug.augment.keys import make_keys
from specaug.augment.masks import Masks
from specaug.augment.patches import Patches
from specaug.augment.policy import Policy
from specaug.augment.spec_swap import Swaps
from specaug.augment.warp import Warp

Step = list[Any]
Epochs = list[list[Step]]  # of one utterance


def drawings(
    policy_at: Callable[[int], Policy],
    seed: int,
    epochs: int,
    ids: Sequence[str],
    frames: Sequence[int],
    mel: int,
) -> list[Epochs]:
    """For each utterance the steps of each epoch from the first on; `policy_at` counts epochs from 0."""
    found: list[Epochs] = [[[] for _ in range(epochs)] for _ in ids]
    by_policy: dict[Policy, list[int]] = {}
    for epoch in range(epochs):
        by_policy.setdefault(policy_at(epoch), []).append(epoch)
    for policy, when in by_policy.items():
        keys = torch.cat([make_keys(seed, epoch, ids) for epoch in when])
        lengths = torch.tensor(list(frames) * len(when))
        for step in draw(policy, lengths, mel, keys).steps if ids else ():
            rows = list(told(step, lengths, mel))
            for place, epoch in enumerate(when):
                for number in range(len(ids)):
                    found[number][epoch] += rows[place * len(ids) + number]
            lengths = step.shortened(lengths)
    return found


def told(step: Drawn, lengths: Int[Tensor, " batch"], mel: int) -> Iterator[list[Step]]:
    """What an operation does to each utterance, in steps; none where it does nothing."""
    if isinstance(step, Warp):
        for values in zip(step.centre.tolist(), step.shift.tolist(), step.last.tolist(), strict=True):
            yield [["w", *values, int(step.kind == "sparse")]] if values[1] else []
    elif isinstance(step, Masks):
        for starts, widths in zip(step.spans.start.tolist(), step.spans.width.tolist(), strict=True):
            spans = [n for span in zip(starts, widths, strict=True) if span[1] for n in span]
            yield [[step.axis[0], *spans]] if spans else []
    elif isinstance(step, Patches):
        yield from patched(step)
    elif isinstance(step, Gains):
        for gains in (100 * step.gain).round().long().tolist():
            yield [["g", *gains]]
    else:
        yield from moved(step, lengths, mel)


def patched(step: Patches) -> Iterator[list[Step]]:
    """The hidden patches of each utterance."""
    for hidden in step.hidden.numpy():
        bits = np.packbits(hidden).tobytes().hex()
        yield [["p", step.t, step.f, hidden.shape[1], bits]] if hidden.any() else []


def moved(step: Drawn, lengths: Int[Tensor, " batch"], mel: int) -> Iterator[list[Step]]:
    """An operation that moves whole frames; SpecSwap also moves channels."""
    time = int(lengths.max())
    columns: list[list[Step]] = [[] for _ in lengths]
    if isinstance(step, Swaps):
        sources = step.time.sources(time)
        columns = [[["c", mel, *stretches(column)]] for column in step.freq.sources(mel)]
    else:
        ramp = torch.arange(time, dtype=torch.float64).expand(len(lengths), time)[:, :, None]
        sources = step.apply(ramp, lengths)[:, :, 0].long()
    after = step.shortened(lengths).tolist()
    for row, length, column in zip(sources, after, columns, strict=True):
        yield [*column, ["s", length, *stretches(row[:length])]]


def stretches(source: Int[Tensor, " place"]) -> list[int]:
    """Where each stretch of neighbours starts, and where it is from, pair by pair."""
    if not len(source):
        return []
    starts = [0, *((source.diff() != 1).nonzero()[:, 0] + 1).tolist()]
    return [number for start in starts for number in (start, int(source[start]))]
