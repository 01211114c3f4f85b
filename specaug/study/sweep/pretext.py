"""Searching what a pretraining hides: a trial has its values, and its runs make that pretraining first (decision D107)."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

from specaug.errors import UserError
from specaug.study.load import with_content
from specaug.study.recipe import Recipe
from specaug.study.sweep.options import Axis, Sweep, Value
from specaug.study.sweep.symbols import of_pretraining

SHARE, NUMBER = "hidden.share", "hidden.number"  # of the patches, one of which is said
OTHER = {SHARE: NUMBER, NUMBER: SHARE}


def axes_of(sweep: Sweep) -> dict[str, Axis]:
    """The symbols of the pretraining that are searched."""
    return {symbol: axis for symbol, axis in sweep.space.items() if of_pretraining(symbol)}


def pretrained_at(recipe: Recipe, point: Mapping[str, Value]) -> Recipe:
    """The experiment with the pretraining at a point of the space; raises ValueError where there is none such."""
    wanted = recipe.network.pretraining
    values = {symbol: value for symbol, value in point.items() if of_pretraining(symbol)}
    if wanted is None or not values:
        return recipe
    content = copy.deepcopy(dict(wanted.content))
    for symbol, value in values.items():
        put(content, symbol, value)
        if symbol in OTHER:
            put(content, OTHER[symbol], None)
    network = replace(recipe.network, pretraining=replace(wanted, content=content))
    try:
        return with_content(replace(recipe, network=network), "the space")
    except UserError as error:
        raise ValueError(str(error).removeprefix("the space: ")) from None


def put(content: dict[str, Any], symbol: str, value: Value | None) -> None:
    """Have a mapping of mappings say so."""
    *parents, last = symbol.split(".")
    for parent in parents:
        content = content[parent]
    content[last] = value


def values_there(recipe: Recipe, sweep: Sweep) -> dict[str, Value]:
    """The searched symbols of the pretraining as an experiment has them; without those that it does not say."""
    found: dict[str, Value] = {}
    for symbol in axes_of(sweep):
        value: Any = recipe.network.pretraining and recipe.network.pretraining.content
        for key in symbol.split("."):
            value = (value or {}).get(key)
        if value is not None:
            found[symbol] = value
    return found


def own_point(recipe: Recipe, sweep: Sweep, policy: Mapping[str, Any]) -> dict[str, Value]:
    """The experiment's own values of what is searched of the pretraining, as far as they lie in the space."""
    point: dict[str, Value] = {}
    there = values_there(recipe, sweep)
    for symbol, axis in axes_of(sweep).items():
        if axis.applies({**policy, **point}) and axis.holds(there.get(symbol)):
            point[symbol] = there[symbol]
    return point


def extremes(recipe: Recipe, sweep: Sweep) -> dict[str, Recipe]:
    """The experiment at every corner of what is searched of the pretraining, by how that is written.

    Raises ValueError where a pretraining is not what can be searched, or one at a corner is none.
    """
    axes = axes_of(sweep)
    if not axes:
        return {"": recipe}
    if recipe.network.pretraining is None:
        symbol = next(iter(axes))
        raise ValueError(f"space has {symbol}, and the experiment no network.pretraining; expected one")
    if sweep.confirm.top:
        raise ValueError(
            f"confirm.top is {sweep.confirm.top}; expected 0 where the space has {next(iter(axes))}: the runs of a confirm "
            "stage have one pretraining"
        )
    if SHARE in axes and NUMBER in axes:
        raise ValueError(f"space has {SHARE} and {NUMBER}; expected one of the two")
    found: dict[str, Recipe] = {}
    for values in product(*([value for _, value in axis.extremes] for axis in axes.values())):
        point = applying(axes, dict(zip(axes, values, strict=True)))
        told = " ".join(f"{symbol}={value}" for symbol, value in point.items())
        try:
            found[told] = pretrained_at(recipe, point)
        except ValueError as error:
            raise ValueError(f"space, at {told}: {error}") from None
    return found


def applying(axes: Mapping[str, Axis], corner: Mapping[str, Value]) -> dict[str, Value]:
    """What of a corner varies there, whatever the policy is."""
    point: dict[str, Value] = {}
    for symbol, axis in axes.items():
        if axis.condition is None or axis.condition[0] not in axes or axis.applies(point):
            point[symbol] = corner[symbol]
    return point
