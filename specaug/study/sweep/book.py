"""A study's beginning: made once, filled with slots, taken up again, refused where its recipe has changed since."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.pruners import NopPruner
from optuna.storages import RDBStorage
from pydantic import TypeAdapter, ValidationError

from specaug.errors import UserError
from specaug.study.kinds import require_kind
from specaug.study.load import load, message, plain, put, read, strict, validated
from specaug.study.nearest import hint
from specaug.study.recipe import Recipe, run_id
from specaug.study.sweep.design import designed
from specaug.study.sweep.options import Sweep, Value, cautions
from specaug.study.sweep.samplers import pruner_of
from specaug.study.sweep.slots import STOP, fill, retry, slots
from specaug.study.sweep.space import first_point, suits
from specaug.study.sweep.storage import hidden, reaching

SWEEP, EXPERIMENT = "sweep", "experiment"  # what a study remembers
GROWS = "trials"  # may be more when a study is taken up again
FREE = {  # what no trial of a search depends on (D55)
    SWEEP: ("experiment", "overrides", GROWS, "confirm"),
    EXPERIMENT: ("policy", "policies", "seed", "seeds", "caption"),
}

strict(Sweep)
ADAPTER = TypeAdapter(Sweep)


@dataclass(frozen=True)
class Plan:
    """What a study does: it searches around an experiment, or (without a sweep) makes all the experiment's runs."""

    name: str
    recipe: Recipe
    sweep: Sweep | None = None

    @property
    def told(self) -> dict[str, Any]:
        """What the study remembers, in plain values."""
        return {SWEEP: plain(self.sweep), EXPERIMENT: plain(self.recipe)}

    @property
    def trials(self) -> int:
        """How many slots it has."""
        return self.sweep.trials if self.sweep else len(list(self.recipe.runs()))


def listing(name: str, recipe: Recipe) -> Plan:
    """The plan to make all runs of an experiment; another recipe is another study."""
    return Plan(f"{name}-{run_id(recipe)}", recipe)


def load_plan(path: Path, overrides: Sequence[str] = ()) -> Plan:
    """The sweep in a YAML file, and its experiment; raises UserError naming the file and the key."""
    raw = read(path)
    require_kind(Sweep, raw, path)
    for override in overrides:
        put(raw, override)
    sweep = validated_sweep(raw, str(path))
    recipe = load(path.parent / sweep.experiment, sweep.overrides)
    try:
        suits(sweep, recipe)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    return Plan(path.stem, recipe, sweep)


def validated_sweep(raw: Mapping[str, Any], where: str) -> Sweep:
    """The sweep that a mapping spells; raises UserError at its first mistake."""
    try:
        return ADAPTER.validate_python(raw)
    except ValidationError as error:
        raise UserError(f"{where}: {message(error, Sweep)}") from None


def opened(plan: Plan, storage: RDBStorage, url: str) -> tuple[optuna.Study, list[str]]:
    """The study of a plan, made or taken up, with all its slots queued; and what is to be said of it.

    That is what it risks, and why some first policies are not tried. Runs of an experiment that were given up are queued
    again (D53). Raises UserError, saying what differs, where a study of this name searches something else.
    """
    with reaching(url):
        study = optuna.create_study(
            storage=storage, study_name=plan.name, load_if_exists=True, pruner=pruner_of(plan.sweep)
        )
        told = plan.told
        known = told | {key: value for key, value in study.user_attrs.items() if key in told}
        if differs := list(changed(known, told)):
            raise UserError(
                f"study {plan.name} at {hidden(url)} searches something else: {'; '.join(differs)}; "
                "expected the recipe it was made with, or another name (--study)"
            )
        for key, value in told.items():
            study.set_user_attr(key, value)
        points, left = queued(plan)
        there = len(slots(study))
        fill(study, points[there:])
        if plan.sweep is None:
            retry(study)
        study.set_user_attr(STOP, False)
    return study, [*cautions(plan.sweep), *left]


def queued(plan: Plan) -> tuple[list[dict[str, Value]], list[str]]:
    """The point of each slot, as far as it is known before the search; and why some first policies have none."""
    points: list[dict[str, Value]] = []
    left: list[str] = []
    if plan.sweep is None:
        return [{} for _ in range(plan.trials)], left
    for choice in plan.sweep.first:
        scaled = plan.recipe.scaled(choice)
        point = first_point(plan.sweep, plan.recipe, scaled)
        if isinstance(point, str):
            left.append(f"{scaled.title()} lies outside the space and is not tried: {point}")
        elif point not in points:
            points.append(point)
    points = points[: plan.sweep.trials]
    return points + designed(plan.sweep, plan.sweep.trials - len(points)), left


def remembered(name: str, storage: RDBStorage, url: str) -> tuple[optuna.Study, Plan]:
    """The study of this name, and its plan; raises UserError where there is none."""
    with reaching(url):
        names = optuna.get_all_study_names(storage)
        if name not in names:
            raise UserError(f"no study {name!r} at {hidden(url)}{hint(name, names) if names else ''}")
        study = optuna.load_study(study_name=name, storage=storage, pruner=NopPruner())
        known = study.user_attrs
    if SWEEP not in known:
        raise UserError(f"study {name} at {hidden(url)} was not made by `specaug sweep`")
    where = f"study {name}"
    sweep = known[SWEEP] and validated_sweep(known[SWEEP], where)
    study.pruner = pruner_of(sweep)
    return study, Plan(name, validated(known[EXPERIMENT], where), sweep)


def changed(there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[str]:
    """What differs between two plans, as studies remember them, of what their trials depend on."""
    yield from differences(decisive(there), decisive(here))
    if there[SWEEP] and here[SWEEP] and here[SWEEP][GROWS] < there[SWEEP][GROWS]:
        yield from differences(there[SWEEP][GROWS], here[SWEEP][GROWS], GROWS)


def decisive(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the trials of a study depend on; without a search it is everything."""
    if not told[SWEEP]:
        return told
    return {
        part: {key: value for key, value in told[part].items() if key not in free}
        for part, free in FREE.items()
    }


def differences(there: Any, here: Any, at: str = "") -> Iterator[str]:
    """What differs between two plain values, by key."""
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        for key in {**there, **here}:
            path = f"{at}.{key}" if at else str(key)
            yield from differences(there.get(key, "missing"), here.get(key, "missing"), path)
    elif there != here:
        yield f"{at} was {there!r} and is {here!r}"
