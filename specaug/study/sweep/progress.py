"""How far a study is: in numbers, and on the screen."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import optuna
from optuna.trial import FrozenTrial, TrialState

from specaug.errors import UserError
from specaug.study.screen import Screen
from specaug.study.sweep.book import EXPERIMENT, SWEEP
from specaug.study.sweep.metric import MEASURED, Metric, metric_of
from specaug.study.sweep.scores import Score, scores
from specaug.study.sweep.slots import OVER, SLOT, Slot, slots, why
from specaug.study.sweep.storage import reaching
from specaug.study.sweep.worker import AT, WORKER

EVERY = 1.0  # seconds between two looks at the storage


@dataclass(frozen=True)
class Standing:
    """What is known of a study at one moment."""

    slots: Sequence[Slot]
    metric: Metric = MEASURED["wer"]
    one: str = "trial"  # what is made in a slot, or "run"

    @property
    def finished(self) -> list[FrozenTrial]:
        """The finished trials, each slot's one, best first; pruned ones left out."""
        done = [slot.done for slot in self.slots]
        complete = [trial for trial in done if trial is not None and trial.state == TrialState.COMPLETE]
        return sorted(complete, key=lambda trial: (trial.value or 0.0, trial.number))

    @property
    def scores(self) -> list[Score]:
        """The policies of the finished trials, best first."""
        return scores(self.finished, self.metric)

    @property
    def over(self) -> int:
        """Slots that need nobody any more."""
        return sum(slot.done is not None or slot.failed is not None for slot in self.slots)

    @property
    def running(self) -> list[FrozenTrial]:
        """The trials that somebody is at."""
        return [slot.running for slot in self.slots if slot.running is not None]

    @property
    def failed(self) -> list[FrozenTrial]:
        """The last trial of each slot that was given up."""
        return [slot.failed for slot in self.slots if slot.failed is not None]

    @property
    def share(self) -> float:
        """How much of the study is done."""
        under_way = sum(float(trial.user_attrs.get(AT, ["", 0.0])[1]) for trial in self.running)
        return (self.over + under_way) / max(1, len(self.slots))

    def left(self, started: float, share_then: float) -> str:
        """The time left, as minutes and seconds, judged by what was done since `started`."""
        gained = self.share - share_then
        if gained <= 0.002:
            return "?"
        seconds = round((time.monotonic() - started) * (1 - self.share) / gained)
        return f"{seconds // 60}:{seconds % 60:02d}"


def standing(study: optuna.Study) -> Standing:
    """Where a study stands now; one that makes the runs of an experiment has no sweep, and is told by its WER, or accuracy."""
    known = study.user_attrs
    sweep, text = known.get(SWEEP), known.get(EXPERIMENT, {}).get("text", {})
    metric = metric_of(sweep["metric"] if sweep else "wer", text.get("classes"))
    return Standing(slots(study), metric, "trial" if sweep else "run")


@dataclass
class Follower:
    """Shows a study on the screen while others work at it."""

    study: optuna.Study
    screen: Screen
    url: str = ""  # of the storage
    started: float = field(default_factory=time.monotonic)
    looked: float = 0.0
    then: float = -1.0
    ended: set[int] = field(default_factory=set)
    away: bool = False  # the storage

    def __call__(self) -> None:
        """Look at the storage, now and then, and say what is new."""
        if time.monotonic() - self.looked < EVERY:
            return
        self.looked = time.monotonic()
        try:
            with reaching(self.url):
                now = standing(self.study)
        except UserError as error:
            if not self.away:
                self.screen.say(f"{error}; waiting")
            self.away = True
            return
        self.away = False
        if self.then < 0:
            self.then = now.share
            self.ended = {slot.number for slot in now.slots if slot.done or slot.failed}
        for slot in now.slots:
            if slot.number not in self.ended and (trial := slot.done or slot.failed):
                self.ended.add(slot.number)
                self.screen.say(told(f"{now.one} {slot.number}", trial, now.metric))
        best = f", best {now.scores[0].said()}" if now.finished else ""
        everything = f"{now.over} of {len(now.slots)} {now.one}s{best}"
        rows = [
            (
                trial.user_attrs.get(WORKER, "worker"),
                *trial.user_attrs.get(AT, [f"{now.one} {trial.user_attrs[SLOT]} starts", 0.0]),
            )
            for trial in now.running
        ]
        self.screen.overview(everything, now.share, now.left(self.started, self.then), rows)


def told(name: str, trial: FrozenTrial, metric: Metric) -> str:
    """One line about a slot that is over."""
    if trial.state == TrialState.PRUNED:
        return f"{name}: pruned"
    if trial.state in OVER:
        return f"{name}: {scores([trial], metric)[0].said()}"
    return f"{name} failed {why(trial)}"
