import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from specaug.study.page.curves import DEV, TRAIN, WER, Band, Trained
from specaug.study.page.figures import losses, rates
from specaug.study.page.ticks import logarithmic, whole


@given(st.floats(1e-6, 1e6), st.floats(1.25, 1e6))
def test_two_round_numbers_or_more_are_written_at_an_axis_of_logarithms_and_not_a_crowd(low, factor):
    high = low * factor
    found = logarithmic(low, high)
    assert found == sorted(set(found))
    assert all(low <= number <= high for number in found)
    assert 2 <= len(found) <= max(10, math.log10(factor) + 1)
    assert [float(f"{number:.3g}") for number in found] == found


def test_an_axis_too_short_for_round_numbers_has_its_ends():
    assert logarithmic(1.01, 1.02) == [1.01, 1.02]


def test_powers_of_ten_are_enough_where_there_are_two():
    assert logarithmic(0.02, 30.0) == [0.1, 1, 10]
    assert logarithmic(0.2, 8.0) == [0.2, 0.5, 1, 2, 5]
    assert logarithmic(3.0, 4.9) == [3, 4]
    assert logarithmic(1.05, 2.95) == [1.5, 2, 2.5]
    assert logarithmic(10.1, 13.9) == [11, 12, 13]


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_whole_numbers_are_even_and_cover_the_axis_in_a_few_steps(low, span):
    found = whole(low, low + span)
    step = found[1] - found[0]
    assert {two - one for one, two in pairwise(found)} == {step}
    assert found[0] <= low
    assert found[-1] >= low + span
    inside = [number for number in found if low <= number <= low + span]
    assert len(inside) <= 7
    assert len(inside) >= 2 or span < 2
    assert str(step).rstrip("0") in ("1", "2", "5")


def policy(*values):
    """A policy with these losses and rates at epochs 1, 2, ..."""
    one = Band(tuple(range(1, len(values) + 1)), values, values, values)
    return Trained("LD", {TRAIN: one, DEV: one, WER: one})


def test_figures_of_training_have_numbers_at_both_axes_and_no_half_epochs():
    for figure in (losses(policy(2.1, 3.2, 2.5), 2.1, 3.2), rates([policy(0.5, 0.4, 0.3)])):
        assert figure.layout.xaxis.tickvals == (0, 1, 2, 3, 4)
    axis = losses(policy(2.1, 3.2, 2.5), 2.1, 3.2).layout.yaxis
    low, high = (10**end for end in axis.range)
    assert low < 2.1 < 3.2 < high
    assert axis.ticktext == ("2", "3")
    assert axis.tickvals == (2.0, 3.0)
