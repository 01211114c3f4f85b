"""Philox 4x32-10, a counter-based generator of random words, in whole-number torch operations.

Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011. A word is a function of
(counter, key) and of nothing else: there is no state to save, to share between workers, or to restore. Words
of 32 bits are held in int64, so that CPU and GPU compute the same bits with plain operations.
"""

from functools import lru_cache

import torch
from jaxtyping import Int
from torch import Tensor

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
WORD = 0xFFFFFFFF  # 32 bits

Words = tuple[Tensor, Tensor, Tensor, Tensor]
Limit = int | Int[Tensor, " batch"]  # one for the batch, or one for each utterance


def philox(counter: Words, key: tuple[Tensor, Tensor]) -> Words:
    """Four random words for each counter of four words and key of two, which has as many axes; all broadcast together.

    Both products of a round are one operation: where words are few, the time goes into calls. A product of two words
    would overflow; one with the multiplier less 2^32 does not, and its high word lacks just the word itself.
    """
    c0, c1, c2, c3 = torch.broadcast_tensors(*counter)  # type: ignore[no-untyped-call]
    even, odd, keys = torch.stack([c0, c2]), torch.stack([c1, c3]), torch.stack(key)
    lessened, weyl = (numbers.view(*numbers.shape, *[1] * c0.ndim) for numbers in constants(c0.device))
    for of_round in (keys + weyl).unbind():
        crossed = even.flip(0)
        product = crossed * lessened
        even = (product >> 32).add_(crossed).bitwise_xor_(odd).bitwise_xor_(of_round).bitwise_and_(WORD)
        odd = product
    odd = odd & WORD
    return even[0], odd[0], even[1], odd[1]


@lru_cache(maxsize=8)
def constants(device: torch.device) -> tuple[Int[Tensor, " 2"], Int[Tensor, "round 2"]]:
    """The multipliers less 2^32, the second first; what each round adds to the two keys. Not to be written to."""
    lessened = torch.tensor([by - 2**32 for by in reversed(MULTIPLIERS)], device=device)
    return lessened, torch.tensor([[turn * step for step in WEYL] for turn in range(ROUNDS)], device=device)


def below(word: Int[Tensor, "*shape"], bound: Int[Tensor, "*#shape"]) -> Int[Tensor, "*shape"]:
    """A whole number in [0, bound) made from a 32-bit word: floor(word / 2^32 * bound), exactly.

    Each value is as likely as any other to within bound / 2^32; bound is at most 2^31.
    """
    return (word * bound) >> 32
