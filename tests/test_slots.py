import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from specaug.study.sweep.slots import (
    FAILURE,
    MOST_TRIES,
    SLOT,
    TRIES,
    Surplus,
    claim,
    current,
    fill,
    give_back,
    requeue,
    rescue,
    retry,
    slots,
)

optuna.logging.set_verbosity(optuna.logging.ERROR)


def study_of(count: int) -> optuna.Study:
    study = optuna.create_study()
    fill(study, [{} for _ in range(count)])
    return study


def test_all_slots_are_queued_before_anybody_works():
    study = study_of(3)
    assert [slot.number for slot in slots(study)] == [0, 1, 2]
    assert all(slot.waiting and not slot.done for slot in slots(study))


def test_filling_again_goes_on_after_the_last_slot():
    study = study_of(2)
    fill(study, [{}])
    assert [slot.number for slot in slots(study)] == [0, 1, 2]


def test_a_trial_that_no_slot_asked_for_is_surplus():
    study = optuna.create_study()
    with pytest.raises(Surplus):
        claim(study, study.ask())


def test_a_slot_that_is_done_needs_no_other_trial():
    study = study_of(1)
    trial = study.ask()
    requeue(study, current(study, trial.number))
    claim(study, trial)
    study.tell(trial, 1.0)
    second = study.ask()
    assert second.user_attrs[SLOT] == 0
    with pytest.raises(Surplus):
        claim(study, second)


def test_of_two_trials_of_a_slot_the_earlier_one_goes_on():
    study = study_of(1)
    first = study.ask()
    requeue(study, current(study, first.number))
    second = study.ask()
    claim(study, first)
    with pytest.raises(Surplus):
        claim(study, second)


def test_a_slot_that_is_put_back_keeps_what_was_drawn_for_it():
    study = study_of(1)
    trial = study.ask()
    drawn = trial.suggest_int("W", 0, 10**6)
    give_back(study, trial)
    study.tell(trial, state=TrialState.FAIL)
    again = study.ask()
    assert again.user_attrs[SLOT] == 0
    assert again.suggest_int("W", 0, 10**6) == drawn


def test_a_fixed_point_is_kept_as_well():
    study = optuna.create_study()
    fill(study, [{"W": 7}])
    trial = study.ask()
    give_back(study, trial)
    study.tell(trial, state=TrialState.FAIL)
    assert study.ask().suggest_int("W", 0, 10) == 7


def test_a_trial_that_another_has_failed_is_not_put_back_twice():
    study = study_of(1)
    trial = study.ask()
    study.tell(trial, state=TrialState.FAIL)
    requeue(study, current(study, trial.number))
    give_back(study, trial)
    assert [one.state for one in slots(study)[0].trials] == [TrialState.FAIL, TrialState.WAITING]


def test_a_slot_whose_workers_keep_dying_is_given_up():
    study = study_of(1)
    for _ in range(MOST_TRIES + 1):
        trial = study.ask()
        study.tell(trial, state=TrialState.FAIL)
        requeue(study, current(study, trial.number))
    (slot,) = slots(study)
    assert slot.failed is not None
    assert slot.failed.user_attrs[TRIES] == MOST_TRIES
    retry(study)
    (slot,) = slots(study)
    assert (slot.waiting, slot.trials[-1].user_attrs[TRIES]) == (True, 0)


def test_slots_that_were_given_up_are_tried_again_and_no_others():
    study = study_of(4)
    failed, finished, _ = study.ask(), study.ask(), study.ask()
    failed.set_user_attr(FAILURE, {"kind": "bug", "why": "KeyError"})
    study.tell(failed, state=TrialState.FAIL)
    study.tell(finished, 1.0)
    retry(study)
    retry(study)
    fail, complete, run, wait = TrialState.FAIL, TrialState.COMPLETE, TrialState.RUNNING, TrialState.WAITING
    assert [[one.state for one in slot.trials] for slot in slots(study)] == [
        [fail, wait],
        [complete],
        [run],
        [wait],
    ]


def test_to_make_room_is_no_failure_however_often():
    study = study_of(1)
    for _ in range(MOST_TRIES + 3):
        trial = study.ask()
        give_back(study, trial)
        study.tell(trial, state=TrialState.FAIL)
    assert slots(study)[0].waiting


def test_a_slot_is_not_lost_where_he_who_found_its_worker_dead_has_died_too():
    study = study_of(1)
    study.tell(study.ask(), state=TrialState.FAIL)
    (slot,) = slots(study)
    assert slot.orphan is not None
    assert slot.failed is None
    rescue(study)
    rescue(study)
    (slot,) = slots(study)
    assert [trial.state for trial in slot.trials] == [TrialState.FAIL, TrialState.WAITING]


@given(st.lists(st.sampled_from(["finish", "die", "double"]), max_size=12))
def test_whatever_happens_each_slot_is_finished_at_most_once(events):
    study = study_of(2)
    for event in events:
        if not any(slot.waiting for slot in slots(study)):
            break
        trial = study.ask()
        try:
            claim(study, trial)
        except Surplus:
            study.tell(trial, state=TrialState.FAIL)
            continue
        if event == "double":
            requeue(study, current(study, trial.number))
        if event == "die":
            requeue(study, current(study, trial.number))
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, 1.0)
    for slot in slots(study):
        assert sum(trial.state == TrialState.COMPLETE for trial in slot.trials) <= 1
        assert slot.done or slot.waiting
