"""A study as a fixed number of slots, each of which ends in one finished trial, whoever does it and however often.

All slots are queued when the study is made, so that no worker ever invents a trial; a trial that dies is queued again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

SLOT, TRIES, FAILURE = "slot", "tries", "failure"  # what trials remember
STOP, CONFIRM = "stop", "confirm"  # what studies remember: that they are to stop, and who confirms their best
MOST_TRIES = 10  # of a slot whose workers keep dying

OVER = (TrialState.COMPLETE, TrialState.PRUNED)


class Surplus(Exception):  # noqa: N818 (not an error)
    """A trial that nobody needs: its slot is empty, or done by another."""


@dataclass(frozen=True)
class Slot:
    """What became of one slot so far."""

    number: int
    trials: Sequence[FrozenTrial]  # its attempts, the last one last

    @property
    def done(self) -> FrozenTrial | None:
        """The trial that finished it: the first of them, should there ever be two."""
        return next((trial for trial in self.trials if trial.state in OVER), None)

    @property
    def running(self) -> FrozenTrial | None:
        """The trial that somebody is at."""
        return next((trial for trial in self.trials if trial.state == TrialState.RUNNING), None)

    @property
    def waiting(self) -> bool:
        """Whether a trial of it is queued."""
        return any(trial.state == TrialState.WAITING for trial in self.trials)

    @property
    def failed(self) -> FrozenTrial | None:
        """The trial with which it was given up: for a reason that was written down, or after too many tries."""
        last = self.trials[-1]
        given_up = last.user_attrs.get(FAILURE) or last.user_attrs.get(TRIES, 0) >= MOST_TRIES
        return last if given_up and not self._open else None

    @property
    def orphan(self) -> FrozenTrial | None:
        """The trial that died without a word, where he who found it dead has died as well."""
        return None if self._open or self.failed else self.trials[-1]

    @property
    def _open(self) -> bool:
        return bool(self.done or self.running or self.waiting)


def fill(study: optuna.Study, points: Iterable[Mapping[str, Any]]) -> None:
    """Queue a slot for each point; symbols that a point does not name are searched."""
    for number, point in enumerate(points, len(slots(study))):
        study.enqueue_trial(dict(point), user_attrs={SLOT: number, TRIES: 0})


def slots(study: optuna.Study) -> list[Slot]:
    """All slots, in the order in which they were queued."""
    found: dict[int, list[FrozenTrial]] = {}
    for trial in study.get_trials(deepcopy=False):
        if SLOT in trial.user_attrs:
            found.setdefault(trial.user_attrs[SLOT], []).append(trial)
    return [Slot(number, found[number]) for number in sorted(found)]


def claim(study: optuna.Study, trial: optuna.Trial) -> None:
    """Make sure that the trial's slot needs it; raises Surplus where it does not."""
    number = trial.user_attrs.get(SLOT)
    if number is None:
        raise Surplus
    slot = next(one for one in slots(study) if one.number == number)
    earlier = [one for one in slot.trials if one.state == TrialState.RUNNING and one.number < trial.number]
    if slot.done or earlier:
        raise Surplus


def requeue(study: optuna.Study, trial: FrozenTrial, counted: int = 1) -> None:
    """Queue a trial's slot again, with what it had drawn so far; given up after too many tries."""
    attributes = dict(trial.user_attrs)
    if SLOT not in attributes:
        return
    attributes[TRIES] = attributes.get(TRIES, 0) + counted
    if attributes[TRIES] > MOST_TRIES:
        return
    kept = {FAILURE: None} if FAILURE in attributes else {}
    study.add_trial(
        create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=attributes | kept,
            system_attrs={key: value for key, value in trial.system_attrs.items() if key == "fixed_params"},
        )
    )


def rescue(study: optuna.Study) -> None:
    """Queue again the slots that nobody has queued."""
    for slot in slots(study):
        if slot.orphan is not None:
            requeue(study, slot.orphan)


def retry(study: optuna.Study) -> None:
    """Queue again the slots that were given up, as if nobody had tried them."""
    for slot in slots(study):
        if slot.failed is not None:
            requeue(study, slot.failed, counted=-slot.failed.user_attrs.get(TRIES, 0))


def give_back(study: optuna.Study, trial: optuna.Trial) -> None:
    """Queue the slot of a trial that stops halfway; nothing where it is no longer ours."""
    frozen = current(study, trial.number)
    if frozen.state == TrialState.RUNNING:
        requeue(study, frozen, counted=0)  # to make room is no failure


def stop(study: optuna.Study) -> None:
    """Have the workers of a study, and of its confirm stage, put their slots back and leave."""
    study.set_user_attr(STOP, True)
    if (stage := stage_of(study)) is not None:
        stage.set_user_attr(STOP, True)


def stage_of(study: optuna.Study) -> optuna.Study | None:
    """The study that confirms the best of a search; None before there is one."""
    name = study.user_attrs.get(CONFIRM)
    return None if name is None else optuna.load_study(study_name=name, storage=study._storage)


def reason(trial: FrozenTrial) -> Mapping[str, str]:
    """Of what kind the failure was for which a slot was given up, and why."""
    return trial.user_attrs.get(FAILURE) or {"kind": "given up", "why": "its workers died too often"}


def why(trial: FrozenTrial) -> str:
    """The same, as what follows "failed"."""
    told = reason(trial)
    return f"({told['kind']}): {told['why']}"


def current(study: optuna.Study, number: int) -> FrozenTrial:
    """The trial as the storage has it now."""
    trials = study.get_trials(deepcopy=False)
    return trials[number]
