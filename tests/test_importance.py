import numpy as np
import pytest
from test_response import CODER, points_of

from specaug.study.sweep.importance import (
    Importance,
    explained,
    factors,
    importances,
    surface,
    swapped,
    without,
)
from specaug.study.sweep.options import Axis
from specaug.study.sweep.response import LEVEL, Coder, matern

PLAIN = Coder({symbol: Axis(low=0.0, high=1.0) for symbol in "abc"}, {})


def plain_points(seed, count):
    values = np.random.default_rng(seed).random((count, 3)).tolist()
    return [dict(zip("abc", row, strict=True)) for row in values]


def seen(seed, count=24, shuffles=39):
    """Which symbols are seen, where a matters and the others do not."""
    points = plain_points(seed, count)
    noise = np.random.default_rng(1000 + seed).standard_normal(count)
    values = np.array([6 * point["a"] for point in points]) + noise
    return {one.symbol for one in importances(PLAIN, points, values, seed, shuffles) if one.seen}


@pytest.mark.slow
def test_a_strong_effect_is_seen_and_none_is_mostly_not():
    found = [seen(seed) for seed in range(10)]
    assert all("a" in one for one in found)
    assert sum(len(one - {"a"}) for one in found) <= 5  # of 20; P(more | 1 in 10) < 2 %


@pytest.mark.slow
def test_a_symbol_without_effect_is_seen_about_once_in_twenty():
    found = [seen(seed, 40, 19) for seed in range(60)]
    assert all("a" in one for one in found)
    assert sum(len(one - {"a"}) for one in found) <= 12  # of 120: 6 expected; P(more) < 1 %


@pytest.mark.slow
def test_a_symbol_without_effect_is_seen_no_more_often_where_anothers_effect_is_great():
    """Against shuffles of the values themselves some 20 of the 120 would be seen."""
    count = 0
    for seed in range(60):
        points = plain_points(100 + seed, 24)
        noise = np.random.default_rng(2000 + seed).standard_normal(24)
        values = np.array([20 * point["a"] for point in points]) + noise
        found = importances(PLAIN, points, values, seed, 19)
        count += sum(one.seen for one in found if one.symbol != "a")
    assert count <= 12  # 6 expected; P(more) < 1 %


def test_without_a_symbol_there_is_none_that_varies_only_where_it_says_so():
    assert [*without(CODER, "m_T").space] == [name for name in CODER.space if name not in ("m_T", "T", "p")]
    assert [*without(CODER, "T").space] == [name for name in CODER.space if name != "T"]


def test_what_is_left_lies_between_what_a_trial_misses_with_itself_and_without():
    points = plain_points(3, 12)
    values = np.array([10 * point["a"] ** 2 for point in points]) + np.random.default_rng(3).normal(size=12)
    rows = PLAIN.rows(points)
    told, left = explained(rows, values)
    known = surface(rows, values)
    covariance = np.linalg.inv(known.inverse)
    for place in range(12):
        others = [other for other in range(12) if other != place]
        centred = (values[others] - known.level) / known.unit
        alone = known.against(rows[[place]])[0, others] @ np.linalg.solve(
            covariance[np.ix_(others, others)], centred
        )
        with_it, without_it = values[place] - told[place], values[place] - known.level - known.unit * alone
        assert np.sign(left[place]) == np.sign(with_it) == np.sign(without_it)
        assert left[place] ** 2 == pytest.approx(with_it * without_it, rel=1e-5)


def test_where_nothing_else_is_searched_the_values_are_told_by_their_mean():
    told, left = explained(np.empty((3, 0)), np.array([1.0, 2.0, 6.0]))
    assert told.tolist() == [3.0, 3.0, 3.0]
    assert left.tolist() == [-2.0, -1.0, 3.0]


def test_shuffles_of_noise_alone_are_passed_once_in_twenty():
    points = plain_points(0, 16)
    random = np.random.default_rng(0)
    ps = [one.p for _ in range(12) for one in importances(PLAIN, points, random.standard_normal(16), 0, 19)]
    assert np.mean(np.array(ps) <= 0.05) <= 0.2
    assert 0.3 < np.mean(ps) < 0.75


def test_a_factor_is_that_of_leaving_each_trial_out_by_hand():
    points = points_of(4, 10)
    values = np.array([30.0 - 3 * point["m_F"] for point in points]) + np.random.default_rng(0).normal(
        size=10
    )
    rows = CODER.rows(points)
    known = surface(rows, values)
    noise = (
        np.linalg.inv(known.inverse)
        - LEVEL
        - known.signal * matern(rows / known.lengths, rows / known.lengths)
    )
    for symbol in ("m_F", "T", "W"):
        usual, worse = [], []
        for place in range(10):
            others = [other for other in range(10) if other != place]
            among = known.against(rows[others])[:, others] + noise[np.ix_(others, others)]
            weights = np.linalg.solve(among, (values[others] - known.level) / known.unit)

            def missed(point, place=place, others=others, weights=weights):
                told = known.against(CODER.rows([point]))[0, others] @ weights
                return (told - (values[place] - known.level) / known.unit) ** 2

            own = missed(points[place])
            usual.append(own)
            there = [
                CODER.moved(points[place], symbol, donor)
                for donor in points
                if symbol in donor and symbol in points[place]
            ]
            changed = [missed(point) for point in there if point is not None]
            worse.append(np.mean(changed) if changed else own)
        by_hand = np.sqrt(np.mean(worse) / np.mean(usual))
        assert factors(known, values, [swapped(CODER, points, symbol)])[0] == pytest.approx(by_hand, rel=1e-5)


def test_the_greatest_stands_first_and_a_seed_gives_the_same_again():
    points = plain_points(1, 20)
    values = np.array([point["a"] - 3 * point["c"] for point in points])
    one, again, other = (importances(PLAIN, points, values, seed, 9) for seed in (0, 0, 1))
    assert [found.symbol for found in one][:2] == ["c", "a"]
    assert one == again
    assert [found.chance for found in one] != [found.chance for found in other]


def test_no_effect_is_seen_where_all_trials_are_alike():
    found = importances(PLAIN, plain_points(2, 12), np.full(12, 30.0), 0, 19)
    assert [one.p for one in found] == [1.0, 1.0, 1.0]


def test_a_symbol_that_never_varies_is_left_out():
    points = [{"W": 40 * (place % 3), "m_F": 0, "m_T": 0} for place in range(9)]
    values = np.arange(9.0)
    assert {one.symbol for one in importances(CODER, points, values, 0, 3)} == {"W", "m_F", "m_T"}


@pytest.mark.parametrize(("p", "is_seen"), [(0.05, True), (0.06, False)])
def test_an_effect_is_seen_up_to_one_in_twenty(p, is_seen):
    assert Importance("F", 2.0, 1.0, p).seen is is_seen
