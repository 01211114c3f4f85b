"""A sweep from end to end on one command: search, confirm on fresh seeds, say what came out."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import optuna

from specaug.errors import UserError
from specaug.study.ablation import Failed, ready
from specaug.study.choice import PolicyChoice
from specaug.study.places import Places
from specaug.study.recipe import Recipe
from specaug.study.run import Run, check
from specaug.study.screen import Screen
from specaug.study.sweep.book import Plan, listing, opened
from specaug.study.sweep.objective import Search, runs_of
from specaug.study.sweep.options import Sweep
from specaug.study.sweep.progress import Follower, standing
from specaug.study.sweep.samplers import sampler_name
from specaug.study.sweep.slots import FAILURE, SLOT
from specaug.study.sweep.storage import STORAGE, network_disk, open_storage

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


def conduct(plan: Plan, desk: Desk) -> tuple[optuna.Study, list[Path]]:
    """The finished search, and the finished runs that confirm its best; none where nothing was to be confirmed.

    Raises UserError where no trial was finished.
    """
    sweep = plan.sweep
    if sweep is None:
        raise ValueError(f"plan {plan.name} has no sweep; expected one")
    say = desk.screen.say
    runs = runs_of(plan, sweep.policy, sweep.seeds, desk.places)
    check(runs[0], desk.screen.loading)
    say(f"{plan.name}: {sweep.trials} trials, runs in each: {len(runs)}; sampler {sampler_name(sweep)}")
    study = worked_at(plan, desk)
    best = standing(study).finished
    if not best:
        raise UserError(
            f"study {plan.name}: all {sweep.trials} trials failed; the first: {first_failure(study)}"
        )
    if not sweep.confirm.top:
        return study, []
    recipe = confirming(plan, sweep, best, desk.places)
    say(
        f"{plan.name}: confirming the best {sweep.confirm.top} on seeds {', '.join(map(str, sweep.confirm.seeds))}"
    )
    name = f"{plan.name}-confirm"
    worked_at(listing(name, recipe), desk)
    return study, finished(name, recipe, desk.places)


def worked_at(plan: Plan, desk: Desk) -> optuna.Study:
    """The study of a plan after its workers have left: all slots finished or given up."""
    if kind := network_disk(desk.url):
        desk.screen.say(
            f"warning: {desk.url} lies on a network disk ({kind}), where SQLite may lose writes when two "
            "hosts write at once; expected one host, or --storage postgresql://..."
        )
    study, left = opened(plan, open_storage(desk.url, desk.beat, desk.grace), desk.url)
    for line in left:
        desk.screen.say(line)
    command = ["sweep", "worker", plan.name, *desk.options]
    with told(desk.url):
        desk.launch(command, desk.places.runs / plan.name / "workers", Follower(study, desk.screen))
    return study


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


def first_failure(study: optuna.Study) -> str:
    """Why the first of the failed trials failed."""
    for trial in standing(study).failed:
        if told := trial.user_attrs.get(FAILURE):
            return f"{told['kind']}: {told['why']}"
    return "its workers died too often"


def runs_through_a_study(name: str, recipe: Recipe, desk: Desk) -> tuple[list[Run], list[Failed]]:
    """Every run of a recipe, made by workers that find their work in a study, and those that failed."""
    runs = ready(name, recipe, desk.places, desk.screen)
    study = worked_at(listing(name, recipe), desk)
    failed = {trial.user_attrs[SLOT]: trial.user_attrs.get(FAILURE) for trial in standing(study).failed}
    return runs, [
        Failed(runs[slot], str((why or {}).get("why", "its workers died"))) for slot, why in failed.items()
    ]


def confirming(plan: Plan, sweep: Sweep, best: Sequence[optuna.trial.FrozenTrial], places: Places) -> Recipe:
    """The experiment of the confirm stage: the known policies, and the best of the search, each once."""
    search = Search(plan, sweep, places)
    known = [plan.recipe.scaled(choice) for choice in sweep.confirm.policies]
    found: list[PolicyChoice] = []
    for trial in best:
        choice = search.policy(trial.params)
        if all(choice.policy() != other.policy() for other in (*found, *known)):
            found.append(choice)
    policies = (*sweep.confirm.policies, *found[: sweep.confirm.top])
    return replace(plan.recipe, policies=policies, seeds=sweep.confirm.seeds)


def confirm_runs(study: optuna.Study, plan: Plan, places: Places) -> list[Path]:
    """The folders of the finished runs that confirm the best of a search."""
    best = standing(study).finished
    if plan.sweep is None or not plan.sweep.confirm.top or not best:
        return []
    return finished(f"{plan.name}-confirm", confirming(plan, plan.sweep, best, places), places)


def finished(name: str, recipe: Recipe, places: Places) -> list[Path]:
    """The folders of an experiment's finished runs."""
    runs = [Run(name, run, places) for run in recipe.runs()]
    return [run.folder for run in runs if run.finished]
