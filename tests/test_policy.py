import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.draws import block_numbers
from specaug.augment.operation import MOST
from specaug.augment.operations import FrequencyMask, PatchMask, SpecSub, SpliceOut, TimeMask, TimeWarp
from specaug.augment.policy import (
    CONFORMER,
    LB,
    LD,
    LIBRI_FULL_ADAPT,
    NAMED,
    NONE,
    SM,
    SS,
    Policy,
    paper_policy,
)

FULL = paper_policy(W=8, F=3, m_F=2, T=10, p=0.5, m_T=4)
COUNTS = {
    "W": "TimeWarp",
    "F": "FrequencyMask",
    "m_F": "FrequencyMask",
    "T": "TimeMask",
    "m_T": "TimeMask",
}
SHARES = ("p", "p_S", "p_M")


@pytest.mark.parametrize(
    ("policy", "W", "F", "m_F", "T", "p", "m_T"),
    [
        pytest.param(LB, 80, 27, 1, 100, 1.0, 1, id="LB"),
        pytest.param(LD, 80, 27, 2, 100, 1.0, 2, id="LD"),
        pytest.param(SM, 40, 15, 2, 70, 0.2, 2, id="SM"),
        pytest.param(SS, 40, 27, 2, 70, 0.2, 2, id="SS"),
    ],
)
def test_the_policies_are_table_1_of_the_paper(policy, W, F, m_F, T, p, m_T):
    warp, freq, time = policy.operations
    assert (warp.W, freq.F, freq.m_F, time.T, time.p, time.m_T) == (W, F, m_F, T, p, m_T)


def test_without_a_policy_nothing_is_done():
    assert NONE == Policy() == Policy(())  # the table has dashes there


def test_the_paper_warps_first_and_then_masks_channels_and_frames():
    assert LD.operations == (TimeWarp(W=80), FrequencyMask(F=27, m_F=2), TimeMask(T=100, p=1.0, m_T=2))


def test_libri_full_adapt_is_that_of_the_2020_paper():
    W, F, m_F, p_M, p_S, m_T = 80, 27, 2, 0.04, 0.04, 20  # m_T = min(20, floor(p_M tau)), T = floor(p_S tau)
    time = TimeMask(T=None, p=1.0, m_T=m_T, p_S=p_S, p_M=p_M)
    assert LIBRI_FULL_ADAPT.operations == (TimeWarp(W=W), FrequencyMask(F=F, m_F=m_F), time)


def test_conformer_masks_as_the_conformer_paper_and_does_not_warp():
    F, m_F, p_S, m_T = 27, 2, 0.05, 10
    assert CONFORMER.operations == (
        FrequencyMask(F=F, m_F=m_F),
        TimeMask(T=None, p=1.0, m_T=m_T, p_S=p_S, p_M=None),
    )


def test_the_policies_go_by_the_names_of_the_papers():
    table = {"None": NONE, "LB": LB, "LD": LD, "SM": SM, "SS": SS}
    assert {**table, "LibriFullAdapt": LIBRI_FULL_ADAPT, "Conformer": CONFORMER} == NAMED


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        pytest.param(SM, "W=40 F=15 m_F=2 T=70 p=0.2 m_T=2", id="table 1"),
        pytest.param(CONFORMER, "F=27 m_F=2 p=1.0 m_T=10 p_S=0.05", id="adaptive"),
        pytest.param(
            LB.replaced(warp="sparse"), "W=80 warp=sparse F=27 m_F=1 T=100 p=1.0 m_T=1", id="options"
        ),
        pytest.param(Policy((SpecSub(t_max=20), SpliceOut())), "SpecSub(t_max=20) SpliceOut", id="others"),
        pytest.param(NONE, "nothing", id="None"),
    ],
)
def test_a_policy_prints_as_the_symbols_of_the_papers(policy, words):
    assert str(policy) == words
    assert repr(policy) == f"Policy({words})"


def test_a_policy_of_the_paper_has_no_operation_that_does_nothing():
    assert paper_policy(W=0, F=27, m_F=0, T=0, m_T=2) == NONE
    assert paper_policy(T=9, m_T=2, F=0, m_F=2).operations == (TimeMask(T=9, m_T=2),)


def test_the_options_of_a_policy_of_the_paper_are_those_of_all_its_operations():
    policy = paper_policy(W=1, F=2, m_F=3, T=4, p=0.5, m_T=6, warp="sparse", bounds="lingvo", fill="mean")
    assert policy.operations == (
        TimeWarp(1, "sparse", "lingvo"),
        FrequencyMask(2, 3, "mean", "lingvo"),
        TimeMask(4, 0.5, 6, None, None, "mean", "lingvo"),
    )


@pytest.mark.parametrize(
    "masks",
    [
        pytest.param(lambda more: [FrequencyMask(F=1, m_F=MOST + more)], id="one"),
        pytest.param(
            lambda more: [FrequencyMask(F=1, m_F=n) for n in (MOST - 1, 1 + more)], id="two of a kind"
        ),
    ],
)
def test_more_draws_of_a_kind_than_the_generator_sets_apart_are_refused(masks):
    others = TimeMask(m_T=MOST), SpecSub(N=1)
    policy = Policy((*masks(0), *others))
    assert len(set(block_numbers(policy.operations).tolist())) == 2 * MOST + 1
    with pytest.raises(ValueError, match="FrequencyMask draws 65537 times; expected at most 65536"):
        Policy((*masks(1), *others))


@pytest.mark.parametrize("value", [-1, True])
@pytest.mark.parametrize(("symbol", "operation"), COUNTS.items())
def test_a_bad_width_or_count_is_refused_by_symbol_operation_and_value(symbol, operation, value):
    with pytest.raises(ValueError, match="expected a whole number, 0 or more") as caught:
        paper_policy(**{symbol: value})
    assert str(caught.value).startswith(f"{symbol} ({operation}) is {value};")


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf")])
@pytest.mark.parametrize("symbol", SHARES)
def test_a_bad_share_is_refused_by_symbol_operation_and_value(symbol, value):
    with pytest.raises(ValueError, match=r"expected a share in \[0, 1\]") as caught:
        paper_policy(**{symbol: value})
    assert str(caught.value).startswith(f"{symbol} (TimeMask) is {value};")


def test_a_value_of_another_type_is_refused_by_symbol_operation_and_value(root):
    # In a process of its own, where the annotations are not checked before the values are
    values = {symbol: [True, "1", 2.0, None] for symbol in COUNTS} | {p: [True, "1"] for p in SHARES}
    values["p"] = [*values["p"], None]
    values["T"] = [True, "1", 2.0]  # without T, p and p_S alone bound the width
    program = f"""
from specaug import paper_policy
for symbol, wrong in {values}.items():
    for value in wrong:
        try:
            paper_policy(**{{symbol: value}})
        except ValueError as error:
            print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=root, check=True, capture_output=True, text=True
    )
    said = [line.split(";")[0] for line in run.stdout.splitlines()]
    owner = COUNTS | dict.fromkeys(SHARES, "TimeMask")
    assert said == [f"{s} ({owner[s]}) is {value!r}" for s, wrong in values.items() for value in wrong]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"warp": "cubic"}, r"warp \(TimeWarp\) is 'cubic'; expected one of linear, sparse"),
        ({"bounds": "open"}, r"bounds \(TimeWarp\) is 'open'; expected one of closed, paper, lingvo"),
        ({"fill": "median"}, r"fill \(FrequencyMask\) is 'median'; expected a number, or one of mean, noise"),
        ({"fill": float("nan")}, r"fill \(FrequencyMask\) is nan; expected a number"),
    ],
    ids=str,
)
def test_an_option_that_does_not_exist_is_refused_with_those_that_do(given, message):
    with pytest.raises(ValueError, match=message):
        paper_policy(**given)


def test_a_policy_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        LD.operations = ()
    with pytest.raises(FrozenInstanceError):
        LD.operations[0].W = 3


def test_masks_may_be_listed_twice():
    twice = (TimeMask(T=1), TimeMask(T=2), FrequencyMask(F=1), FrequencyMask(F=2))
    assert Policy(twice).operations == twice


@pytest.mark.parametrize("operation", [TimeWarp(W=1), SpecSub(), SpliceOut(), PatchMask()], ids=str)
def test_what_has_no_meaning_twice_is_refused_twice(operation):
    name = type(operation).__name__
    with pytest.raises(ValueError, match=f"operations hold {name} twice; expected it once"):
        Policy((operation, TimeMask(), operation))


def test_a_policy_of_anything_but_operations_is_refused(root):
    # In a process of its own, where the annotations are not checked before the values are
    program = """
from specaug import Policy, TimeMask
for wrong in (("LD",), TimeMask(T=5), [TimeMask(T=5)]):
    try:
        Policy(wrong)
    except ValueError as error:
        print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=root, check=True, capture_output=True, text=True
    )
    mask, tuples = repr(TimeMask(T=5)), "expected a tuple of operations"
    assert run.stdout.splitlines() == [
        "operations hold 'LD'; expected operations",
        f"operations are {mask}; {tuples}",
        f"operations are [{mask}]; {tuples}",
    ]


def test_a_policy_is_idle_where_none_of_its_operations_draws():
    assert Policy((TimeWarp(W=0), FrequencyMask(F=0), TimeMask(T=5, m_T=0), TimeMask(p=0.0))).idle
    assert not Policy((TimeWarp(W=0), TimeMask(T=5))).idle


def test_a_policy_needs_the_channels_of_the_widest_operation_that_draws():
    assert Policy((FrequencyMask(F=4), FrequencyMask(F=9), FrequencyMask(F=30, m_F=0))).channels == 9
    assert NONE.channels == 1


@given(hundredths=st.integers(1, 400), W=st.integers(1, 100), T=st.integers(1, 100))
def test_a_scaled_policy_has_its_frames_multiplied_and_rounded_to_the_nearest(hundredths, W, T):
    warp, mask = paper_policy(W=W, T=T, m_T=1).scaled(time=hundredths / 100).operations
    assert abs(100 * warp.W - hundredths * W) <= 50
    assert abs(100 * mask.T - hundredths * T) <= 50


def test_scaling_changes_the_frames_and_nothing_else():
    assert FULL.scaled(time=0.5) == FULL.replaced(W=4, T=5)
    assert FULL.scaled(time=1.0) == FULL
    assert CONFORMER.scaled(time=0.5) == CONFORMER  # its widths are shares


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_a_factor_of_0_or_less_is_refused_by_name_and_value(factor):
    with pytest.raises(ValueError, match=f"time is {factor}; expected a factor greater than 0"):
        LD.scaled(time=factor)


def test_a_value_is_replaced_in_the_operation_that_has_its_symbol():
    changed = LD.replaced(m_F=1, p=0.5)
    assert changed.operations == (TimeWarp(W=80), FrequencyMask(F=27, m_F=1), TimeMask(T=100, p=0.5, m_T=2))


@pytest.mark.parametrize(
    ("symbol", "owners"), [("fill", "FrequencyMask, TimeMask"), ("t_max", "no operation")]
)
def test_a_symbol_that_does_not_name_one_operation_is_refused(symbol, owners):
    message = f"{symbol} belongs to {owners} of this policy; expected exactly one"
    with pytest.raises(ValueError, match=message):
        LD.replaced(**{symbol: 1})
