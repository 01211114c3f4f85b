from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.draws import draw
from specaug.augment.keys import make_keys
from specaug.augment.operation import BOUNDS, LARGEST, floor_of, fraction
from specaug.augment.operations import KINDS, OPERATIONS, FilterAugment, PatchMask, TimeMask
from specaug.augment.policy import Policy

thousandths = st.integers(0, 1000)
frames = st.integers(0, 5000)


@given(share=thousandths, tau=frames, T=st.integers(0, 200))
def test_the_widest_mask_is_the_width_or_the_whole_part_of_the_share_of_the_frames(share, tau, T):
    by_hand = share * tau // 1000
    assert TimeMask(T=T, p=share / 1000).widest(tau) == (T if T < by_hand else by_hand)


@given(share=thousandths, tau=frames)
def test_an_adaptive_mask_is_at_most_the_share_p_s_of_the_frames(share, tau):
    assert TimeMask(T=None, p_S=share / 1000).widest(tau) == share * tau // 1000


@given(share=thousandths, tau=frames, m_T=st.integers(0, 30))
def test_the_adaptive_number_of_masks_is_the_share_p_m_of_the_frames_and_at_most_m_t(share, tau, m_T):
    by_hand = share * tau // 1000
    assert TimeMask(T=9, m_T=m_T, p_M=share / 1000).count(tau) == (m_T if m_T < by_hand else by_hand)


@given(tau=frames, m_T=st.integers(0, 30))
def test_without_p_m_the_number_of_masks_is_m_t(tau, m_T):
    assert TimeMask(T=9, m_T=m_T).count(tau) == m_T


@pytest.mark.parametrize(
    ("mask", "widest"),
    [
        pytest.param(TimeMask(T=10, p_S=0.5, p=1.0), 10, id="T"),
        pytest.param(TimeMask(T=90, p_S=0.5, p=1.0), 50, id="p_S"),
        pytest.param(TimeMask(T=90, p_S=0.5, p=0.2), 20, id="p"),
        pytest.param(TimeMask(T=None, p=0.3), 30, id="p alone"),
        pytest.param(TimeMask(T=None), 100, id="nothing"),
    ],
)
def test_the_least_of_what_bounds_a_mask_is_its_width(mask, widest):
    assert mask.widest(100) == widest


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_both_ends_of_the_range_of_p_are_allowed(share):
    assert TimeMask(T=9, p=share).widest(7) == 7 * share


def test_p_is_the_decimal_that_is_written():
    assert int(0.29 * 100) == 28  # in floating point
    assert TimeMask(T=100, p=0.29).widest(100) == 29
    assert TimeMask(T=100, p=1e-05).widest(200_000) == 2


@given(share=st.floats(0, 1), tau=frames)
def test_the_floor_of_a_share_is_that_of_the_decimal_that_it_prints_as(share, tau):
    text = f"{share!r}e0" if "e" not in repr(share) else repr(share)
    digits, exponent = text.split("e")
    by_hand = Fraction(digits) * Fraction(10) ** int(exponent)
    assert fraction(share) == by_hand
    assert floor_of(share, tau) <= by_hand * tau < floor_of(share, tau) + 1


@pytest.mark.parametrize("mask", [TimeMask(T=0), TimeMask(p=0.0), TimeMask(p_S=0.0), TimeMask(p_M=0.0)])
def test_a_time_mask_that_can_hide_nothing_draws_nothing(mask):
    assert mask.draws == 0


VALUES = {
    "W": 3,
    "F": 4,
    "m_F": 2,
    "T": 30,
    "p": 0.5,
    "m_T": 2,
    "p_S": 0.25,
    "p_M": 0.25,
    "fill": 0.5,
    "t_max": 5,
    "N": 2,
}
VALUES |= {"g": 1.5, "n_low": 2, "n_high": 3, "w_min": 2, "unit": 0.5, "t": 3, "f": 2, "share": 0.25}


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_numpy_are_as_pythons(kind):
    given = {symbol: value for symbol, value in VALUES.items() if symbol in kind().symbols()}
    numpys = {s: np.int32(v) if isinstance(v, int) else np.float32(v) for s, v in given.items()}
    one, other = kind(**given), kind(**numpys)
    assert given
    assert repr(one) == repr(other)
    assert hash(one) == hash(other)
    assert {type(value) for value in other.symbols().values()} <= {int, float, str, type(None)}


@pytest.mark.parametrize("value", [np.float64(2.0), np.bool_(True), np.int64(-1)])
def test_a_bad_number_of_numpy_is_refused(value):
    with pytest.raises(ValueError, match=r"T \(TimeMask\) is .*; expected a whole number, 0 or more"):
        TimeMask(T=value)


@pytest.mark.parametrize("kind", KINDS)
def test_what_fits_no_word_of_the_generator_is_refused(kind):
    for symbol, value in VALUES.items():
        if symbol in kind().symbols() and isinstance(value, int):
            with pytest.raises(
                ValueError, match=rf"{symbol} \({kind.__name__}\) is 2147483648; expected at most 2147483647"
            ):
                kind(**{symbol: 2**31})


@pytest.mark.parametrize("bounds", BOUNDS)
def test_the_widest_mask_that_can_be_written_is_drawn(bounds):
    mask = TimeMask(T=LARGEST, m_T=6, bounds=bounds)
    spans = (
        draw(Policy((mask,)), torch.full((50,), 90), 80, make_keys(0, 0, [str(n) for n in range(50)]))
        .steps[0]
        .spans
    )
    assert spans.width.min() >= 0
    assert spans.width.max() <= 90


def test_no_two_operations_have_one_stream():
    assert len({kind.stream for kind in KINDS}) == len(KINDS)


def test_the_operations_go_by_their_own_names():
    assert {name: kind.__name__ for name, kind in OPERATIONS.items()} == {n: n for n in OPERATIONS}
    assert list(OPERATIONS.values()) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_symbols_make_the_same_operation_again(kind):
    assert kind(**kind().symbols()) == kind()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PatchMask(share=1.5), r"share \(PatchMask\) is 1.5; expected a share in \[0, 1\]"),
        (lambda: PatchMask(t=0), "a patch is t=0 frames by f=16 channels; expected at least 1 by 1"),
        (lambda: PatchMask(fill="zero"), r"fill \(PatchMask\) is 'zero'; expected a number, or one of mean"),
        (lambda: FilterAugment(g=-1.0), r"g \(FilterAugment\) is -1.0; expected a number, 0 or more"),
        (
            lambda: FilterAugment(kind="flat"),
            r"kind \(FilterAugment\) is 'flat'; expected one of linear, step",
        ),
        (lambda: FilterAugment(n_low=7), "n_low is 7, n_high 6; expected 1 <= n_low <= n_high"),
        (lambda: FilterAugment(w_min=0), "w_min is 0; expected at least 1 channel"),
        (lambda: TimeMask(bounds="halfopen"), r"bounds \(TimeMask\) is 'halfopen'; expected one of closed"),
    ],
    ids=["share", "patch", "fill", "g", "kind", "bands", "w_min", "bounds"],
)
def test_a_bad_value_is_refused_by_symbol_operation_and_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()
