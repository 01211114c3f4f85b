"""What the tests of draws share: many draws, how far their counts lie from what was expected, and the generator."""

from collections import Counter
from fractions import Fraction

import torch
from torch import Tensor

from specaug.augment.draws import Draws, draw
from specaug.augment.keys import make_keys
from specaug.augment.operation import Operation
from specaug.augment.policy import Policy

Cells = list[tuple[int, int, Fraction]]  # (first, second, probability) of every pair that can occur


def ids(count: int) -> list[str]:
    return [f"utterance {number}" for number in range(count)]


def many(*operations: Operation, length: int, mel: int = 8, count: int = 20_000) -> Draws:
    """What `count` utterances of one length draw."""
    return draw(Policy(operations), torch.full((count,), length), mel, make_keys(0, 0, ids(count)))


def chi_square(first: Tensor, second: Tensor, cells: Cells) -> float:
    """How far the counts of pairs lie from what their probabilities say; every pair is one of `cells`."""
    pairs = Counter(zip(first.flatten().tolist(), second.flatten().tolist(), strict=True))
    expected = {(a, b): float(p) * pairs.total() for a, b, p in cells}
    assert sum(p for _, _, p in cells) == 1
    assert set(pairs) <= expected.keys()
    return sum((pairs[pair] - mean) ** 2 / mean for pair, mean in expected.items())


def philox_by_hand(counter: list[int], key: list[int]) -> list[int]:
    """Philox 4x32-10 as Salmon et al. 2011 write it, with Python's whole numbers of any size."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for number in range(10):
        left, right = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        round_key = [(k0 + number * 0x9E3779B9) % 2**32, (k1 + number * 0xBB67AE85) % 2**32]
        c0, c1 = right // 2**32 ^ c1 ^ round_key[0], right % 2**32
        c2, c3 = left // 2**32 ^ c3 ^ round_key[1], left % 2**32
    return [c0, c1, c2, c3]
