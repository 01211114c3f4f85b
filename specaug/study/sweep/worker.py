"""A worker: takes slot after slot of a study until none is left, on any machine that reaches the storage."""

import os
import socket
import time
from collections.abc import Callable
from typing import Any

import optuna
import sqlalchemy
import torch
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from specaug.errors import UserError
from specaug.study.attempts import POLL
from specaug.study.sweep.failures import AWAY, MEMORY, STORAGE, kind_of, said
from specaug.study.sweep.slots import (
    FAILURE,
    MOST_TRIES,
    STOP,
    TRIES,
    Surplus,
    claim,
    current,
    give_back,
    requeue,
    rescue,
    slots,
)
from specaug.study.sweep.storage import reaching

AT, WORKER = "at", "worker"  # where a trial is, and who is at it
OUTAGE = 600.0  # seconds that a storage may be away
LOOK, TELL = 2.0, 5.0  # seconds between two looks whether a trial is still ours, and two lines about it
AGAIN = {MEMORY: 2, STORAGE: MOST_TRIES}  # tries of a slot whose failure may have been another's fault

SILENT = sqlalchemy.text(  # Optuna fails trials whose last sign of life is old, and not those without any
    "SELECT trial_id FROM trials WHERE study_id = :study AND state = 'RUNNING' "
    "AND trial_id NOT IN (SELECT trial_id FROM trial_heartbeats)"
)

Objective = Callable[[optuna.Trial, "Attempt"], float]


class Fenced(Exception):  # noqa: N818 (not an error)
    """Somebody took this trial for dead, and another is at its slot."""


class Stopped(Exception):  # noqa: N818 (not an error)
    """The study is to stop."""


class Attempt:
    """One trial in this worker's hands: knows whether it is still its own, and says how far it is."""

    def __init__(self, study: optuna.Study, trial: optuna.Trial) -> None:
        self.study, self.trial = study, trial
        self.looked = self.told = time.monotonic()

    @property
    def name(self) -> str:
        """The attempt's own name."""
        return f"try-{self.trial.number}"

    def look(self) -> None:
        """Raise Fenced or Stopped where there is reason to, now and then."""
        if time.monotonic() - self.looked < LOOK:
            return
        self.looked = time.monotonic()
        if current(self.study, self.trial.number).state != TrialState.RUNNING:
            raise Fenced
        if self.study.user_attrs.get(STOP):
            raise Stopped

    def tell(self, what: str, share: float) -> None:
        """Say how far the trial is, now and then."""
        if time.monotonic() - self.told >= TELL:
            self.told = time.monotonic()
            self.trial.set_user_attr(AT, [what, round(share, 4)])


def work(
    study: optuna.Study,
    url: str,
    objective: Objective,
    sampler: optuna.samplers.BaseSampler | None = None,
    poll: float = POLL,
) -> None:
    """Finish slots until all are finished or given up, or the study is to stop.

    An error in a trial is written down and stops nothing. KeyboardInterrupt goes on, after the slot was queued again.
    """
    torch.set_num_threads(1)  # also what makes the GP's suggestions fast
    study.sampler = sampler or optuna.samplers.RandomSampler(seed=0)
    lost: float | None = None  # since when the storage does not answer
    while True:
        try:
            if not step(study, url, objective, poll):
                return
            lost = None
        except UserError:  # of the storage: a trial's own are written down
            lost = lost or time.monotonic()
            if time.monotonic() - lost > OUTAGE:
                raise
            time.sleep(poll)


def step(study: optuna.Study, url: str, objective: Objective, poll: float) -> bool:
    """Take a slot, or wait for one; False where none will come. Raises UserError where the storage does not answer."""
    with reaching(url):
        optuna.storages.fail_stale_trials(study)
        rescue(study)
        seen = slots(study)
        if study.user_attrs.get(STOP):
            return False
        if any(slot.waiting for slot in seen):
            one(study, objective)
            return True
        if any(slot.running for slot in seen):
            vouch(study)
            time.sleep(poll)
            return True
    return False


def vouch(study: optuna.Study) -> None:
    """Give trials under way that have shown no sign of life their first one, so that they go stale if none follows (D52)."""
    storage: Any = study._storage
    with storage._backend.engine.connect() as connection:
        silent = connection.scalars(SILENT, {"study": study._study_id}).all()
    for trial in silent:
        storage.record_heartbeat(trial)


def one(study: optuna.Study, objective: Objective) -> None:
    """Take one slot."""
    taken: list[int] = []

    def tried(trial: optuna.Trial) -> float:
        taken.append(trial.number)
        claim(study, trial)
        return guarded(study, trial, objective)

    try:
        study.optimize(tried, n_trials=1, catch=(Exception,))
    except (UpdateFinishedTrialError, ValueError, AssertionError, UnboundLocalError) as error:
        # a trial that another has failed meanwhile cannot be told its value, which Optuna says in all of these ways;
        # nor can one where the storage does not answer: it goes stale, and what it has trained is not lost
        if isinstance(error.__context__, AWAY):
            raise error.__context__ from None
        if not taken or current(study, taken[0]).state == TrialState.RUNNING:
            raise


def guarded(study: optuna.Study, trial: optuna.Trial, objective: Objective) -> float:
    """The trial's value; what it raises is sorted, written down, and goes on."""
    try:
        trial.set_user_attr(WORKER, f"{socket.gethostname()}:{os.getpid()}")
        return objective(trial, Attempt(study, trial))
    except (Fenced, Surplus, optuna.TrialPruned):
        raise
    except (KeyboardInterrupt, Stopped):
        give_back(study, trial)
        raise
    except Exception as error:
        frozen = current(study, trial.number)
        if frozen.state == TrialState.RUNNING:
            note(study, trial, frozen, error)
        raise


def note(study: optuna.Study, trial: optuna.Trial, frozen: FrozenTrial, error: Exception) -> None:
    """Write down why a trial failed; its slot gets another try where that may have been another's fault."""
    kind = kind_of(error)
    trial.set_user_attr(FAILURE, {"kind": kind, "why": said(error)})
    if frozen.user_attrs.get(TRIES, 0) < AGAIN.get(kind, 0):
        requeue(study, frozen)
