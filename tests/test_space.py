from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specaug.study.choice import PolicyChoice
from specaug.study.recipe import Recipe
from specaug.study.sweep.book import Plan, queued
from specaug.study.sweep.options import Axis, Sweep
from specaug.study.sweep.space import nearest, point_of, policy_at, suggested, values_of

LENGTHS, MEL = [300, 700, 1000], 80
SPACE = {
    "W": Axis(low=0, high=80, step=40),
    "m_F": Axis(low=0, high=2),
    "F": Axis(low=3, high=27, step=3, when="m_F > 0"),
    "m_T": Axis(low=0, high=2),
    "T": Axis(low=10, high=100, step=10, when="m_T > 0"),
    "p": Axis(choices=(0.2, 1.0), when="m_T > 0"),
}
SWEEP = Sweep(experiment="e.yaml", space=SPACE)


def first(values: dict[str, object]):
    return lambda symbol, axis: values[symbol]


def test_a_symbol_whose_condition_fails_is_not_searched():
    point = suggested(SWEEP, first({"W": 40, "m_F": 0, "m_T": 1, "T": 30, "p": 0.2}))
    assert point == {"W": 40, "m_F": 0, "m_T": 1, "T": 30, "p": 0.2}


@pytest.mark.parametrize("name", ["None", "LB", "LD", "SM", "SS"])
def test_the_papers_policies_lie_in_a_space_that_holds_their_values(name):
    choice = PolicyChoice(name=name)
    point = point_of(SWEEP, choice)
    assert isinstance(point, dict)
    assert policy_at(SWEEP, point, LENGTHS, MEL).policy() == choice.policy()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"W": Axis(low=0, high=40)}, "W is 80"),
        ({"F": Axis(low=3, high=26, when="m_F > 0")}, "F is 27"),
        ({"p": Axis(choices=(0.2,), when="m_T > 0")}, "p is 1.0"),
        ({"T": Axis(hides=0.1, when="m_T > 0")}, "T follows from the share it hides"),
        ({"T": Axis(low=10, high=100, when="m_T > 1")}, "T is 100 and not searched"),
        ({"p_S": Axis(low=0.1, high=0.2)}, "p_S is None"),
    ],
)
def test_why_a_policy_lies_outside_is_said(changes, why):
    assert point_of(replace(SWEEP, space={**SPACE, **changes}), PolicyChoice(name="LB")) == why


def test_a_condition_on_what_a_policy_has_no_value_of_fails():
    space = {"p_S": Axis(low=0.1, high=0.2), "T": Axis(low=10, high=100, when="p_S > 0")}
    assert point_of(replace(SWEEP, space=space), PolicyChoice(T=70, m_T=1)) == "T is 70 and not searched"


def test_a_symbol_that_is_not_searched_must_be_the_base_policys():
    idle = replace(SWEEP, space={symbol: SPACE[symbol] for symbol in ("W", "m_F", "F", "m_T", "T")})
    masked = replace(idle, policy=PolicyChoice(p=0.5))
    assert point_of(masked, PolicyChoice(name="None")) == {
        "W": 0,
        "m_F": 0,
        "m_T": 0,
    }  # where p means nothing
    narrow = replace(SWEEP, space={symbol: SPACE[symbol] for symbol in ("m_F", "F")})
    assert point_of(narrow, PolicyChoice(name="LB")) == "W is 80 and not searched"
    based = replace(narrow, policy=PolicyChoice(name="LB"))
    assert point_of(based, PolicyChoice(name="LB")) == {"m_F": 1, "F": 27}


def test_a_policy_without_masks_lies_outside_by_their_count_and_not_by_the_width_that_follows():
    cuts = {
        "m_T": Axis(low=1, high=20),
        "T": Axis(hides=0.15),
        "m_F": Axis(low=1, high=8),
        "F": Axis(hides=0.2),
    }
    assert point_of(replace(SWEEP, space=cuts), PolicyChoice(name="None")) == "m_F is 0"


@given(
    st.fixed_dictionaries({"m_T": st.integers(0, 2), "T": st.sampled_from([20, 50]), "p": st.just(1.0)}),
    st.fixed_dictionaries({"m_T": st.integers(0, 2), "T": st.sampled_from([20, 50]), "W": st.integers(0, 1)}),
    st.sampled_from(["", "m_T > 0", "m_T > 1"]),
)
def test_the_point_of_a_policy_is_that_policy(base, wanted, when):
    space = {"m_T": Axis(low=0, high=2), "T": Axis(low=20, high=50, step=30, when=when)}
    sweep = replace(SWEEP, policy=PolicyChoice(**base), space=space)
    point = point_of(sweep, PolicyChoice(**wanted))
    if not isinstance(point, str):
        assert policy_at(sweep, point, LENGTHS, MEL).policy() == PolicyChoice(**wanted).policy()


@pytest.mark.parametrize(("count", "width"), [("m_T", "T"), ("m_F", "F")])
def test_a_width_follows_only_where_its_condition_holds(count, width):
    def widths(low: int, when: str) -> list[int]:
        space = {count: Axis(low=low, high=3), width: Axis(hides=0.1, when=when)}
        sweep = replace(SWEEP, policy=PolicyChoice(**{width: 7}), space=space)
        return [values_of(policy_at(sweep, {count: n}, LENGTHS, MEL))[width] for n in range(low, 4)]

    assert widths(0, f"{count} > 1") == [7, 7, *widths(2, "")]


@settings(max_examples=6)
@given(st.integers(1, 4), st.floats(0.02, 0.3))
def test_a_width_that_follows_hides_the_share_as_nearly_as_a_whole_number_can(m_T, share):
    sweep = Sweep(experiment="e", space={"m_T": Axis(low=1, high=6), "T": Axis(hides=share)})

    def hides(T: int) -> float:
        choice = PolicyChoice(T=T, m_T=m_T)
        return choice.policy().coverage([120, 90], MEL).frames

    found = values_of(policy_at(sweep, {"m_T": m_T}, [120, 90], MEL))["T"]
    error = abs(hides(found) - share)
    assert error <= min(abs(hides(T) - share) for T in range(max(1, found - 3), found + 4))


def test_a_share_that_no_width_hides_is_refused():
    sweep = Sweep(experiment="e", space={"m_F": Axis(low=1, high=6), "F": Axis(hides=0.9)})
    with pytest.raises(
        ValueError, match=r"no F up to 80 hides 90\.0%; expected more masks, or a smaller share"
    ):
        policy_at(sweep, {"m_F": 1}, LENGTHS, MEL)


@given(st.lists(st.floats(0, 50), min_size=1, max_size=30).map(sorted), st.floats(0, 50))
def test_the_nearest_value_of_a_growing_function(values, wanted):
    if values[-1] < wanted:
        return
    found = nearest(lambda n: values[n - 1], wanted, 1, len(values), "x")
    assert abs(values[found - 1] - wanted) == min(abs(value - wanted) for value in values)


def test_the_first_policies_are_queued_once_each_and_scaled_as_the_experiment_says():
    known = tuple(PolicyChoice(name=name) for name in ("None", "LB", "LD", "LB"))
    plan = Plan("s", Recipe(), replace(SWEEP, first=known, trials=5))
    points, left = queued(plan)
    assert [bool(point) for point in points] == [True, True, True, False, False]
    assert not left
    half = Plan("s", Recipe(scale=0.5), replace(SWEEP, first=known, trials=5))
    points, left = queued(half)
    assert points[1]["W"] == 40
    assert points[1]["T"] == 50


def test_no_more_is_queued_than_there_are_trials():
    points, _ = queued(Plan("s", Recipe(), replace(SWEEP, trials=2)))
    assert len(points) == 2
