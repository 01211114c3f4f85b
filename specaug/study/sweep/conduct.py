"""A sweep from end to end on one command: search, confirm on fresh seeds, say what came out."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import optuna

from specaug.errors import UserError
from specaug.study.ablation import Experiment, Failed
from specaug.study.choice import PolicyChoice
from specaug.study.places import Places
from specaug.study.recipe import Recipe
from specaug.study.run import Run, check
from specaug.study.screen import Screen
from specaug.study.sweep.book import Plan, listing, opened
from specaug.study.sweep.launch import heeding
from specaug.study.sweep.objective import POLICY, Search, runs_of
from specaug.study.sweep.options import Sweep
from specaug.study.sweep.pretext import extremes
from specaug.study.sweep.progress import Follower, Standing, standing
from specaug.study.sweep.samplers import sampler_name
from specaug.study.sweep.scores import Score
from specaug.study.sweep.slots import CONFIRM, SLOT, STOP, reason, stage_of, why
from specaug.study.sweep.storage import STORAGE, caution, open_storage, reaching

GOES_ON = "the same command goes on"

Launch = Callable[
    [Sequence[str], Path, Callable[[], None]], None
]  # a worker's command, its logs, what to do meanwhile


@dataclass(frozen=True)
class Desk:
    """What is the same for every study of one command."""

    places: Places
    url: str
    options: Sequence[str]  # what workers are told
    launch: Launch
    screen: Screen
    beat: int
    grace: int


@dataclass(frozen=True)
class Swept:
    """What a sweep came to."""

    study: optuna.Study  # the search
    failed: Sequence[str]  # a line for each slot that was given up
    confirmed: Sequence[Path] = ()  # the finished runs of the confirm stage; none where that is not over


def conduct(plan: Plan, desk: Desk) -> Swept:
    """Search, then confirm the best, unless told to stop meanwhile. Raises UserError where every trial failed."""
    sweep = plan.sweep
    if sweep is None:
        raise ValueError(f"plan {plan.name} has no sweep; expected one")
    say = desk.screen.say
    for recipe in extremes(plan.recipe, sweep).values():
        runs = runs_of(replace(plan, recipe=recipe), sweep.policy, sweep.seeds, desk.places)
        for run in {run.recipe.corpus: run for run in reversed(runs)}.values():  # the first of each fold
            check(run, desk.screen.loading, say)
    say(f"{plan.name}: {sweep.trials} trials, runs in each: {len(runs)}; sampler {sampler_name(sweep)}")
    study = begun(plan, desk)
    now = worked_at(study, plan, desk)
    if len(now.failed) == len(now.slots):
        raise UserError(
            f"study {plan.name}: all {len(now.slots)} trials failed; the first {why(now.failed[0])}"
        )
    search = Swept(study, failures(plan, now))
    if unfinished(now) or not sweep.confirm.top:
        return search
    return confirmed(search, plan, sweep, now.scores, desk)


def confirmed(search: Swept, plan: Plan, sweep: Sweep, best: Sequence[Score], desk: Desk) -> Swept:
    """The same sweep after its confirm stage; as it was where told to stop before that."""
    name = f"{plan.name}-confirm"
    stage = listing(name, confirming(plan, sweep, best, desk.places))
    study = begun(stage, desk)
    if not announced(search.study, stage, desk.url):
        desk.screen.say(f"{plan.name}: stopped before its best are confirmed; {GOES_ON}")
        return search
    seeds = ", ".join(map(str, sweep.confirm.seeds))
    desk.screen.say(f"{plan.name}: confirming the best {sweep.confirm.top} on seeds {seeds}")
    now = worked_at(study, stage, desk)
    runs = [] if unfinished(now) else finished(name, stage.recipe, desk.places)
    return replace(search, failed=[*search.failed, *failures(stage, now)], confirmed=runs)


def announced(study: optuna.Study, stage: Plan, url: str) -> bool:
    """Tell a search of its confirm stage; whether it may begin.

    Whoever stops the search looks for the stage after that: one of the two hears of the other.
    """
    with reaching(url):
        study.set_user_attr(CONFIRM, stage.name)
        return not study.user_attrs.get(STOP)


def begun(plan: Plan, desk: Desk) -> optuna.Study:
    """The study of a plan, before its workers come."""
    study, lines = opened(plan, open_storage(desk.url, desk.beat, desk.grace), desk.url)
    for line in filter(None, (caution(desk.url), *lines)):
        desk.screen.say(line)
    return study


def worked_at(study: optuna.Study, plan: Plan, desk: Desk) -> Standing:
    """Where a study stands when its workers have left: all slots finished or given up, or told to stop."""
    command = ["sweep", "worker", plan.name, *desk.options]
    with told(desk.url), heeding(Follower(study, desk.screen, desk.url)) as look:
        desk.launch(command, desk.places.runs / plan.name / "workers", look)
    with reaching(desk.url):
        now = standing(study)
    if unfinished(now):
        desk.screen.say(f"{plan.name}: stopped at {now.over} of {len(now.slots)}; {GOES_ON}")
    return now


def unfinished(now: Standing) -> bool:
    """Whether there are slots that still need somebody."""
    return now.over < len(now.slots)


def failures(plan: Plan, now: Standing) -> list[str]:
    """A line for each slot that was given up: which, with what policy, why."""
    return [
        f"{plan.name}: trial {trial.user_attrs[SLOT]} ({called(trial)}) failed {why(trial)}"
        for trial in now.failed
    ]


def called(trial: optuna.trial.FrozenTrial) -> str:
    """A trial's policy, or its point where that is none."""
    point = " ".join(f"{symbol}={value}" for symbol, value in trial.params.items())
    return str(trial.user_attrs.get(POLICY, point))


@contextmanager
def told(url: str) -> Iterator[None]:
    """While it lasts, workers that are started find the storage; not by a word that everybody on the machine can read."""
    before = os.environ.get(STORAGE)
    os.environ[STORAGE] = url
    try:
        yield
    finally:
        del os.environ[STORAGE]
        if before is not None:
            os.environ[STORAGE] = before


def make_through_a_study(experiment: Experiment, desk: Desk) -> list[Failed]:
    """Have workers that find their work in a study finish the runs of an experiment; those that failed are returned."""
    plan = listing(experiment.name, experiment.recipe)
    now = worked_at(begun(plan, desk), plan, desk)
    failed = [Failed(experiment.runs[trial.user_attrs[SLOT]], reason(trial)["why"]) for trial in now.failed]
    return [one for one in failed if not one.run.finished]


def confirming(plan: Plan, sweep: Sweep, best: Sequence[Score], places: Places) -> Recipe:
    """The experiment of the confirm stage: the known policies, and the best of the search, each once."""
    search = Search(plan, sweep, places)
    known = [plan.recipe.scaled(choice) for choice in sweep.confirm.policies]
    found: list[PolicyChoice] = []
    for score in best:
        choice = search.policy(score.params)
        if all(choice.policy() != other.policy() for other in (*found, *known)):
            found.append(choice)
    policies = (*sweep.confirm.policies, *found[: sweep.confirm.top])
    return replace(plan.recipe, policies=policies, seeds=sweep.confirm.seeds)


def confirm_runs(study: optuna.Study, plan: Plan, places: Places) -> list[Path]:
    """The folders of the finished runs that confirm the best of a search; none before both are over."""
    now, stage = standing(study), stage_of(study)
    if plan.sweep is None or not plan.sweep.confirm.top or not now.scores or stage is None:
        return []
    name = f"{plan.name}-confirm"
    recipe = confirming(plan, plan.sweep, now.scores, places)
    if stage.study_name != listing(name, recipe).name:  # it confirms what was best, or asked for, before
        return []
    return [] if unfinished(now) or unfinished(standing(stage)) else finished(name, recipe, places)


def finished(name: str, recipe: Recipe, places: Places) -> list[Path]:
    """The folders of an experiment's finished runs."""
    runs = [Run(name, run, places) for run in recipe.runs()]
    return [run.folder for run in runs if run.finished]
