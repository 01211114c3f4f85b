"""The draws of the papers' own operations in compiled loops (numba, an optional extra), to the bit those of torch.

In torch they are some eighty small operations, which take longer than the masks that they place once other work
has taken the processor's caches; compiled they are three calls.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from specaug.augment.operation import BOUNDS
from specaug.augment.philox import MULTIPLIERS, ROUNDS, WEYL, WORD, Limit


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
    words = torch.empty(len(blocks), len(keys), 4, dtype=torch.int64)
    write_words(whole(keys).numpy(), whole(blocks).numpy(), words.numpy())
    return words.transpose(0, 1)  # the words of one operation lie side by side


def cell_words(keys: Int[Tensor, "cell 5"], blocks: Int[Tensor, " cell"]) -> Int[Tensor, "cell 4"]:
    """Four random words for each key and the one block beside it."""
    words = torch.empty(len(blocks), 4, dtype=torch.int64)
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


def place(
    words: Int[Tensor, "batch draw 4"], size: Limit, wished: Limit, cap: Limit, bounds: str
) -> tuple[Int[Tensor, "batch draw"], Int[Tensor, "batch draw"]]:
    """The starts and widths of `masks.place`."""
    batch, draws, _ = words.shape
    limits = np.empty((3, batch), dtype=np.int64)
    limits[0], limits[1], limits[2] = size, wished, cap
    both = torch.empty(2, batch, draws, dtype=torch.int64)
    place_spans(whole(words.transpose(0, 1)).numpy(), limits, BOUNDS.index(bounds), both.numpy())
    start, width = both
    return start, width


@compiled
@no_type_check
def place_spans(words, limits, bounds, both):
    """`limits` are size, wished and cap; `bounds` counts in BOUNDS: closed, paper, lingvo."""
    size, wished, cap = limits[0], limits[1], limits[2]
    for j in range(len(words)):
        for i in range(words.shape[1]):
            if bounds == 2:
                width = min((words[j, i, 0] * max(wished[i], 1)) >> 32, max(cap[i], 1), size[i])
            else:
                width = (words[j, i, 0] * (min(wished[i], cap[i]) + 1)) >> 32
            starts = size[i] - width if bounds == 1 else size[i] - width + 1
            both[0, i, j] = (words[j, i, 1] * starts) >> 32
            both[1, i, j] = width


def move(
    words: Int[Tensor, "batch 1 4"], lengths: Int[Tensor, " batch"], furthest: int
) -> tuple[Int[Tensor, " batch"], Int[Tensor, " batch"]]:
    """The centres and shifts of `warp.draw_warp` for the closed bounds; `furthest` is W."""
    both = torch.empty(2, len(lengths), dtype=torch.int64)
    place_centres(whole(words.transpose(0, 1)).numpy(), whole(lengths).numpy(), furthest, both.numpy())
    centre, shift = both
    return centre, shift


@compiled
@no_type_check
def place_centres(words, lengths, furthest, both):
    """(W, tau - 1 - W) holds the centre; where it is empty W is lowered until it is not."""
    for i in range(len(lengths)):
        length = lengths[i]
        reach = min(max((length - 3) // 2, 0), furthest)
        room = max(length - 2 - 2 * reach, 1)
        both[0, i] = reach + 1 + ((words[0, i, 0] * room) >> 32) if length >= 3 else 0
        both[1, i] = ((words[0, i, 1] * (2 * reach + 1)) >> 32) - reach
