import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from searched import SPACE

from specaug.study.sweep.options import Axis
from specaug.study.sweep.response import LEVEL, Coder, Fit, curves, grid, matern, share, unlikely

CODER = Coder(SPACE, {})
BASE = 30.0


def points_of(seed, count=44, space=SPACE):
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        point = {}
        for symbol, axis in space.items():
            if axis.applies(point):
                values = grid(axis)
                point[symbol] = values[int(random.integers(len(values)))]
        found.append(point)
    return found


def additive(point):
    """m_F counts, T has a best width, the others do nothing."""
    width = 3.0 if "T" not in point else 4 * (share(SPACE["T"], point["T"]) - 0.4) ** 2
    return BASE - 2.0 * point["m_F"] + 3 * width


def told(points, rate, noise, seed):
    random = np.random.default_rng(1000 + seed)
    return np.array([rate(point) for point in points]) + noise * random.standard_normal(len(points))


def truth(points, rate, symbol, value):
    """The mean of a function over the trials, one symbol held at a value: by going through them."""
    rates = []
    for point in points:
        there = CODER.moved(point, symbol, {symbol: value}) if symbol in point else None
        if there is not None:
            rates.append(rate(there))
    return np.mean(rates)


def inside(rate, noise, seeds):
    """The share of all curves' values whose band holds the truth."""
    hits = []
    for seed in seeds:
        points = points_of(seed)
        for curve in curves(CODER, points, told(points, rate, noise, seed)):
            known = np.array([truth(points, rate, curve.symbol, value) for value in curve.values])
            hits += list((curve.low <= known) & (known <= curve.high))
    return np.mean(hits)


def test_the_band_holds_a_known_additive_function():
    assert inside(additive, 1.0, range(3)) >= 0.8


def test_the_curve_follows_a_known_additive_function():
    points = points_of(0)
    (curve,) = [c for c in curves(CODER, points, told(points, additive, 0.5, 0)) if c.symbol == "m_F"]
    known = np.array([truth(points, additive, "m_F", value) for value in curve.values])
    assert np.abs(curve.mean - known).max() < 1.0  # of 6
    assert (curve.high - curve.low).max() < 3.0


def test_the_band_holds_a_flat_line_where_all_is_noise():
    assert inside(lambda _: BASE, 1.0, range(3)) >= 0.8


def test_a_constant_gives_a_flat_curve():
    points = points_of(0, 12)
    for curve in curves(CODER, points, np.full(12, BASE)):
        np.testing.assert_allclose(curve.mean, BASE, atol=1e-9)


@given(st.integers(0, 1000))
def test_the_slope_of_the_likelihood_is_that_of_finite_differences(seed):
    random = np.random.default_rng(seed)
    fit = Fit(random.random((7, 3)), random.standard_normal(7))
    logs = random.normal(0, 0.7, 5)
    slope = unlikely(logs, fit.apart, fit.centred)[1]
    for place in range(5):
        step = 1e-5 * np.eye(5)[place]
        up, down = (unlikely(logs + way * step, fit.apart, fit.centred)[0] for way in (1, -1))
        assert slope[place] == pytest.approx((up - down) / 2e-5, rel=1e-3, abs=1e-5)


def test_the_likelihood_is_that_of_a_normal_distribution():
    random = np.random.default_rng(0)
    fit = Fit(random.random((6, 2)), random.standard_normal(6))
    apart = np.array([[np.hypot((a - b)[0] / 2, (a - b)[1] / 3) for b in fit.rows] for a in fit.rows])
    wave = np.sqrt(5) * apart
    covariance = LEVEL + 1.5 * (1 + wave + wave**2 / 3) * np.exp(-wave) + (0.2 + 1e-8) * np.eye(6)
    by_hand = fit.centred @ np.linalg.solve(covariance, fit.centred) / 2
    by_hand += np.linalg.slogdet(covariance)[1] / 2
    logs = np.log([2, 3, 1.5, 0.2])
    assert unlikely(logs, fit.apart, fit.centred)[0] == pytest.approx(by_hand)


def test_the_likeliest_place_is_a_minimum():
    random = np.random.default_rng(3)
    fit = Fit(random.random((20, 2)), random.standard_normal(20))
    best = fit.likeliest()

    def cost(place):
        return -fit.likely(place) + place @ place / 2

    nearby = [best + 0.1 * random.standard_normal(4) for _ in range(50)]
    assert cost(best) < min(map(cost, nearby)) + 1e-3


def test_an_average_is_that_of_the_joint_distribution():
    random = np.random.default_rng(1)
    fit = Fit(random.random((9, 2)), random.normal(50, 4, 9))
    surface = fit.surface(np.zeros(4))
    there = random.random((5, 2))
    scaled, known = there / surface.lengths, fit.rows / surface.lengths
    across = LEVEL + surface.signal * matern(scaled, known)
    noise = np.exp(fit.logs(np.zeros(4))[-1])
    among = LEVEL + surface.signal * matern(known, known) + (noise + 1e-8) * np.eye(9)
    joint = LEVEL + surface.signal * matern(scaled, scaled) - across @ np.linalg.solve(among, across.T)
    means = fit.values.mean() + fit.unit * across @ np.linalg.solve(among, fit.centred)
    mean, variance = surface.average(there)
    assert mean == pytest.approx(means.mean())
    assert variance == pytest.approx(fit.unit**2 * joint.mean())


def test_surfaces_differ_and_are_the_same_for_a_seed():
    random = np.random.default_rng(2)
    fit = Fit(random.random((15, 2)), random.standard_normal(15))
    one, again = ([tuple(s.lengths) for s in fit.surfaces(5)] for _ in range(2))
    assert one == again
    assert len(set(one)) == len(one)
    assert one != [tuple(s.lengths) for s in fit.surfaces(6)]


def test_a_symbol_that_does_not_vary_stands_at_its_lowest_and_is_marked():
    with_masks = {"W": 40, "m_F": 3, "F": 15, "m_T": 6, "T": 10, "p": 1.0}
    rows = CODER.rows([with_masks, {"W": 80, "m_F": 0, "m_T": 0}])
    np.testing.assert_allclose(rows, [[0.5, 1, 0.5, 1, 0, 1, 1, 1], [1, 0, 0, 0, 0, 0, 0, 0]])


def test_choices_by_name_are_in_no_order():
    coder = Coder({"warp": Axis(choices=("linear", "sparse")), "F": Axis(low=1, high=3)}, {})
    rows = coder.rows([{"warp": "linear", "F": 1}, {"warp": "sparse", "F": 3}])
    np.testing.assert_array_equal(rows, [[1, 0, 0], [0, 1, 1]])


def test_another_value_brings_and_takes_what_hangs_on_it():
    some, none = {"W": 0, "m_F": 2, "F": 9, "m_T": 0}, {"W": 40, "m_F": 0, "m_T": 0}
    assert CODER.moved(some, "m_F", none) == {"W": 0, "m_F": 0, "m_T": 0}
    assert CODER.moved(none, "m_F", some) == {"W": 40, "m_F": 2, "F": 9, "m_T": 0}
    assert CODER.moved(none, "m_F", {"m_F": 2}) is None
    assert CODER.moved(some, "m_F", {"m_F": 1, "F": 27}) == {"W": 0, "m_F": 1, "F": 9, "m_T": 0}


@pytest.mark.parametrize(
    ("axis", "values"),
    [
        pytest.param(Axis(low=0, high=80, step=40), [0, 40, 80], id="steps"),
        pytest.param(Axis(low=0.1, high=0.4, step=0.1), [0.1, 0.2, 0.3, 0.4], id="steps of fractions"),
        pytest.param(Axis(low=1, high=3), [1, 2, 3], id="whole"),
        pytest.param(Axis(choices=(0.5, 0.1)), [0.1, 0.5], id="choices"),
        pytest.param(Axis(choices=("sparse", "linear")), ["sparse", "linear"], id="names"),
    ],
)
def test_few_values_are_all_looked_at(axis, values):
    assert grid(axis) == values


def test_many_values_are_looked_at_evenly_and_from_end_to_end():
    values = grid(Axis(low=0.01, high=1.0, log=True))
    assert (values[0], values[-1]) == pytest.approx((0.01, 1.0))
    np.testing.assert_allclose(np.diff(np.log(values)), np.log(values[1] / values[0]))
    assert all(isinstance(value, int) for value in grid(Axis(low=1, high=500)))


def test_half_way_along_a_logarithm_is_the_geometric_mean():
    assert share(Axis(low=0.01, high=1.0, log=True), 0.1) == pytest.approx(0.5)
    assert share(Axis(choices=(0.1, 0.2, 1.0)), 0.2) == pytest.approx(0.5)
