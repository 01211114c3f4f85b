"""Keys, and the random words that they give: the only place where numbers come from."""

import hashlib
import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, SupportsIndex

import torch
from jaxtyping import Int
from torch import Tensor

from specaug.augment.engines import compiled_draws
from specaug.augment.philox import WORD, philox

CELLS, PATCHES = (
    1 << 31,
    1 << 30,
)  # regions of the block number: of cells (noise) and of patches; others are below
HIDDEN = 1 << 29  # a third, of the patches that a network is to predict


def make_keys(seed: SupportsIndex, epoch: SupportsIndex, utterances: Sequence[str]) -> Int[Tensor, "batch 5"]:
    """The key of each utterance in one epoch: two words of seed, the epoch, two words of the utterance's id.

    Raises TypeError where seed or epoch is no whole number, or an id no text.
    """
    seed, epoch = whole("seed", seed), whole("epoch", epoch)
    for place, utterance in enumerate(utterances):
        if not isinstance(utterance, str):
            raise TypeError(f"utterances[{place}] is {utterance!r}; expected an id, which is a str")
    head = [seed & WORD, (seed >> 32) & WORD, epoch & WORD]
    rows = [[*head, *id_words(utterance)] for utterance in utterances]
    return torch.tensor(rows, dtype=torch.int64, device="cpu").reshape(-1, 5)


def whole(name: str, value: Any) -> int:
    """A whole number as Python's own; raises TypeError where it is none."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; expected a whole number") from None


@lru_cache(maxsize=2**16)  # ids come again in every epoch, and those of a counted call in every call
def id_words(utterance: str) -> tuple[int, int]:
    """The first 64 bits of the id's SHA-256, as two words: the same on every machine, unlike `hash`."""
    digest = hashlib.sha256(utterance.encode()).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")


def random_words(keys: Int[Tensor, "batch 5"], blocks: Int[Tensor, " draw"]) -> Int[Tensor, "batch draw 4"]:
    """Four random words of 32 bits for each utterance and each block number, whatever else is drawn.

    All of a policy's numbers go through the generator together: in torch it is some 90 small operations,
    whatever their size.
    """
    if keys.device.type == "cpu" and (compiled := compiled_draws()):
        words: Tensor = compiled.philox_words(keys, blocks)
        return words
    seed_low, seed_high, epoch, id_low, id_high = (keys[:, i : i + 1] for i in range(5))
    return torch.stack(philox((blocks[None, :], epoch, id_low, id_high), (seed_low, seed_high)), dim=-1)


def cell_words(keys: Int[Tensor, "cell 5"], blocks: Int[Tensor, " cell"]) -> Int[Tensor, "cell 4"]:
    """Four random words for each key and the one block beside it."""
    if keys.device.type == "cpu" and (compiled := compiled_draws()):
        words: Tensor = compiled.cell_words(keys, blocks)
        return words
    seed_low, seed_high, epoch, id_low, id_high = keys.unbind(dim=1)
    return torch.stack(philox((blocks, epoch, id_low, id_high), (seed_low, seed_high)), dim=-1)
