import errno
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable

import optuna
import pytest
import sqlalchemy
import torch
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState

from specaug.errors import Diverged, UserError
from specaug.study.sweep import worker
from specaug.study.sweep.failures import BUG, DATA, DIVERGED, MEMORY, STORAGE
from specaug.study.sweep.slots import FAILURE, MOST_TRIES, STOP, current, fill, slots
from specaug.study.sweep.storage import open_storage
from specaug.study.sweep.worker import AT, Attempt, Fenced, Stopped, work


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path / 'study.db'}"


@pytest.fixture
def study(url) -> optuna.Study:
    made = optuna.create_study(storage=open_storage(url), study_name="s")
    fill(made, [{"W": number} for number in range(3)])
    return made


@pytest.fixture
def impatient(monkeypatch) -> None:
    monkeypatch.setattr(worker, "LOOK", 0.0)
    monkeypatch.setattr(worker, "TELL", 0.0)


def square(trial: optuna.Trial, attempt: Attempt) -> float:  # noqa: ARG001 (an objective's form)
    return float(trial.suggest_int("W", 0, 9) ** 2)


def failing(error: BaseException, times: int = 1) -> Callable[[optuna.Trial, Attempt], float]:
    """Slot 1 fails so many times."""
    left = [times]

    def objective(trial: optuna.Trial, attempt: Attempt) -> float:
        if trial.user_attrs["slot"] == 1 and left[0]:
            left[0] -= 1
            raise error
        return square(trial, attempt)

    return objective


def test_a_worker_finishes_every_slot_and_leaves(study, url):
    work(study, url, square)
    assert [slot.done.value for slot in slots(study)] == [0, 1, 4]
    assert len(study.get_trials()) == 3


def test_a_worker_takes_one_thread(study, url):
    torch.set_num_threads(2)
    try:
        work(study, url, square)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("error", "kind", "why"),
    [
        (UserError("a.wav: empty"), DATA, "a.wav: empty"),
        (ArithmeticError("no\nsecond line"), BUG, "ArithmeticError: no"),
        (Diverged("the loss is not finite"), DIVERGED, "the loss is not finite"),
    ],
)
def test_an_error_is_written_down_and_stops_nothing(study, url, error, kind, why):
    work(study, url, failing(error))
    first, second, third = slots(study)
    assert second.failed.user_attrs[FAILURE] == {"kind": kind, "why": why}
    assert first.done
    assert third.done


def test_a_slot_that_ran_out_of_memory_gets_another_try(study, url):
    work(study, url, failing(MemoryError("full")))
    assert [slot.done.value for slot in slots(study)] == [0, 1, 4]
    assert [trial.state for trial in slots(study)[1].trials] == [TrialState.FAIL, TrialState.COMPLETE]


def test_a_slot_that_always_runs_out_of_memory_is_given_up(study, url):
    work(study, url, failing(MemoryError("full"), times=99))
    failed = slots(study)[1].failed
    assert failed.user_attrs[FAILURE]["kind"] == MEMORY
    assert len(slots(study)[1].trials) == 3


def test_a_slot_that_lost_the_storage_gets_as_many_tries_as_one_whose_workers_die(study, url):
    work(study, url, failing(StorageInternalError("x"), times=MOST_TRIES))
    assert [slot.done.value for slot in slots(study)] == [0, 1, 4]
    assert len(slots(study)[1].trials) == MOST_TRIES + 1


def test_a_disk_that_stays_away_is_named_in_the_end(study, url):
    work(study, url, failing(OSError(errno.EIO, "Input/output error"), times=99))
    assert slots(study)[1].failed.user_attrs[FAILURE] == {
        "kind": STORAGE,
        "why": "OSError: [Errno 5] Input/output error",
    }


class Outage:
    """The storage of a study answers so many questions of this thread with an error."""

    def __init__(self, study: optuna.Study) -> None:
        self.left = 0
        sqlalchemy.event.listen(study._storage._backend.engine, "before_cursor_execute", self.refuse)

    def refuse(self, *_: object) -> None:
        if self.left and threading.current_thread() is threading.main_thread():
            self.left -= 1
            raise sqlalchemy.exc.OperationalError("SELECT", {}, Exception("no answer"))


@pytest.fixture
def hasty(url, monkeypatch) -> optuna.Study:
    """A study whose workers wait for nothing."""
    monkeypatch.setattr(worker, "LOOK", 0.0)
    made = optuna.create_study(storage=open_storage(url, beat=1, grace=1), study_name="s")
    fill(made, [{"W": number} for number in range(3)])
    return made


@pytest.mark.parametrize("answers", [1, 9])
@pytest.mark.parametrize("at", ["look", "tell"])
def test_a_storage_that_is_away_while_a_trial_is_under_way_costs_another_try_and_no_worker(
    hasty, url, at, answers
):
    outage = Outage(hasty)

    def objective(trial: optuna.Trial, attempt: Attempt) -> float:
        value = square(trial, attempt)
        if trial.number == 1:
            outage.left = answers
            if at == "look":
                attempt.look()
        return value

    work(hasty, url, objective, poll=0.02)
    assert not outage.left
    assert [slot.done.value for slot in slots(hasty)] == [0, 1, 4]
    assert [trial.state for trial in slots(hasty)[1].trials] == [TrialState.FAIL, TrialState.COMPLETE]


def test_a_storage_that_stays_away_ends_the_worker(hasty, url, monkeypatch):
    monkeypatch.setattr(worker, "OUTAGE", 0.1)
    Outage(hasty).left = 10**9
    with pytest.raises(UserError, match="cannot be reached"):
        work(hasty, url, square, poll=0.02)


class Deadly(optuna.samplers.RandomSampler):
    """Kills its worker when that has taken a slot, and before the first sign of life."""

    def before_trial(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def die_young(url: str) -> None:
    work(optuna.load_study(study_name="s", storage=open_storage(url, 1, 1)), url, square, Deadly())


@pytest.mark.slow
def test_a_slot_whose_worker_is_killed_before_its_first_sign_of_life_is_not_lost(hasty, url):
    victim = multiprocessing.get_context("spawn").Process(target=die_young, args=(url,))
    victim.start()
    victim.join(120)
    assert victim.exitcode == -signal.SIGKILL
    assert slots(hasty)[0].running
    work(hasty, url, square, poll=0.02)
    assert [slot.done.value for slot in slots(hasty)] == [0, 1, 4]
    assert [trial.state for trial in slots(hasty)[0].trials] == [TrialState.FAIL, TrialState.COMPLETE]


def test_a_first_sign_of_life_is_given_once_however_many_look(hasty):
    hasty._storage.set_trial_state_values(current(hasty, 0)._trial_id, TrialState.RUNNING)
    beats = set()
    for _ in range(2):
        worker.vouch(hasty)
        with hasty._storage._backend.engine.connect() as connection:
            beats.update(connection.execute(sqlalchemy.text("SELECT * FROM trial_heartbeats")))
    assert len(beats) == 1


@pytest.mark.timeout(60)
def test_a_slot_that_was_taken_by_nobody_who_lives_is_not_lost(hasty, url):
    hasty._storage.set_trial_state_values(current(hasty, 0)._trial_id, TrialState.RUNNING)
    work(hasty, url, square, poll=0.02)
    assert [slot.done.value for slot in slots(hasty)] == [0, 1, 4]


def test_ctrl_c_puts_the_slot_back(study, url):
    with pytest.raises(KeyboardInterrupt):
        work(study, url, failing(KeyboardInterrupt()))
    assert slots(study)[1].waiting
    work(study, url, square)
    assert [slot.done.value for slot in slots(study)] == [0, 1, 4]


@pytest.mark.usefixtures("impatient")
def test_a_study_that_is_to_stop_gets_its_slot_back_and_its_workers_leave(study, url):
    def stopped(trial: optuna.Trial, attempt: Attempt) -> float:
        if trial.user_attrs["slot"] == 1:
            study.set_user_attr(STOP, True)
        attempt.look()
        return square(trial, attempt)

    work(study, url, stopped)
    first, second, third = slots(study)
    assert first.done
    assert second.waiting
    assert third.waiting
    work(study, url, square)
    assert second.waiting


@pytest.mark.usefixtures("impatient")
def test_a_worker_that_was_taken_for_dead_does_no_harm(study, url):
    seen = []

    def dead(trial: optuna.Trial, attempt: Attempt) -> float:
        if trial.user_attrs["slot"] == 1 and not seen:
            seen.append(trial.number)
            other = optuna.load_study(study_name="s", storage=open_storage(url))
            frozen = current(other, trial.number)
            other.tell(trial.number, state=TrialState.FAIL)
            worker.requeue(other, frozen)
            with pytest.raises(Fenced):
                attempt.look()
            return 99.0  # it goes on all the same
        return square(trial, attempt)

    work(study, url, dead)
    assert [slot.done.value for slot in slots(study)] == [0, 1, 4]
    assert current(study, seen[0]).state == TrialState.FAIL


@pytest.mark.usefixtures("impatient")
def test_a_worker_says_how_far_it_is(study, url):
    def telling(trial: optuna.Trial, attempt: Attempt) -> float:
        attempt.tell("epoch 1 of 2", 0.51239)
        return square(trial, attempt)

    work(study, url, telling)
    assert slots(study)[0].done.user_attrs[AT] == ["epoch 1 of 2", 0.5124]


def without_heartbeats() -> optuna.Study:
    made = optuna.create_study()
    fill(made, [{}, {}])
    return made


def test_a_look_now_and_then_is_enough():
    study = without_heartbeats()
    trial = study.ask()
    attempt = Attempt(study, trial)
    study.set_user_attr(STOP, True)
    attempt.look()  # asked again within two seconds
    attempt.looked -= worker.LOOK
    with pytest.raises(Stopped):
        attempt.look()


def test_an_attempt_has_a_name_of_its_own():
    study = without_heartbeats()
    assert {Attempt(study, study.ask()).name for _ in range(2)} == {"try-0", "try-1"}
