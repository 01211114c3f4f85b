"""Which utterances are worth hearing: those that policies change most, and those with most errors."""

from collections.abc import Sequence
from itertools import chain, zip_longest

import numpy as np

from specaug.study.page.texts import Texts


def picked(texts: Texts, count: int) -> list[int]:
    """The places of `count` cases: of each part as many, by turns the most changed and the worst.

    Changed is the mean error count of the policy with most errors less that of the one with fewest; worst is the
    sum over the policies.
    """
    seeds = np.array(texts.seeds())[:, None]
    means = texts.errors().sum(axis=2) / np.maximum(1, seeds)
    changed, worst = means.max(axis=0) - means.min(axis=0), means.sum(axis=0)
    parts: dict[str, list[int]] = {}
    for place, case in enumerate(texts.cases):
        parts.setdefault(case.part, []).append(place)
    ranked = [by_turns(ordered(places, changed), ordered(places, worst)) for places in parts.values()]
    turns = chain.from_iterable(zip_longest(*ranked))
    return [place for place in turns if place is not None][:count]


def ordered(places: Sequence[int], score: np.ndarray) -> list[int]:
    """The places by falling score, those of one score as they stand."""
    return sorted(places, key=lambda place: -score[place])


def by_turns(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """The first of one, the first of the other, the second of one, ...; each once."""
    return list(dict.fromkeys(chain.from_iterable(zip(one, other, strict=True))))
