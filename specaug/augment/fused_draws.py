"""The draws of the papers' own operations in compiled loops (numba, an optional extra), to the bit those of torch.

In torch they are some eighty small operations, which take longer than the masks that they place once other work
has taken the processor's caches; compiled they are one call for the whole policy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from specaug.augment.masks import each
from specaug.augment.operation import BOUNDS, Operation
from specaug.augment.operations import FrequencyMask, TimeMask, TimeWarp
from specaug.augment.philox import MULTIPLIERS, ROUNDS, WEYL, WORD

CPU = torch.device("cpu")  # whatever torch's default is
WARP = len(BOUNDS)  # the kind of a warp; that of a mask is its bounds' place in BOUNDS
LENGTH = (
    FIXED
) = -1  # instead of a number of channels: that of the utterance's frames; of a row: none is needed


def kept(compiler: Callable[..., Any], function: Callable[..., Any]) -> Any:
    """The function in machine code, which stays on disk where some folder can be written to."""
    try:
        return compiler(cache=True)(function)
    except RuntimeError:  # no folder
        return compiler()(function)


compiled = partial(kept, partial(numba.njit, nogil=True, error_model="numpy"))


def whole(values: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """The numbers as the kernels take them: int64, side by side."""
    return values if values.dtype == torch.int64 and values.is_contiguous() else values.long().contiguous()


def philox_words(keys: Int[Tensor, "batch 5"], blocks: Int[Tensor, " draw"]) -> Int[Tensor, "batch draw 4"]:
    """Four random words for each key and block, to the bit those of `specaug.augment.philox`.

    A key is (seed_low, seed_high, epoch, id_low, id_high): the generator's key is the seed, and its counter is
    the block followed by the other three (Salmon et al. 2011, Philox 4x32-10).
    """
    words = torch.empty(len(blocks), len(keys), 4, dtype=torch.int64, device=CPU)
    write_words(whole(keys).numpy(), whole(blocks).numpy(), words.numpy())
    return words.transpose(0, 1)  # the words of one operation lie side by side


def cell_words(keys: Int[Tensor, "cell 5"], blocks: Int[Tensor, " cell"]) -> Int[Tensor, "cell 4"]:
    """Four random words for each key and the one block beside it."""
    words = torch.empty(len(blocks), 4, dtype=torch.int64, device=CPU)
    write_cells(whole(keys).numpy(), whole(blocks).numpy(), words.numpy())
    return words


@compiled
@no_type_check
def four_words(c0, c1, c2, c3, k0, k1):
    """Philox for one counter and key. Products wrap around 64 bits, and their two words are cut out of the bits."""
    for _ in range(ROUNDS):
        left, right = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1 = ((right >> 32) & WORD) ^ c1 ^ k0, right & WORD
        c2, c3 = ((left >> 32) & WORD) ^ c3 ^ k1, left & WORD
        k0, k1 = (k0 + WEYL[0]) & WORD, (k1 + WEYL[1]) & WORD
    return c0, c1, c2, c3


@compiled
@no_type_check
def write_cells(keys, blocks, words):
    """Philox for each key and its own block."""
    for i in range(len(keys)):
        k0, k1, c1, c2, c3 = keys[i]
        c0, c1, c2, c3 = four_words(blocks[i], c1, c2, c3, k0, k1)
        words[i, 0], words[i, 1], words[i, 2], words[i, 3] = c0, c1, c2, c3


@compiled
@no_type_check
def write_words(keys, blocks, words):
    """Philox for each key and block."""
    for i in range(len(keys)):
        for j in range(len(blocks)):
            k0, k1, c1, c2, c3 = keys[i]
            c0, c1, c2, c3 = four_words(blocks[j], c1, c2, c3, k0, k1)
            words[j, i, 0], words[j, i, 1], words[j, i, 2], words[j, i, 3] = c0, c1, c2, c3


@dataclass(frozen=True)
class Table:
    """What the compiled loop knows of a policy before it sees an utterance."""

    rows: Any  # (operation, 5): kind, draws, size of the axis, wished width, row among the adaptive
    adaptive: tuple[TimeMask, ...]  # those whose limits the length decides
    draws: tuple[int, ...]


@lru_cache(maxsize=64)
def tabled(operations: tuple[Operation, ...], mel: int) -> Table | None:
    """The table of a policy; None where one of its operations is drawn in torch alone."""
    rows: list[tuple[int, ...]] = []
    adaptive: list[TimeMask] = []
    for operation in operations:
        if isinstance(operation, TimeWarp) and operation.bounds != "lingvo":
            rows.append((WARP, 1, LENGTH, operation.W, FIXED))
        elif isinstance(operation, FrequencyMask):
            rows.append((BOUNDS.index(operation.bounds), operation.m_F, mel, operation.F, FIXED))
        elif isinstance(operation, TimeMask):
            fixed = operation.p == 1 and operation.p_S is None and operation.p_M is None and operation.T
            row = FIXED if fixed else len(adaptive)
            adaptive += [] if fixed else [operation]
            rows.append((BOUNDS.index(operation.bounds), operation.m_T, LENGTH, operation.T or 0, row))
        else:
            return None
    table = np.array(rows, dtype=np.int64).reshape(-1, 5)
    return Table(table, tuple(adaptive), tuple(row[1] for row in rows))


def drawn(
    table: Table, lengths: Int[Tensor, " batch"], keys: Int[Tensor, "batch 5"], blocks: Int[Tensor, " draw"]
) -> Sequence[Int[Tensor, "batch _"]]:
    """Two tensors for each operation: centres and shifts of a warp, of `draw` 1; starts and widths of masks."""
    limits = np.empty((len(table.adaptive), 3, len(lengths)), dtype=np.int64)
    for row, mask in zip(limits, table.adaptive, strict=True):
        row[0], row[1], row[2] = (each(of, lengths) for of in (mask.wished, mask.cap, mask.count))
    batch = len(lengths)
    halves = [draws for draws in table.draws for _ in range(2)]
    both = torch.empty(batch * sum(halves), dtype=torch.int64, device=CPU)
    write_draws(whole(keys).numpy(), whole(lengths).numpy(), blocks.numpy(), table.rows, limits, both.numpy())
    parts = torch.split(both, [batch * draws for draws in halves])
    return [part.view(batch, draws) for part, draws in zip(parts, halves, strict=True)]


@compiled
@no_type_check
def write_draws(keys, lengths, blocks, table, limits, both):
    """What every operation of the table draws for every utterance, in the order of `drawn`."""
    batch, block, at = len(lengths), 0, 0
    for kind, draws, axis, width, row in table:
        half = batch * draws
        for i in range(batch):
            k0, k1, c1, c2, c3 = keys[i]
            size = lengths[i] if axis == LENGTH else axis
            wished, cap, count = width, size, draws
            if row != FIXED:
                wished, cap, count = limits[row, 0, i], limits[row, 1, i], limits[row, 2, i]
            for j in range(draws):
                first, second, _, _ = four_words(blocks[block + j], c1, c2, c3, k0, k1)
                if kind == WARP:
                    one, other = centre_and_shift(first, second, size, wished)
                elif j < count:
                    one, other = start_and_width(first, second, size, wished, cap, kind)
                else:
                    one, other = 0, 0
                both[at + i * draws + j], both[at + half + i * draws + j] = one, other
        block += draws
        at += 2 * half


@compiled
@no_type_check
def start_and_width(first, second, size, wished, cap, bounds):
    """`masks.place` for one mask; `bounds` counts in BOUNDS: closed, paper, lingvo."""
    if bounds == 2:
        width = min((first * max(wished, 1)) >> 32, max(cap, 1), size)
    else:
        width = (first * (min(wished, cap) + 1)) >> 32
    starts = size - width if bounds == 1 else size - width + 1
    return (second * starts) >> 32, width


@compiled
@no_type_check
def centre_and_shift(first, second, length, furthest):
    """`warp.draw_warp` for closed bounds: (W, tau - 1 - W) holds the centre; where it is empty W is lowered until it is not."""
    reach = min(max((length - 3) // 2, 0), furthest)
    room = max(length - 2 - 2 * reach, 1)
    centre = reach + 1 + ((first * room) >> 32) if length >= 3 else 0
    return centre, ((second * (2 * reach + 1)) >> 32) - reach
