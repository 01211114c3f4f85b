from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specaug.training.options import Training
from specaug.training.schedule import NAMED, Schedule, spelled

schedules = st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(1, 300)).map(
    lambda n: Schedule(s_r=n[0], s_i=n[0] + n[1], s_f=n[0] + n[1] + n[2])
)


def factor_by_hand(schedule: Schedule, step: int) -> float:
    """The decay as repeated multiplication: each step between s_i and s_f takes the same share away."""
    if step <= schedule.s_r:
        return 1.0 if schedule.s_r == 0 else step / schedule.s_r
    left = 1.0
    for _ in range(schedule.s_i, min(step, schedule.s_f)):
        left *= 0.01 ** (1 / (schedule.s_f - schedule.s_i))
    return left


@given(schedule=schedules, step=st.integers(0, 1000))
def test_the_rate_ramps_holds_and_decays(schedule, step):
    assert schedule.factor(step) == pytest.approx(factor_by_hand(schedule, step))


@pytest.mark.parametrize(
    ("step", "factor"),
    [
        pytest.param(0, 0.0, id="start"),
        pytest.param(500, 0.5, id="half way up"),
        pytest.param(1000, 1.0, id="s_r"),
        pytest.param(20_000, 1.0, id="s_i"),
        pytest.param(50_000, 0.1, id="half way down"),
        pytest.param(80_000, 0.01, id="s_f"),
        pytest.param(90_000, 0.01, id="after s_f"),
    ],
)
def test_schedule_b_of_the_paper_has_its_corners_where_the_paper_says(step, factor):
    assert Schedule(s_r=1000, s_i=20_000, s_f=80_000).factor(step) == pytest.approx(factor)


@pytest.mark.parametrize("steps", [(-1, 5, 9), (6, 5, 9), (1, 9, 9), (1, 10, 9)])
def test_steps_out_of_order_are_named(steps):
    s_r, s_i, s_f = steps
    with pytest.raises(
        ValueError, match=f"s_r={s_r} s_noise=0 s_i={s_i} s_f={s_f}; expected 0 <= s_r <= s_i <"
    ):
        Schedule(s_r=s_r, s_i=s_i, s_f=s_f)


def test_noise_that_would_begin_after_the_end_is_refused():
    with pytest.raises(ValueError, match=r"s_noise=10 s_i=5 s_f=9; expected .* 0 <= s_noise <= s_f"):
        Schedule(s_r=1, s_noise=10, s_i=5, s_f=9)


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("B", (500, 10_000, 20_000, 80_000)),
        ("D", (1_000, 20_000, 40_000, 160_000)),
        ("L", (1_000, 20_000, 140_000, 320_000)),
    ],
)
def test_the_schedules_of_the_paper_are_known_by_name(name, steps):
    """Park et al. 2019, section 3.2."""
    named = dict(zip(("s_r", "s_noise", "s_i", "s_f"), steps, strict=True))
    assert spelled(name) == spelled({"name": name}) == named
    assert spelled({"name": name, "scale": 0.01}) == {key: round(step / 100) for key, step in named.items()}
    assert asdict(Schedule(**spelled({"name": name, "s_r": 7}))) == {**named, "s_r": 7}
    assert set(NAMED) == {"B", "D", "L"}


def test_steps_that_are_written_out_are_taken_as_they_are():
    assert spelled({"s_r": 3}) == {"s_r": 3}
    assert spelled(Schedule()) == Schedule()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("E", "unknown schedule 'E'; expected one of B, D, L"),
        ({"scale": 2}, "unknown schedule None; expected one of B, D, L"),
        ({"name": ["D"]}, r"unknown schedule \['D'\]; expected one of B, D, L"),
        ({"name": {"a": 1}}, "unknown schedule {'a': 1}; expected one of B, D, L"),
        ({"name": "B", "scale": 0}, "scale is 0; expected a factor above 0"),
        ({"name": "B", "scale": True}, "scale is True; expected a factor above 0"),
        ({"name": "B", "scale": "2"}, "scale is '2'; expected a factor above 0"),
        ({"name": "D", "scale": float("inf")}, "scale is inf; expected a factor above 0 that leaves finite"),
        ({"name": "D", "scale": float("nan")}, "scale is nan; expected a factor above 0 that leaves finite"),
        ({"name": "D", "scale": 1e305}, r"scale is 1e\+305; expected a factor above 0 that leaves finite"),
    ],
)
def test_a_schedule_that_nobody_knows_is_refused(value, words):
    with pytest.raises(ValueError, match=words):
        spelled(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch", 0),
        ("batch", -1),
        ("peak", 0.0),
        ("peak", float("inf")),
        ("clip", float("inf")),
        ("clip", -1.0),
        ("evaluate_every", 0),
        ("devices", 0),
        ("devices", -2),
        ("accumulate", 0),
    ],
)
def test_an_option_that_is_not_more_than_0_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}; expected more than 0, and finite"):
        Training(**{name: value})


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_a_weight_decay_below_0_is_named(value):
    with pytest.raises(ValueError, match=f"weight_decay is {value}; expected 0 or more, and finite"):
        Training(weight_decay=value)


@pytest.mark.parametrize(("name", "value"), [("weight_noise", -1.0), ("frames", -1), ("smooth_until", -1)])
def test_an_option_below_0_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}; expected 0 or more, and finite"):
        Training(**{name: value})


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_that_leaves_nothing_of_a_label_is_refused(share):
    with pytest.raises(ValueError, match=f"label_smoothing is {share}; expected 0 or more, below 1"):
        Training(label_smoothing=share)


def test_smoothing_that_ends_after_the_schedule_is_refused():
    assert Training(schedule=Schedule(s_f=3000), smooth_until=3000).smooth_until == 3000
    with pytest.raises(
        ValueError, match="smooth_until is 3001; expected at most the 3000 steps of the schedule"
    ):
        Training(schedule=Schedule(s_f=3000), smooth_until=3001)


def test_more_shares_than_a_batch_has_utterances_are_refused():
    assert Training(batch=6, devices=2, accumulate=3).at_once(100) == 1
    with pytest.raises(
        ValueError, match="accumulate is 4; expected at most the 3 utterances of a device's share"
    ):
        Training(batch=6, devices=2, accumulate=4)


def test_a_process_works_on_its_share_of_a_batch_at_once():
    assert Training(batch=512, accumulate=32, devices=4).at_once(1500) == 4
    assert Training(frames=48_000, accumulate=4).at_once(1500) == 8
    assert Training(frames=1000).at_once(1500) == 1


def test_more_devices_than_a_batch_has_utterances_are_refused():
    assert Training(batch=3, devices=3).devices == 3
    with pytest.raises(ValueError, match="devices is 4; expected at most the 3 utterances of a batch"):
        Training(batch=3, devices=4)
