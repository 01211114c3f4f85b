"""What the tests of random draws share: many draws at once, and whether counts are what chances say."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from fractions import Fraction
from itertools import product
from typing import Any

import counting
import torch
from scipy.stats import chi2

from specaug.augment.operation import Operation

MANY = 6000


def many(operation: Operation, length: int, mel: int = 8, count: int = MANY) -> Any:
    """What one operation draws for so many utterances of a length."""
    return counting.many(operation, length=length, mel=mel, count=count).steps[0]


def rows(*columns: torch.Tensor) -> list[tuple[Any, ...]]:
    """The columns side by side, utterance by utterance."""
    return list(zip(*(column.tolist() for column in columns), strict=True))


def fits(seen: Iterable[Hashable], chances: Mapping[Any, Fraction]) -> bool:
    """Whether the counts lie within the 99.9 % quantile of chi-square; what has no chance must not be seen."""
    counts = Counter(seen)
    assert sum(chances.values()) == 1
    assert counts.keys() <= chances.keys()
    means = {outcome: float(chance) * counts.total() for outcome, chance in chances.items()}
    assert min(means.values()) >= 5
    distance = sum((counts[outcome] - mean) ** 2 / mean for outcome, mean in means.items())
    return len(means) == 1 or bool(distance < chi2.ppf(0.999, len(means) - 1))


def alike(outcomes: Iterable[Hashable]) -> dict[Any, Fraction]:
    """Each outcome as likely as any other."""
    known = list(outcomes)
    return dict.fromkeys(known, Fraction(1, len(known)))


def both(one: Mapping[Any, Fraction], other: Mapping[Any, Fraction]) -> dict[Any, Fraction]:
    """The chances of pairs of independent outcomes."""
    return {(a, b): p * q for (a, p), (b, q) in product(one.items(), other.items())}
