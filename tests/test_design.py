from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specaug.study.sweep.design import chosen, designed
from specaug.study.sweep.options import Axis, Sweep

SPACE = {
    "m_T": Axis(low=0, high=3),
    "T": Axis(low=5, high=40, step=5, when="m_T > 0"),
    "p": Axis(choices=(0.1, 0.2, 1.0)),
    "p_S": Axis(low=0.01, high=1.0, log=True),
}


def sweep(sampler: str, seed: int = 0) -> Sweep:
    return Sweep(experiment="e", space=SPACE, sampler=sampler, seed=seed)


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_more_points_begin_with_the_fewer_ones_and_the_seed_changes_them(sampler):
    short, long = designed(sweep(sampler), 5), designed(sweep(sampler), 8)
    assert long[:5] == short
    assert designed(sweep(sampler, seed=1), 5) != short


@pytest.mark.parametrize("sampler", ["auto", "gp", "tpe"])
def test_samplers_that_learn_have_no_point_beforehand(sampler):
    plain = Sweep(experiment="e", space={"W": Axis(low=0, high=8)}, sampler=sampler)
    assert designed(plain, 3) == [{}, {}, {}]


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_shares_lie_between_their_ends_and_counts_are_whole_however_the_ends_are_written(sampler):
    space = {"p": Axis(low=0, high=1), "F": Axis(low=3.0, high=27.0)}
    points = designed(Sweep(experiment="e", space=space, sampler=sampler), 64)
    assert len({point["p"] for point in points}) == 64
    assert {type(point["F"]) for point in points} == {int}


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_every_value_of_a_range_is_as_likely_as_the_others(sampler):
    points = designed(sweep(sampler), 512)
    counts = Counter(point["m_T"] for point in points)
    assert sorted(counts) == [0, 1, 2, 3]
    assert all(
        90 <= count <= 170 for count in counts.values()
    )  # 128 expected; 4 standard deviations either way
    assert all(("T" in point) == (point["m_T"] > 0) for point in points)
    assert {point["T"] for point in points if "T" in point} == set(range(5, 41, 5))
    assert {point["p"] for point in points} == {0.1, 0.2, 1.0}


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_both_ends_of_a_range_of_decimals_are_tried(sampler):
    points = designed(
        Sweep(experiment="e", space={"p": Axis(low=0, high=0.3, step=0.1)}, sampler=sampler), 64
    )
    assert {point["p"] for point in points} == {0, 0.1, 0.2, 0.3}


@given(st.floats(0, 1, exclude_max=True))
def test_a_value_lies_on_its_axis(share):
    for symbol, axis in SPACE.items():
        assert axis.holds(chosen({symbol: share}, symbol, axis))
