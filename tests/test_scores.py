import pytest
import scipy.stats
from optuna.trial import TrialState, create_trial

from specaug.study.sweep.metric import MEASURED
from specaug.study.sweep.objective import POLICY, RUNS
from specaug.study.sweep.scores import scores


def run(seed, errors, fold=0, words=100, characters=(7, 500)):
    return {
        "seed": seed,
        "fold": fold,
        "wer": [errors, words],
        "cer": list(characters),
        "masked": 0.2 + seed / 100,
    }


def trial(number, value, policy, runs=()):
    made = create_trial(state=TrialState.COMPLETE, value=value, user_attrs={POLICY: policy, RUNS: list(runs)})
    made.number = number
    return made


def test_the_trials_of_a_policy_are_told_together_by_their_mean():
    """A lucky trial of a policy that was tried twice does not make it the best."""
    found = scores([trial(0, 0.2, "b"), trial(1, 0.1, "a"), trial(2, 0.4, "a")], MEASURED["wer"])
    assert [(one.policy, round(one.value, 6), len(one.trials)) for one in found] == [
        ("b", 0.2, 1),
        ("a", 0.25, 2),
    ]


def test_of_equals_the_first_tried_stands_first():
    assert [one.policy for one in scores([trial(3, 0.2, "b"), trial(1, 0.2, "a")], MEASURED["wer"])] == [
        "a",
        "b",
    ]


def test_the_interval_is_students_over_the_seeds_whose_folds_are_pooled():
    runs = [run(0, 10), run(0, 20, fold=1), run(1, 11), run(1, 25, fold=1), run(2, 12), run(2, 18, fold=1)]
    (score,) = scores([trial(0, 0.16, "a", runs)], MEASURED["wer"])
    rates = [30 / 200, 36 / 200, 30 / 200]
    low, high = scipy.stats.t.interval(0.95, 2, loc=0.16, scale=scipy.stats.sem(rates))
    assert score.interval == pytest.approx((low, high))
    assert score.said() == f"16.00 % [{100 * low:.1f}, {100 * high:.1f}] a: 21.0% of the cells hidden"


def test_seeds_of_several_trials_count_together():
    three = [trial(n, 0.1 + n / 100, "a", [run(n, 10 + n)]) for n in range(3)]
    assert scores(three, MEASURED["wer"])[0].interval is not None
    assert scores(three[:2], MEASURED["wer"])[0].interval is None


def test_too_few_seeds_say_how_far_their_runs_lie_apart_in_the_metric_that_is_minimised():
    two = [trial(0, 0.1, "a", [run(0, 30, characters=(50, 500)), run(1, 35, characters=(60, 500))])]
    assert scores(two, MEASURED["wer"])[0].spread() == " (30.0 to 35.0 by run)"
    assert scores(two, MEASURED["cer"])[0].spread() == " (10.0 to 12.0 by run)"


def test_one_run_says_nothing_of_how_sure_it_is():
    assert (
        scores([trial(0, 0.1, "a", [run(0, 10)])], MEASURED["wer"])[0].said()
        == "10.00 % a: 20.0% of the cells hidden"
    )


def test_runs_that_hid_nothing_say_nothing_of_it():
    nothing = {**run(0, 10), "masked": 0.0}
    assert scores([trial(0, 0.1, "share=0.5", [nothing])], MEASURED["wer"])[0].said() == "10.00 % share=0.5"


def test_trials_whose_runs_are_not_remembered_say_nothing_of_what_was_hidden():
    (score,) = scores([trial(0, 0.1, "a")], MEASURED["wer"])
    assert (score.masked, score.said()) == (None, "10.00 % a")
