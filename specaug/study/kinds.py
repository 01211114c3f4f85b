"""The three kinds of recipe, told apart by their keys, so that one is not read as another."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from specaug.errors import UserError
from specaug.study.pretraining.recipe import Pretraining
from specaug.study.recipe import Recipe


@dataclass(frozen=True)
class Said:
    """What a kind of recipe is called, which verb takes it, and the keys that it may have."""

    name: str
    verb: str
    keys: Collection[str]


KINDS: Mapping[str, Said] = {  # by the name of the class
    "Recipe": Said("an experiment", "ablate", [field.name for field in fields(Recipe)]),
    "Pretraining": Said("a pretraining", "pretrain", [field.name for field in fields(Pretraining)]),
    "Sweep": Said(  # written out: where it is defined, recipes are read
        "a sweep",
        "sweep",
        [
            "experiment",
            "overrides",
            "policy",
            "space",
            "metric",
            "part",
            "trials",
            "seeds",
            "first",
            "sampler",
            "seed",
            "pruner",
            "confirm",
        ],
    ),
}


def require_kind(kind: type, raw: Mapping[str, Any], path: Path) -> None:
    """Raise UserError where the keys of the recipe in `path` are rather those of another kind."""
    known = {name: len(set(said.keys) & set(raw)) for name, said in KINDS.items()}
    found = max(known, key=lambda name: (known[name], name == kind.__name__))
    if found != kind.__name__:
        said, expected = KINDS[found], KINDS[kind.__name__].name
        raise UserError(f"{path}: this is {said.name}, which `specaug {said.verb}` runs; expected {expected}")
