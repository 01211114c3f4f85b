import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.policy import LB, LD, NAMED, NONE, SM, SS, Policy

FULL = Policy(warp=8, freq_width=3, freq_masks=2, time_width=10, time_fraction=0.5, time_masks=4)
COUNTS = {"warp": "W", "freq_width": "F", "freq_masks": "m_F", "time_width": "T", "time_masks": "m_T"}


@pytest.mark.parametrize(
    ("policy", "W", "F", "m_F", "T", "p", "m_T"),
    [
        pytest.param(NONE, 0, 0, 0, 0, 1.0, 0, id="None"),  # a dash in the table, where nothing is masked
        pytest.param(LB, 80, 27, 1, 100, 1.0, 1, id="LB"),
        pytest.param(LD, 80, 27, 2, 100, 1.0, 2, id="LD"),
        pytest.param(SM, 40, 15, 2, 70, 0.2, 2, id="SM"),
        pytest.param(SS, 40, 27, 2, 70, 0.2, 2, id="SS"),
    ],
)
def test_the_policies_are_table_1_of_the_paper(policy, W, F, m_F, T, p, m_T):
    assert policy == Policy(
        warp=W, freq_width=F, freq_masks=m_F, time_width=T, time_fraction=p, time_masks=m_T
    )


def test_the_policies_go_by_the_names_of_the_paper():
    assert NAMED == {"None": NONE, "LB": LB, "LD": LD, "SM": SM, "SS": SS}


def test_a_policy_prints_as_the_symbols_of_the_paper():
    assert str(SM) == "W=40 F=15 m_F=2 T=70 p=0.2 m_T=2"


def test_the_default_policy_does_nothing():
    assert Policy() == NONE


@pytest.mark.parametrize("value", [-1, True])
@pytest.mark.parametrize(("field", "symbol"), COUNTS.items())
def test_a_bad_width_or_count_is_refused_by_symbol_field_and_value(field, symbol, value):
    with pytest.raises(ValueError, match="expected a whole number, 0 or more") as caught:
        Policy(**{field: value})
    assert str(caught.value).startswith(f"{symbol} ({field}) is {value};")


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_bad_share_is_refused_by_symbol_field_and_value(value):
    with pytest.raises(ValueError, match=r"expected a share in \[0, 1\]") as caught:
        Policy(time_fraction=value)
    assert str(caught.value).startswith(f"p (time_fraction) is {value};")


@pytest.mark.parametrize(("field", "symbol"), [*COUNTS.items(), ("time_fraction", "p")])
def test_a_value_of_another_type_is_refused_by_symbol_field_and_value(root, field, symbol):
    # In a process of its own, where the annotations are not checked before the values are
    values = [True, "1", None, *([] if symbol == "p" else [2.0])]
    program = f"""
from specaug import Policy
for value in {values}:
    try:
        Policy({field}=value)
    except ValueError as error:
        print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=root, check=True, capture_output=True, text=True
    )
    said = [line.split(";")[0] for line in run.stdout.splitlines()]
    assert said == [f"{symbol} ({field}) is {value}" for value in values]


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_both_ends_of_the_range_of_p_are_allowed(share):
    assert Policy(time_width=9, time_fraction=share).widest(7) == 7 * share


def test_a_policy_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        LD.warp = 3


@given(thousandths=st.integers(0, 1000), frames=st.integers(0, 5000), T=st.integers(0, 200))
def test_the_widest_mask_is_the_width_or_the_whole_part_of_the_share_of_the_frames(thousandths, frames, T):
    policy = Policy(time_width=T, time_fraction=thousandths / 1000)
    by_hand = thousandths * frames // 1000
    assert policy.widest(frames) == (T if T < by_hand else by_hand)


def test_p_is_the_decimal_that_is_written():
    assert int(0.29 * 100) == 28  # in floating point
    assert Policy(time_width=100, time_fraction=0.29).widest(100) == 29
    assert Policy(time_width=100, time_fraction=1e-05).widest(200_000) == 2


@given(hundredths=st.integers(1, 400), W=st.integers(0, 100), T=st.integers(0, 100))
def test_a_scaled_policy_has_its_frames_multiplied_and_rounded_to_the_nearest(hundredths, W, T):
    scaled = Policy(warp=W, time_width=T).scaled(time=hundredths / 100)
    assert abs(100 * scaled.warp - hundredths * W) <= 50
    assert abs(100 * scaled.time_width - hundredths * T) <= 50


def test_scaling_changes_the_frames_and_nothing_else():
    assert FULL.scaled(time=0.5) == replace(FULL, warp=4, time_width=5)
    assert FULL.scaled(time=1.0) == FULL


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan")])
def test_a_factor_of_0_or_less_is_refused_by_name_and_value(factor):
    with pytest.raises(ValueError, match=f"time is {factor}; expected a factor greater than 0"):
        LD.scaled(time=factor)
