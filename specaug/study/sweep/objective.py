"""What a trial is: one policy with every seed (and fold), and the error rate on dev over all of them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import optuna

from specaug.errors import UserError
from specaug.speech.corpus import DEV, TRAIN
from specaug.study.choice import PolicyChoice
from specaug.study.loggers import OFFLINE, Logs
from specaug.study.places import Places
from specaug.study.recipe import fits
from specaug.study.results import read_result
from specaug.study.run import Run, check, execute
from specaug.study.sweep.book import Plan
from specaug.study.sweep.metric import MEASURED, Metric, metric_of
from specaug.study.sweep.options import Axis, Sweep, Value
from specaug.study.sweep.pretext import pretrained_at, values_there
from specaug.study.sweep.slots import SLOT, slots
from specaug.study.sweep.space import policy_at, suggested, values_of
from specaug.study.sweep.worker import Attempt, Objective
from specaug.training.callbacks import Progress, read_curves
from specaug.training.files import CURVES

RUNS, POLICY = "runs", "policy"  # what a finished trial says of its runs, and what its policy is called
AGAIN = "again"  # how many slots before a trial's have its point
FRESH = 1_000_003  # between the seeds of two trials at one point


def objective_of(plan: Plan, places: Places, logs: Logs = OFFLINE) -> Objective:
    """What the workers of a study do with a slot."""
    return Search(plan, plan.sweep, places, logs) if plan.sweep else Listed(plan, places, logs)


class Listed:
    """The objective of a study that makes the runs of an experiment, one a slot."""

    def __init__(self, plan: Plan, places: Places, logs: Logs) -> None:
        experiment = plan.name.rpartition("-")[0]
        self.runs = [Run(experiment, run, places) for run in plan.recipe.runs()]
        self.logs = logs

    def __call__(self, trial: optuna.Trial, attempt: Attempt) -> float:
        """The word error rate on dev of the slot's run."""
        run = self.runs[trial.user_attrs[SLOT]]
        trial.set_user_attr(POLICY, run.name)
        folder = execute(run, self.logs, training=Watch(trial, attempt, run), attempt=attempt.name)
        told = [facts(run, folder, DEV, MEASURED["wer"])]
        trial.set_user_attr(RUNS, told)
        return pooled(told, MEASURED["wer"])


class Search:
    """The objective of a sweep."""

    def __init__(self, plan: Plan, sweep: Sweep, places: Places, logs: Logs = OFFLINE) -> None:
        self.plan, self.sweep, self.places, self.logs = plan, sweep, places, logs
        self.metric = metric_of(sweep.metric, plan.recipe.text.classes)
        self.lengths: Sequence[int] | None = None  # of the training utterances, in frames

    def __call__(self, trial: optuna.Trial, attempt: Attempt) -> float:
        """The pooled error rate on dev of the trial's policy."""
        point = suggested(self.sweep, suggester(trial))
        choice, recipe = self.policy(point), pretrained_at(self.plan.recipe, point)
        trial.set_user_attr(POLICY, choice.label)
        seeds = fresh(self.sweep.seeds, again(attempt.study, trial))
        runs = runs_of(replace(self.plan, recipe=recipe), choice, seeds, self.places)
        told = []
        for number, run in enumerate(runs):
            folder = execute(
                run,
                self.logs,
                training=Watch(trial, attempt, run, number, len(runs), self.metric),
                attempt=attempt.name,
            )
            told.append(facts(run, folder, self.sweep.part, self.metric))
        trial.set_user_attr(RUNS, told)
        return pooled(told, self.metric)

    def policy(self, point: dict[str, Value]) -> PolicyChoice:
        """The policy at a point, labelled by what was searched. Raises UserError where there is none."""
        sweep, mel = self.sweep, self.plan.recipe.features.mel
        if self.lengths is None and any(axis.hides is not None for axis in sweep.space.values()):
            run = next(iter(runs_of(self.plan, sweep.policy, sweep.seeds, self.places)))
            self.lengths = check(run).parts[TRAIN].frames
        try:
            choice = policy_at(sweep, point, self.lengths or (), mel)
            fits(choice, mel)
        except ValueError as error:
            raise UserError(str(error)) from None
        return labelled(choice, sweep.space, {**values_there(self.plan.recipe, sweep), **point})


def again(study: optuna.Study, trial: optuna.Trial) -> int:
    """How many slots before the trial's have its point; once known, it stays so however often the trial starts."""
    if AGAIN not in trial.user_attrs:
        mine, point = trial.user_attrs[SLOT], trial.params
        before = [slot for slot in slots(study) if slot.number < mine and slot.trials[-1].params == point]
        trial.set_user_attr(AGAIN, len(before))
    return int(trial.user_attrs[AGAIN])


def fresh(seeds: Sequence[int], again: int) -> list[int]:
    """The seeds of a point that was tried so often before: to repeat a run would only repeat its luck."""
    return [seed + FRESH * again for seed in seeds]


def labelled(choice: PolicyChoice, space: Any, point: Mapping[str, Value] | None = None) -> PolicyChoice:
    """The policy, called by the values of what was searched, at a point of the space."""
    values = {**(point or {}), **values_of(choice)}
    said = " ".join(f"{symbol}={short(values[symbol])}" for symbol in space if symbol in values)
    return replace(choice, label=said)


def short(value: Value) -> Value:
    """A number as a label shows it."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def suggester(trial: optuna.Trial) -> Callable[[str, Axis], Value]:
    """Optuna's way of giving a value."""

    def suggest(symbol: str, axis: Axis) -> Value:
        if axis.choices:
            return cast(Value, trial.suggest_categorical(symbol, list(axis.choices)))
        low, high = axis.ends
        if axis.whole:
            return trial.suggest_int(symbol, int(low), int(high), step=int(axis.step or 1), log=axis.log)
        return trial.suggest_float(symbol, low, high, step=axis.step, log=axis.log)

    return suggest


def runs_of(plan: Plan, choice: PolicyChoice, seeds: Sequence[int], places: Places) -> list[Run]:
    """A policy's runs: every seed, and every fold where the experiment has some."""
    recipe = replace(plan.recipe, policies=(choice,), seeds=tuple(seeds))
    return [Run(plan.name, run, places) for run in recipe.runs()]


class Watch:
    """Follows the training of one run: is the trial still ours, how far is it, is it worth going on?"""

    def __init__(
        self,
        trial: optuna.Trial,
        attempt: Attempt,
        run: Run,
        number: int = 0,
        among: int = 1,
        metric: Metric = MEASURED["wer"],
    ) -> None:
        self.trial, self.attempt, self.run, self.number, self.among = trial, attempt, run, number, among
        self.metric = metric
        self.reported: float | None = None

    def __call__(self, at: Progress) -> None:
        """After a step, twice a second at most."""
        self.attempt.look()
        done = 0.0 if at.stage else at.step / max(1, at.steps)
        share = (self.number + done) / self.among
        self.attempt.tell(f"{self.run.name}: {at.place}{at.dev}", share)
        percent = 100 * at.step // max(1, at.steps)
        rate = early(at, self.metric)
        if self.number == 0 and rate is not None and rate != self.reported and percent > 0:
            self.reported = rate
            self.trial.report(rate, percent)
            if self.trial.should_prune():
                raise optuna.TrialPruned


def early(at: Progress, metric: Metric) -> float | None:
    """The error rate on dev that was measured last, by which a trial may be ended: one less the mAP, or the WER."""
    if metric.counts == "map":
        return None if at.map is None else 1 - at.map
    return at.wer


def facts(run: Run, folder: Path, part: str, metric: Metric) -> dict[str, Any]:
    """What the study remembers of a run, so that a report needs no run folder.

    Its mean average precision stands there as errors do, what it lacks to 1 of 1: all runs and folds count alike.
    """
    result = read_result(folder)
    there = result.parts[part]
    column = f"{DEV}/{metric.counts}"
    rows = [row for row in read_curves(folder / CURVES) if row[column]]
    found = [(int(row["epoch"]), float(row[column])) for row in rows]
    curve = [[epoch, 1 - value if metric.counts == "map" else value] for epoch, value in found]
    return {
        "run": run.id,
        "seed": result.seed,
        "fold": result.fold,
        "wer": [there.wer.errors, there.wer.total],
        "cer": [there.cer.errors, there.cer.total],
        **({} if there.map is None else {"map": [1 - there.map, 1]}),
        "masked": result.masked.cells,
        "seconds": result.wall_seconds,
        "curve": curve,
    }


def pooled(told: Sequence[dict[str, Any]], metric: Metric) -> float:
    """The error rate over all runs together."""
    errors, total = (sum(one[metric.counts][place] for one in told) for place in (0, 1))
    return errors / total if total else math.nan
