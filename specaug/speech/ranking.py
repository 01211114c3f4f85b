"""Mean average precision, as a mean over utterances."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def precisions(scores: Floats, classes: Sequence[int]) -> Floats:
    """For each utterance the precision at its own rank, when all are ranked by the score of its class.

    `scores` is (utterances, classes), `classes` says to which column each utterance belongs. Of equal scores all share
    the rank of the last, so the order of the utterances says nothing; a score that is not a number ranks last. The
    average precision of a class is the mean over its utterances (decision D102).
    """
    ranked = np.nan_to_num(scores, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    of = np.asarray(classes, dtype=np.int64)
    found = np.zeros(len(of))
    for column in np.unique(of):
        mine = of == column
        own, everybody = np.sort(ranked[mine, column]), np.sort(ranked[:, column])
        right = mine.sum() - np.searchsorted(own, ranked[mine, column])
        found[mine] = right / (len(of) - np.searchsorted(everybody, ranked[mine, column]))
    return found


def weights(classes: Sequence[str]) -> Floats:
    """What each utterance counts, so that all classes that there are count alike; together 1.

    >>> weights(["a", "b", "a", "a"]).round(3).tolist()
    [0.167, 0.5, 0.167, 0.167]
    """
    counts = Counter(classes)
    return np.array([1 / (len(counts) * counts[name]) for name in classes], dtype=np.float64)


def mean_average_precision(found: Sequence[float], classes: Sequence[str]) -> float:
    """The mean over classes of the mean over the utterances of each, of what `precisions` found; a share."""
    return min(1.0, float(np.dot(weights(classes), np.asarray(found, dtype=np.float64))))  # but for rounding
