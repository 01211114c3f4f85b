"""What the tests of distributions share: many draws, and how far their counts lie from what was expected."""

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
