"""Mean average precision, and what each utterance does to it."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def missed(scores: Floats, classes: Sequence[int]) -> Floats:
    """What each utterance adds to one less the mean average precision, in units in which their mean is that.

    `scores` is (utterances, classes), `classes` says to which column each utterance belongs. For each class all utterances
    are ranked by its score; at each of the class's own the precision is the share that its own have of what ranks as high
    or higher; the average precision is the mean of these, and the mean over the classes that there are is asked for. Of
    equal scores all share the rank of the last; a score that is not a number ranks last.

    An utterance adds by its own precision and by what its rank does to that of the others: the influence function, which
    is the derivative by how often the utterance counts. So utterances may be drawn anew without being ranked anew
    (decision D102). A share may be negative, or above 1.
    """
    ranked = np.nan_to_num(scores, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    of = np.asarray(classes, dtype=np.int64)
    mean, gained, columns = 0.0, np.zeros(len(of)), np.unique(of)
    for column in columns:
        mine = of == column
        count = mine.sum()
        own, everybody = np.sort(ranked[mine, column]), np.sort(ranked[:, column])
        right = count - np.searchsorted(own, own)  # of its own as high or higher, at each
        above = len(of) - np.searchsorted(everybody, own)  # of all
        precision = right / above
        mean += precision.mean() / len(columns)
        # those of its own at which an utterance counts are the lowest so many
        below = np.searchsorted(own, ranked[:, column], side="right")
        change = -summed(right / above**2)[below]
        change[mine] += summed(1 / above)[below[mine]] + precision[below[mine] - 1] - precision.mean()
        gained += change / count / len(columns)
    lacking: Floats = len(of) * (weights(classes) * (1 - mean) - gained)
    return lacking


def summed(values: Floats) -> Floats:
    """The sums of the first 0, 1, 2, ... values."""
    return np.concatenate([[0.0], np.cumsum(values)])


def weights(classes: Sequence[str] | Sequence[int]) -> Floats:
    """What each utterance counts, so that all classes that there are count alike; together 1.

    >>> weights(["a", "b", "a", "a"]).round(3).tolist()
    [0.167, 0.5, 0.167, 0.167]
    """
    counts = Counter(classes)
    return np.array([1 / (len(counts) * counts[name]) for name in classes], dtype=np.float64)


def mean_average_precision(lacking: Sequence[float]) -> float:
    """The mean average precision, a share, of what the utterances `missed`."""
    return min(1.0, max(0.0, 1 - float(np.mean(lacking))))  # rounding may lead out
