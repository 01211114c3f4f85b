from dataclasses import replace

import pytest
from optuna.trial import TrialState, create_trial
from searched import plan_of

from specaug.study.choice import PolicyChoice
from specaug.study.comparing.compare import Comparison, PartScore, Row
from specaug.study.results import Masked
from specaug.study.stats.statistics import Estimate
from specaug.study.sweep.metric import MEASURED
from specaug.study.sweep.options import Confirm
from specaug.study.sweep.outcome import Winner, named, searched, winner
from specaug.study.sweep.progress import Standing
from specaug.study.sweep.scores import Score
from specaug.study.sweep.space import point_of

PLAN = plan_of(8)


def row(label, wer, seeds=(100, 101, 102), cer=0.05):
    scores = {"dev": PartScore(Estimate(wer, wer - 0.01, wer + 0.01), (0.0, 0.0, 0.0), None, cer)}
    return Row(label, seeds, (0,), (), Masked(0.0, 0.0, 0.0), scores)


def compared(*rows):
    return Comparison("title", "None", [], rows, [], [])


def score(policy, value, params):
    trial = create_trial(state=TrialState.COMPLETE, value=value)
    object.__setattr__(trial, "_params", params)
    return Score(policy, MEASURED["wer"], [trial])


def test_the_winner_has_the_lowest_rate_of_those_with_all_the_seeds():
    won = winner(Standing([]), PLAN, compared(row("None", 0.3), row("LD", 0.2), row("a", 0.1, seeds=(100,))))
    assert (won.label, won.confirmed.value, won.incomplete) == ("LD", 0.2, ["a"])
    assert "a has not run on all the seeds, and was not chosen from" in named(won, compared(), [])


def test_the_winner_is_named_by_the_metric_that_was_minimised():
    rows = row("None", 0.3, cer=0.02), row("LD", 0.2, cer=0.04)
    won = winner(Standing([], MEASURED["cer"]), PLAN, compared(*rows))
    assert (won.label, won.confirmed.value) == ("None", 0.02)


def test_the_winner_is_told_with_its_interval():
    told = named(winner(Standing([]), PLAN, compared(row("LD", 0.2))), compared(), [])
    assert told == "winner, by the confirm runs on dev alone: LD, 20.00 % [19.00, 21.00]"


def test_what_the_search_saw_of_a_known_policy_is_found_by_its_point():
    plan = replace(PLAN, sweep=replace(PLAN.sweep, confirm=Confirm(policies=(PolicyChoice(name="LB"),))))
    point = point_of(plan.sweep, PolicyChoice(name="LB"))
    found = searched(plan, [score("W=80 m_F=1", 0.25, point), score("other", 0.2, {**point, "W": 0})])
    assert found["LB"] == 0.25
    assert found["other"] == 0.2


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (0.15, "the search saw 15.00 %: too good by 5.00 points"),
        (0.21, "the search saw 21.00 %: not too good, 1.00"),
    ],
)
def test_the_bias_of_the_search_is_said_in_both_directions(seen, said):
    won = Winner("a", Estimate(0.2), seen, [])
    assert won.bias == pytest.approx(0.2 - seen)
    assert said in named(won, compared(), [])
