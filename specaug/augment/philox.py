"""Philox 4x32-10, a counter-based generator of random words, in whole-number torch operations.

Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011. A word is a function of
(counter, key) and of nothing else: there is no state to save, to share between workers, or to restore. Words
of 32 bits are held in int64, so that CPU and GPU compute the same bits with plain operations.
"""

from jaxtyping import Int
from torch import Tensor

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
WORD = 0xFFFFFFFF  # 32 bits

Words = tuple[Tensor, Tensor, Tensor, Tensor]
Limit = int | Int[Tensor, " batch"]  # one for the batch, or one for each utterance


def philox(counter: Words, key: tuple[Tensor, Tensor]) -> Words:
    """Four random words for each counter of four words and key of two; all broadcast together."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        high0, low0 = multiply(c0, MULTIPLIERS[0])
        high1, low1 = multiply(c2, MULTIPLIERS[1])
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + WEYL[0]) & WORD, (k1 + WEYL[1]) & WORD
    return c0, c1, c2, c3


def multiply(word: Int[Tensor, "*shape"], by: int) -> tuple[Int[Tensor, "*shape"], Int[Tensor, "*shape"]]:
    """The high and the low word of the 64-bit product.

    The product is put together from two of 48 bits, since a signed 64-bit one would overflow.
    """
    upper, lower = (word >> 16) * by, (word & 0xFFFF) * by
    middle = upper + (lower >> 16)
    return middle >> 16, ((middle & 0xFFFF) << 16) | (lower & 0xFFFF)


def below(word: Int[Tensor, "*shape"], bound: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """A whole number in [0, bound) made from a 32-bit word: floor(word / 2^32 * bound), exactly.

    Each value is as likely as any other to within bound / 2^32; bound is at most 2^31.
    """
    return (word * bound) >> 32
