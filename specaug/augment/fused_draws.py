"""The draws of the papers' own operations in compiled loops (numba, an optional extra), to the bit those of torch.

In torch they are some eighty small operations, which take longer than the masks that they place once other work
has taken the processor's caches; compiled they are three calls.
"""

from collections.abc import Callable
from typing import Any, no_type_check

import numba
import torch
from jaxtyping import Int
from torch import Tensor

from specaug.augment.operation import BOUNDS
from specaug.augment.philox import MULTIPLIERS, ROUNDS, WEYL, WORD


def compiled(function: Callable[..., Any]) -> Any:
    """The function in machine code, which is kept on disk where some folder can be written to."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder
        return numba.njit(**options)(function)


def whole(values: Int[Tensor, "*shape"]) -> Any:
    """The numbers as the kernel takes them: int64, side by side."""
    return values.long().contiguous().numpy()


def philox_words(keys: Int[Tensor, "batch 5"], blocks: Int[Tensor, " draw"]) -> Int[Tensor, "batch draw 4"]:
    """Four random words for each key and block, to the bit those of `specaug.augment.philox`.

    A key is (seed_low, seed_high, epoch, id_low, id_high): the generator's key is the seed, and its counter is
    the block followed by the other three (Salmon et al. 2011, Philox 4x32-10).
    """
    words = torch.empty(len(keys), len(blocks), 4, dtype=torch.int64)
    write_words(whole(keys), whole(blocks), words.numpy())
    return words


@compiled
@no_type_check
def write_words(keys, blocks, words):
    """Philox for each key and block. Products wrap around 64 bits, and their two words are cut out of the bits."""
    for i in range(len(keys)):
        for j in range(len(blocks)):
            k0, k1, c1, c2, c3 = keys[i]
            c0 = blocks[j]
            for _ in range(ROUNDS):
                left, right = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
                c0, c1 = ((right >> 32) & WORD) ^ c1 ^ k0, right & WORD
                c2, c3 = ((left >> 32) & WORD) ^ c3 ^ k1, left & WORD
                k0, k1 = (k0 + WEYL[0]) & WORD, (k1 + WEYL[1]) & WORD
            words[i, j, 0], words[i, j, 1], words[i, j, 2], words[i, j, 3] = c0, c1, c2, c3


def place(
    words: Int[Tensor, "batch draw 4"],
    size: Int[Tensor, " batch"],
    wished: Int[Tensor, " batch"],
    cap: Int[Tensor, " batch"],
    bounds: str,
) -> tuple[Int[Tensor, "batch draw"], Int[Tensor, "batch draw"]]:
    """The starts and widths of `masks.place`."""
    both = torch.empty(2, *words.shape[:2], dtype=torch.int64)
    place_spans(whole(words), whole(size), whole(wished), whole(cap), BOUNDS.index(bounds), both.numpy())
    return both[0], both[1]


@compiled
@no_type_check
def place_spans(words, size, wished, cap, bounds, both):
    """`bounds` counts in BOUNDS: closed, paper, lingvo."""
    for i in range(len(words)):
        for j in range(words.shape[1]):
            if bounds == 2:
                width = min((words[i, j, 0] * max(wished[i], 1)) >> 32, max(cap[i], 1), size[i])
            else:
                width = (words[i, j, 0] * (min(wished[i], cap[i]) + 1)) >> 32
            starts = size[i] - width if bounds == 1 else size[i] - width + 1
            both[0, i, j] = (words[i, j, 1] * starts) >> 32
            both[1, i, j] = width


def move(
    words: Int[Tensor, "batch 1 4"], lengths: Int[Tensor, " batch"], furthest: int
) -> tuple[Int[Tensor, " batch"], Int[Tensor, " batch"]]:
    """The centres and shifts of `warp.draw_warp` for the closed bounds; `furthest` is W."""
    both = torch.empty(2, len(lengths), dtype=torch.int64)
    place_centres(whole(words), whole(lengths), furthest, both.numpy())
    return both[0], both[1]


@compiled
@no_type_check
def place_centres(words, lengths, furthest, both):
    """(W, tau - 1 - W) holds the centre; where it is empty W is lowered until it is not."""
    for i in range(len(lengths)):
        length = lengths[i]
        reach = min(max((length - 3) // 2, 0), furthest)
        room = max(length - 2 - 2 * reach, 1)
        both[0, i] = reach + 1 + ((words[i, 0, 0] * room) >> 32) if length >= 3 else 0
        both[1, i] = ((words[i, 0, 1] * (2 * reach + 1)) >> 32) - reach
