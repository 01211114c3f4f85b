"""What weights started from, as tables print it: a file by the end of its path, a pretraining by what sets it apart."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import PurePosixPath
from typing import Any

OBJECTIVE = "objective.path"


def called(starts: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """How each start (`Network.start`) is printed; it comes with the pretraining's recipe, empty where it is a file.

    Settings are told where the names of the recipes do not tell the starts apart. No two are printed alike: where
    short names are, all are told in full.
    """
    short = {start: ending(start) for start in starts}
    namesakes: dict[str, dict[str, dict[str, Any]]] = {}
    for start, recipe in starts.items():
        if recipe:
            namesakes.setdefault(_name(start), {})[start] = flat(recipe)
    for recipes in namesakes.values():
        keys = fewest(_in_order(recipes), list(recipes.values())) or ()
        keys = (OBJECTIVE, *(key for key in keys if key != OBJECTIVE))
        short |= {start: _pretrained(start, recipe, keys) for start, recipe in recipes.items()}
    return short if len(set(short.values())) == len(starts) else {start: start for start in starts}


def ending(path: str) -> str:
    """The end of a path that says which file it is: its name, and the folder's, which is that of a run."""
    return "/".join(PurePosixPath(path).parts[-2:])


def flat(recipe: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """What a recipe says, by keys with dots."""
    found: dict[str, Any] = {}
    for key, value in recipe.items():
        found |= flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return found


def fewest(keys: Sequence[str], alike: Sequence[Mapping[str, Any]]) -> tuple[str, ...] | None:
    """The fewest keys whose values tell all of these apart, the first ones where it is all one; None where none do."""
    varying = [key for key in keys if len({repr(each.get(key)) for each in alike}) > 1]
    for count in range(len(varying) + 1):
        for chosen in combinations(varying, count):
            if len({tuple(repr(each.get(key)) for key in chosen) for each in alike}) == len(alike):
                return chosen
    return None


def _name(start: str) -> str:
    """The name of a pretraining, without what is made of its recipe."""
    return start.rpartition("-")[0]


def _in_order(recipes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The keys of some recipes: the objective's first, then the patches', then what is hidden."""
    first = (OBJECTIVE, "network.arguments.t", "network.arguments.f", "hidden.share")
    known = {key for recipe in recipes.values() for key in recipe}
    return [*(key for key in first if key in known), *sorted(known - set(first))]


def _pretrained(start: str, recipe: Mapping[str, Any], keys: Sequence[str]) -> str:
    """The name of a pretraining, with its objective and what else tells it apart from others."""
    told = [
        recipe[key].rpartition(".")[2] if key == OBJECTIVE else f"{key.rpartition('.')[2]}={recipe[key]}"
        for key in keys
        if key in recipe
    ]
    return f"{_name(start)}({', '.join(told)})"
