"""Drawing: from a policy and the keys of some utterances to what happens to each of them.

Every number comes from the utterance's key and the place of the number in the policy (the third time mask, say)
through Philox. So it is the same on any device, in any batch and in any order; and two policies with one seed
share their numbers: LD's first masks are LB's masks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from specaug.augment.drawn import Drawn
from specaug.augment.engines import compiled_draws
from specaug.augment.fills import Fills
from specaug.augment.filter_augment import draw_gains
from specaug.augment.keys import random_words, whole
from specaug.augment.lengths import require_lengths, require_tensor, shown
from specaug.augment.masks import Masks, Spans, draw_frequency, draw_time
from specaug.augment.operation import MOST, Operation, require_channels
from specaug.augment.operations import (
    FilterAugment,
    FrequencyMask,
    PatchMask,
    SpecSub,
    SpecSwap,
    SpliceOut,
    TimeMask,
    TimeWarp,
)
from specaug.augment.patches import draw_patches
from specaug.augment.philox import WORD
from specaug.augment.policy import Policy
from specaug.augment.spec_sub import draw_copies
from specaug.augment.spec_swap import draw_swaps
from specaug.augment.splice_out import draw_cuts
from specaug.augment.warp import Warp, draw_warp


@dataclass(frozen=True, slots=True)
class Draws:
    """What happens to each utterance of a batch: what each operation drew, in the order of the policy."""

    steps: tuple[Drawn, ...]

    def to(self, device: torch.device) -> "Draws":
        """The same on a device."""
        return Draws(tuple(step.to(device) for step in self.steps))

    def shortened(self, lengths: Int[Tensor, " batch"]) -> Int[Tensor, " batch"]:
        """The lengths afterwards, in frames: others only where SpliceOut cut."""
        for step in self.steps:
            lengths = step.shortened(lengths)
        return lengths


def draw(policy: Policy, lengths: Int[Tensor, " batch"], mel: int, keys: Int[Tensor, "batch 5"]) -> Draws:
    """Draw once from `policy` for each utterance; `keys` are those of `make_keys`, on the device of `lengths`.

    Of a key's numbers the lowest 32 bits count. Raises TypeError where an argument is of another kind, ValueError where an
    operation needs more than `mel` channels, or lengths and keys do not fit.
    """
    mel = checked(policy, lengths, mel, keys)
    lengths, keys = lengths.long(), keys.long() & WORD
    operations = tuple(operation for operation in policy.operations if operation.draws)
    blocks = block_numbers(operations).to(keys.device)
    compiled = compiled_draws() if keys.device.type == "cpu" else None
    if compiled and (table := compiled.tabled(operations, mel)):
        pairs = iter(compiled.drawn(table, lengths, keys, blocks))
        return Draws(
            tuple(placed(operation, next(pairs), next(pairs), lengths, keys) for operation in operations)
        )
    words = random_words(keys, blocks)
    steps: list[Drawn] = []
    start = 0
    for operation in operations:
        given = Given(lengths, mel, words[:, start : start + operation.draws], keys)
        step = DRAWING[type(operation)](operation, given)
        start += operation.draws
        lengths = step.shortened(lengths)
        steps.append(step)
    return Draws(tuple(steps))


def placed(
    operation: Operation,
    first: Int[Tensor, "batch draw"],
    second: Int[Tensor, "batch draw"],
    lengths: Int[Tensor, " batch"],
    keys: Int[Tensor, "batch 5"],
) -> Drawn:
    """What one of the papers' own operations drew: centre and shift of a warp, or starts and widths of masks."""
    if isinstance(operation, TimeWarp):
        return Warp(first[:, 0], second[:, 0], lengths - 1, operation.warp)
    assert isinstance(operation, FrequencyMask | TimeMask)
    axis = "freq" if isinstance(operation, FrequencyMask) else "time"
    return Masks(axis, Spans(first, second), Fills(operation.fill, keys))


@dataclass(frozen=True, slots=True)
class Given:
    """What an operation draws from: the lengths that those before it have left, and words of its own."""

    lengths: Int[Tensor, " batch"]
    mel: int
    words: Int[Tensor, "batch draw 4"]
    keys: Int[Tensor, "batch 5"]


DRAWING: dict[type[Operation], Callable[[Any, Given], Drawn]] = {
    TimeWarp: lambda of, it: draw_warp(of, it.lengths, it.words),
    FrequencyMask: lambda of, it: Masks(
        "freq", draw_frequency(of, it.mel, it.words), Fills(of.fill, it.keys)
    ),
    TimeMask: lambda of, it: Masks("time", draw_time(of, it.lengths, it.words), Fills(of.fill, it.keys)),
    SpecSub: lambda of, it: draw_copies(of, it.lengths, it.words),
    SpecSwap: lambda of, it: draw_swaps(of, it.lengths, it.mel, it.words),
    SpliceOut: lambda of, it: draw_cuts(of, it.lengths, it.words),
    FilterAugment: lambda of, it: draw_gains(of, it.mel, it.words),
    PatchMask: lambda of, it: draw_patches(of, it.lengths, it.mel, it.keys),
}


@lru_cache(maxsize=64)
def block_numbers(operations: tuple[Operation, ...]) -> Int[Tensor, " draw"]:
    """The generator's block of each draw: stream * 2^16 + its index among the draws of its kind. Not to be written to."""
    used: dict[int, int] = {}
    blocks: list[int] = []
    for operation in operations:
        first = used.get(operation.stream, 0)
        used[operation.stream] = first + operation.draws
        blocks += range(operation.stream * MOST + first, operation.stream * MOST + first + operation.draws)
    return torch.tensor(blocks, dtype=torch.int64, device="cpu")


def checked(policy: Policy, lengths: Tensor, mel: int, keys: Tensor) -> int:
    """The number of channels; raises where the arguments are of another kind, or do not fit."""
    if not isinstance(policy, Policy):
        raise TypeError(f"{shown('policy', policy)}; expected a Policy, such as specaug.LD")
    for name, given in (("lengths", lengths), ("keys", keys)):
        require_tensor(name, given)
    mel = whole("mel", mel)
    require_channels(policy.operations, mel)
    batch = lengths.numel()
    if keys.shape != (batch, 5) or keys.is_floating_point():
        got = f"{keys.dtype} of shape {tuple(keys.shape)}"
        raise ValueError(f"keys are {got}; expected whole numbers of shape ({batch}, 5), from make_keys")
    require_lengths(lengths, batch)
    if lengths.device != keys.device:
        raise ValueError(f"lengths are on {lengths.device} and keys on {keys.device}; expected one device")
    return mel
