"""A sweep from end to end on one command: search, confirm on fresh seeds, say what came out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import optuna

from specaug.errors import UserError
from specaug.study.choice import PolicyChoice
from specaug.study.places import Places
from specaug.study.recipe import Recipe
from specaug.study.run import Run, check
from specaug.study.screen import Screen
from specaug.study.sweep.book import Plan, listing, opened
from specaug.study.sweep.launch import local
from specaug.study.sweep.objective import Search, runs_of
from specaug.study.sweep.options import Sweep
from specaug.study.sweep.progress import Follower, standing
from specaug.study.sweep.samplers import sampler_name
from specaug.study.sweep.storage import network_disk, open_storage

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
    check(runs_of(plan, sweep.policy, sweep.seeds, desk.places)[0], desk.screen.loading)
    say(
        f"{plan.name}: {sweep.trials} trials of {len(sweep.seeds)} runs at least, sampler {sampler_name(sweep)}"
    )
    study = worked_at(plan, desk)
    best = standing(study).finished
    if not best:
        why = [str(trial.user_attrs.get("failure")) for trial in standing(study).failed[:1]]
        raise UserError(f"study {plan.name}: all {sweep.trials} trials failed; the first: {why}")
    if not sweep.confirm.top:
        return study, []
    recipe = confirming(plan, sweep, best, desk.places)
    say(
        f"{plan.name}: confirming the best {sweep.confirm.top} on seeds {', '.join(map(str, sweep.confirm.seeds))}"
    )
    name = f"{plan.name}-confirm"
    worked_at(listing(name, recipe), desk)
    return study, finished_runs(name, recipe, desk.places)


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
    command = ["sweep", "worker", plan.name, "--storage", desk.url, *desk.options]
    desk.launch(command, desk.places.runs / plan.name / "workers", Follower(study, desk.screen))
    return study


def confirming(plan: Plan, sweep: Sweep, best: Sequence[optuna.trial.FrozenTrial], places: Places) -> Recipe:
    """The experiment of the confirm stage: the known policies, and the best of the search, each once."""
    search = Search(plan, sweep, places)
    found: list[PolicyChoice] = []
    for trial in best:
        choice = search.policy(trial.params)
        if all(choice.policy() != other.policy() for other in (*found, *scaled(plan, sweep))):
            found.append(choice)
    policies = (*sweep.confirm.policies, *found[: sweep.confirm.top])
    return replace(plan.recipe, policies=policies, seeds=sweep.confirm.seeds)


def scaled(plan: Plan, sweep: Sweep) -> list[PolicyChoice]:
    """The known policies as the experiment scales them."""
    return [
        replace(choice, scale=plan.recipe.scale) if choice.scale == 1.0 else choice
        for choice in sweep.confirm.policies
    ]


def finished_runs(name: str, recipe: Recipe, places: Places) -> list[Path]:
    """The folders of an experiment's finished runs."""
    runs = [Run(name, run, places) for run in recipe.runs()]
    return [run.folder for run in runs if run.finished]


def on_this_machine(workers: int) -> Launch:
    """Workers as processes here."""
    return lambda command, logs, look: local(command, workers, logs, look)
