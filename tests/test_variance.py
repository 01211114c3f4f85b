import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit

from specaug.study.stats.variance import MAX_FREEDOM, combined, freedoms, mean_squares

SIZES = [(3, 6), (3, 20), (3, 100), (4, 100), (5, 2), (5, 6), (5, 100), (10, 3), (10, 20)]
SHARES = [
    (0, 0),
    (0, 0.5),
    (0.5, 0),
    (0, 1),
    (0.1, 0.9),
    (0.4, 0.4),
    (0.5, 0.5),
    (0.8, 0),
    (0.9, 0.1),
    (1, 0),
]


def told_apart(seeds, units, by_seed, by_unit, trials=20_000):
    """How often a mean of true value 0 is more than a Student quantile away, whatever its variance is made of."""
    chance, freedom = np.random.default_rng([seeds, units]), freedoms(seeds, units)
    left = max(0.0, 1 - by_seed - by_unit)
    squares = np.array([by_seed + left, by_unit + left, left])[:, None]
    squares = squares * chance.chisquare(freedom[:, None], (3, trials)) / freedom[:, None]
    variance, found = combined(squares, freedom)
    mean = chance.normal(0, np.sqrt(by_seed + by_unit + left), trials)
    return np.mean(np.abs(mean) > stdtrit(found, 0.975) * np.sqrt(variance))


@pytest.mark.parametrize(("seeds", "units"), SIZES)
def test_a_true_0_is_missed_in_at_most_6_and_a_half_percent_whatever_differs(seeds, units):
    assert max(told_apart(seeds, units, *shares) for shares in SHARES) <= 0.065  # standard error 0.2 %


@pytest.mark.parametrize(("seeds", "units"), SIZES)
@pytest.mark.parametrize("shares", [(0, 1), (1, 0), (0.5, 0.5)])
def test_where_seeds_or_units_differ_it_is_not_missed_too_seldom(seeds, units, shares):
    least = 0.02 if min(shares) and min(seeds, units) < 5 else 0.03
    assert told_apart(seeds, units, *shares) >= least


@pytest.mark.parametrize(("seeds", "units"), [(4, 30), (12, 8)])
def test_the_mean_squares_are_those_of_the_deviations_that_made_the_errors(seeds, units):
    chance, words, trials = np.random.default_rng(0), np.full(units, 50.0), 4000
    sizes = (0.3, 0.5, 0.8)
    found = np.mean(
        [
            mean_squares(
                50
                * (
                    chance.normal(0, sizes[0], (seeds, 1))
                    + chance.normal(0, sizes[1], units)
                    + chance.normal(0, sizes[2], (seeds, units))
                ),
                words,
            )
            for _ in range(trials)
        ],
        axis=0,
    )
    left = sizes[2] ** 2 / seeds / units
    assert found == pytest.approx(
        [sizes[0] ** 2 / seeds + left, sizes[1] ** 2 / units + left, left], rel=0.06
    )


@given(st.integers(3, 30), st.integers(2, 99), st.lists(st.floats(0, 9), min_size=3, max_size=3))
def test_the_variance_is_no_less_than_either_and_its_freedom_within_bounds(seeds, units, squares):
    freedom = freedoms(seeds, units)
    variance, found = combined(np.array(squares), freedom)
    assert variance >= max(squares[:2])
    assert min(seeds, units) - 1 <= found <= MAX_FREEDOM


@given(st.lists(st.lists(st.floats(0.01, 9), min_size=3, max_size=3), min_size=1, max_size=5))
def test_many_at_once_are_as_one_by_one(rows):
    freedom = freedoms(4, 9)
    together = combined(np.array(rows).T, freedom)
    for i, row in enumerate(rows):
        alone = combined(np.array(row), freedom)
        assert (together[0][i], together[1][i]) == (pytest.approx(alone[0]), pytest.approx(alone[1]))
