import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specaug.study.comparing.bins import NOT_GIVEN, group_names, in_order

NUMBERS = st.lists(st.integers(-20, 20) | st.floats(-20, 20, width=16), min_size=1, max_size=60)


@given(values=NUMBERS)
def test_numbers_fall_into_at_most_four_ranges_that_do_not_overlap(values):
    names = group_names(values)
    groups = [
        [v for v, name in zip(values, names, strict=True) if name == one] for one in dict.fromkeys(names)
    ]
    groups.sort(key=min)
    assert len(groups) <= 4
    assert all(max(low) < min(high) for low, high in pairwise(groups))


@given(values=NUMBERS)
def test_the_name_of_a_range_is_its_bounds(values):
    for name in set(names := group_names(values)):
        inside = [value for value, other in zip(values, names, strict=True) if other == name]
        low, _, high = name.partition(" to ")
        assert (float(low), float(high or low)) == pytest.approx((min(inside), max(inside)), rel=1e-5)


def test_many_different_numbers_are_cut_into_quarters():
    values = np.random.default_rng(0).permutation(100).tolist()
    names = group_names(values)
    assert in_order(names, values) == ["0 to 24", "25 to 49", "50 to 74", "75 to 99"]
    assert {names.count(name) for name in names} == {25}


def test_few_different_numbers_are_groups_of_their_own():
    values = [7, 3, 7, 7, 7, 7, 5, 7.0, 10]
    assert group_names(values) == ["7", "3", "7", "7", "7", "7", "5", "7", "10"]
    assert in_order(group_names(values), values) == ["3", "5", "7", "10"]


def test_equal_numbers_are_not_divided_where_they_are_more_than_a_quarter():
    values = [1] * 10 + [2, 3, 4, 5]
    assert in_order(group_names(values), values) == ["1", "2", "3 to 5"]


def test_an_infinite_number_is_in_the_last_range():
    values = [*range(1, 8), math.inf]
    assert in_order(group_names(values), values)[-1] == "7 to inf"


@pytest.mark.parametrize("nothing", [None, math.nan, "", " \t"])
def test_what_is_not_given_is_a_group_of_its_own_and_stands_last(nothing):
    for values in (["m", nothing, "f", nothing], [2, nothing, 1, nothing], ["(z", nothing, "(a", nothing]):
        names = group_names(values)
        assert (names[1], names[3]) == (NOT_GIVEN, NOT_GIVEN)
        assert in_order(names, values) == [*sorted({names[0], names[2]}), NOT_GIVEN]


def test_text_and_truth_are_groups_by_value_and_so_are_numbers_among_text():
    assert group_names([True, False]) == ["true", "false"]
    assert group_names(["1089", "121"]) == ["1089", "121"]
    assert group_names([1, 2, 3, 4, 5, "many"]) == ["1", "2", "3", "4", "5", "many"]


def test_a_group_has_no_ends_of_lines_in_its_name():
    assert group_names(["a\nb", "a \t b"]) == ["a b", "a b"]


def test_large_whole_numbers_are_written_out():
    assert group_names([1_234_567, 0.125]) == ["1234567", "0.125"]
