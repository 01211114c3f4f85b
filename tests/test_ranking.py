"""Mean average precision against a loop, and against scikit-learn where it is installed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specaug.speech.ranking import mean_average_precision, missed, weights


@st.composite
def scored(draw):
    """Scores of up to 12 utterances for up to 4 classes, with many ties, and the class of each utterance."""
    classes, count = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    rows = st.lists(st.integers(-3, 3), min_size=classes, max_size=classes)
    scores = draw(st.lists(rows, min_size=count, max_size=count))
    of = draw(st.lists(st.integers(0, classes - 1), min_size=count, max_size=count))
    return np.array(scores, dtype=np.float64), of


def average_precision(scores, relevant):
    """By thresholds, from the highest down: the recall gained at each, times the precision there."""
    found, recall = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        taken = [hit for score, hit in zip(scores, relevant, strict=True) if score >= threshold]
        found += (sum(taken) / sum(relevant) - recall) * sum(taken) / len(taken)
        recall = sum(taken) / sum(relevant)
    return found


def by_loop(scores, of):
    present = sorted(set(of))
    told = [average_precision(scores[:, c].tolist(), [one == c for one in of]) for c in present]
    return sum(told) / len(told)


def ours(scores, of):
    return mean_average_precision(missed(scores, of).tolist())


@given(scored())
def test_the_mean_of_what_is_missed_is_what_the_mean_average_precision_lacks(given):
    assert ours(*given) == pytest.approx(by_loop(*given), abs=1e-12)


@given(scored())
def test_it_is_that_of_scikit_learn(given):
    metrics = pytest.importorskip("sklearn.metrics")
    scores, of = given
    told = [metrics.average_precision_score([one == c for one in of], scores[:, c]) for c in sorted(set(of))]
    assert ours(scores, of) == pytest.approx(np.mean(told), abs=1e-12)


@given(scored(), st.randoms(use_true_random=False))
def test_the_order_of_the_utterances_says_nothing(given, chance):
    scores, of = given
    order = list(range(len(of)))
    chance.shuffle(order)
    shuffled = missed(scores[order], [of[place] for place in order])
    assert shuffled.tolist() == pytest.approx(missed(scores, of)[order].tolist(), abs=1e-12)


@given(scored())
def test_only_the_order_of_scores_matters_and_a_score_that_is_no_number_ranks_last(given):
    scores, of = given
    assert missed(np.exp(scores) * 3 - 1, of).tolist() == missed(scores, of).tolist()
    lowest = np.where(scores == -3, np.nan, scores)
    assert missed(lowest, of).tolist() == missed(scores, of).tolist()


def test_a_perfect_ranking_has_1_and_equal_scores_have_the_share_of_the_class():
    assert ours(np.eye(3)[[0, 1, 2, 1]], [0, 1, 2, 1]) == pytest.approx(1)
    assert ours(np.zeros((4, 2)), [0, 0, 0, 1]) == pytest.approx((3 / 4 + 1 / 4) / 2)


def counted_by_loop(scores, of, counts):
    """The mean average precision where each utterance counts as often as `counts` says, which may be a fraction."""
    told = []
    for c in sorted(set(of)):
        of_class = [(scores[i, c], count) for i, count in enumerate(counts) if of[i] == c]
        found = 0.0
        for score, count in of_class:
            right = sum(n for other, n in of_class if other >= score)
            found += count * right / sum(n for i, n in enumerate(counts) if scores[i, c] >= score)
        told.append(found / sum(count for _, count in of_class))
    return sum(told) / len(told)


@given(scored())
def test_what_an_utterance_missed_is_the_slope_of_the_map_by_how_often_it_counts(given):
    scores, of = given
    shares, found, step = weights([str(one) for one in of]), ours(*given), 1e-5
    for place, told in enumerate(missed(scores, of)):
        more, less = np.ones(len(of)), np.ones(len(of))
        more[place] += step
        less[place] -= step
        slope = (counted_by_loop(scores, of, more) - counted_by_loop(scores, of, less)) / (2 * step)
        assert told / len(of) == pytest.approx(shares[place] * (1 - found) - slope, abs=1e-7)


@given(st.lists(st.floats(-1e-9, 1e-9), min_size=1, max_size=60))
def test_it_is_a_share_also_where_it_is_rounded(around):
    assert 0.999 < mean_average_precision(around) <= 1.0
    assert 0.0 <= mean_average_precision([1 + each for each in around]) < 0.001


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=20))
def test_the_weights_of_every_class_that_is_there_are_alike_and_all_together_1(names):
    counted = weights(names)
    of = {name: sum(w for w, n in zip(counted, names, strict=True) if n == name) for name in set(names)}
    assert list(of.values()) == pytest.approx([1 / len(of)] * len(of))
