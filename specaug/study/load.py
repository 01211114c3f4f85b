"""Reading a recipe: YAML, `extends`, overrides from the command line, errors in one line."""

import copy
import dataclasses
import types
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from specaug.errors import UserError
from specaug.study.choice import PolicyChoice
from specaug.study.kinds import require_kind
from specaug.study.nearest import hint
from specaug.study.pretraining.recipe import Pretraining, shared
from specaug.study.recipe import CORPORA, Pretrained, Recipe
from specaug.training.strength import Strength

SHAPES = {
    "dataclass_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
}  # as YAML calls them
EXTENDS = "extends"
DEEPEST = 8  # parents of a recipe; more are a circle

Kind = TypeVar("Kind")  # of recipe


def load(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in `path` with `key=value` overrides; raises UserError naming the file and the key."""
    return with_content(load_as(Recipe, path, overrides), str(path))


def load_as(kind: type[Kind], path: Path, overrides: Sequence[str] = ()) -> Kind:
    """A recipe of another kind, read in the same way."""
    raw = read(path)
    require_kind(kind, raw, path)
    for override in overrides:
        put(raw, override)
    located(raw, path.parent)
    return validated_as(kind, raw, str(path))


def read(path: Path, depth: int = 0) -> dict[str, Any]:
    """The YAML mapping in `path`, laid over that of its parent."""
    if depth > DEEPEST:
        raise UserError(f"{path}: {EXTENDS} goes {depth} parents deep; expected no circle")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        near = recipes_in(path.parent)
        instead = hint(path.name, near) if near else "; expected a YAML file, as experiments/demo.yaml"
        raise UserError(f"{path}: no such recipe{instead}") from None
    except IsADirectoryError:
        known = ", ".join(recipes_in(path))
        raise UserError(f"{path}: a folder; expected a recipe{f' in it: {known}' * bool(known)}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}: {error.reason})") from None
    except (yaml.YAMLError, ValueError) as error:  # a day that no calendar has is the second
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise UserError(f"{path}{line}: not YAML ({getattr(error, 'problem', error)})") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: a {type(raw).__name__}; expected a mapping of keys to values")
    located(raw, path.parent)
    parent = raw.pop(EXTENDS, None)
    if parent is None:
        return raw
    return laid_over(read(path.parent / str(parent), depth + 1), raw)


def recipes_in(folder: Path) -> list[str]:
    """The recipes in a folder, which need not be there, by file name."""
    return sorted(path.name for path in folder.glob("*.yaml") if not path.name.startswith("."))


def located(raw: dict[str, Any], folder: Path) -> None:
    """Have the path of a pretraining's recipe, which is relative to the file that names it, hold in any other."""
    network = raw.get("network")
    wanted = network.get("pretraining") if isinstance(network, dict) else None
    if isinstance(wanted, dict) and isinstance(wanted.get("recipe"), str) and not wanted.get("content"):
        wanted["recipe"] = str(folder.resolve() / wanted["recipe"])


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above`, and what only `below` says; mappings of one name are merged, anything else replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if (
            isinstance(old, dict)
            and isinstance(value, dict)
            and value.get("name", old.get("name")) == old.get("name")
        ):
            merged[key] = laid_over(old, value)
        else:
            merged[key] = value
    return merged


def put(raw: dict[str, Any], override: str) -> None:
    """Lay `a.b=value` over the mapping; a value with commas is a list."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UserError(f"override {override!r}: expected key=value, as in policy=LD or training.batch=8")
    try:
        value = yaml.safe_load(
            f"[{text}]" if "," in text and not text.startswith(("[", "{", '"', "'")) else text
        )
    except (yaml.YAMLError, ValueError):
        raise UserError(f"override {override!r}: the value is not YAML") from None
    *parents, last = key.split(".")
    for parent in parents:
        child = raw.setdefault(parent, {})
        if isinstance(child, str):  # policy: LD, then policy.F=15
            child = raw[parent] = {"name": child}
        if not isinstance(child, dict):
            raise UserError(f"override {override!r}: {parent} holds {child!r}; it has no fields")
        raw = child
    alone = not parents and last in LISTS and not isinstance(value, list)
    raw[last] = [value] if alone else value


def validated(raw: dict[str, Any], where: str) -> Recipe:
    """The recipe that a mapping spells; raises UserError at its first mistake."""
    return with_content(validated_as(Recipe, raw, where), where)


def with_content(recipe: Recipe, where: str) -> Recipe:
    """The recipe with all that its pretraining says, if it has one, written out; but for the seed and the fold."""
    if (wanted := recipe.network.pretraining) is None:
        return recipe
    path = Path(wanted.recipe)
    raw = copy.deepcopy(dict(wanted.content)) or read(path)
    require_kind(Pretraining, raw, path)
    for override in wanted.overrides:
        if override.partition("=")[0] in SEEDED:
            raise UserError(
                f"{where}: network.pretraining.overrides has {override!r}; the seed is the run's own"
            )
        put(raw, override)
    told = validated_as(Pretraining, raw, f"{where}: network.pretraining" if wanted.content else str(path))
    content = plain(shared(told, recipe.corpus))
    name = wanted.recipe if wanted.content else path.stem
    pretraining = Pretrained(recipe=name, content=content)
    return dataclasses.replace(recipe, network=dataclasses.replace(recipe.network, pretraining=pretraining))


def validated_as(kind: type[Kind], raw: dict[str, Any], where: str) -> Kind:
    """The same for a recipe of another kind."""
    try:
        recipe: Kind = adapter(cast(Any, kind)).validate_python(raw)
    except ValidationError as error:
        raise UserError(f"{where}: {message(error, kind)}") from None
    return recipe


@cache
def adapter(kind: Any) -> Any:
    """What makes such a recipe of a mapping, and refuses unknown keys."""
    strict(kind)
    return TypeAdapter(kind)


def message(error: ValidationError, kind: type = Recipe) -> str:
    """The first mistake in one line: the key, what it holds, what was expected; `kind` is what was to be read."""
    first = error.errors(include_url=False)[0]
    loc = first["loc"]
    path = [str(part) for above, part in pairwise(("", *loc)) if not is_tag(above, part)]
    key, fault = ".".join(path), first["type"]
    if fault in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"unknown key {key!r}{hint(path[-1], known_keys(loc, kind))}"
    if fault in ("union_tag_invalid", "union_tag_not_found"):
        name = (first.get("ctx") or {}).get("tag", "")
        return f"unknown corpus {name!r}{hint(str(name), CORPORA)}"
    what = str(first["msg"]).removeprefix("Value error, ")
    if fault == "value_error":
        return f"{key}: {what}" if key else what
    if fault in SHAPES:
        named = (first.get("ctx") or {}).get("class_name") == PolicyChoice.__name__
        what = f"expected {'a name or ' if named else ''}{SHAPES[fault]}"
    return f"{key} is {first['input']!r}; {what[0].lower()}{what[1:]}"


def is_tag(above: str | int, part: str | int) -> bool:
    """Whether a place in a recipe is no key but says which corpus the keys below are of."""
    return above == "corpus" and part in CORPORA


def known_keys(loc: tuple[str | int, ...], kind: Any = Recipe) -> list[str]:
    """The keys that a mapping at this place of a recipe may have."""
    for above, part in pairwise(("", *loc[:-1])):
        if is_tag(above, part):
            kind = next(c for c in members(kind) if getattr(c, "name", None) == part)
        elif isinstance(part, str):
            kind = get_type_hints(kind).get(part, kind)
        dataclass_members = [c for c in members(kind) if dataclasses.is_dataclass(c)]
        if len(dataclass_members) == 1:
            kind = dataclass_members[0]
    return [f.name for f in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []


def members(kind: Any) -> list[Any]:
    """The types that a union, a tuple or an annotated type is made of."""
    if get_origin(kind) in (types.UnionType, tuple) or get_origin(kind) is not None:
        return [inner for arg in get_args(kind) for inner in members(arg)]
    return [kind]


def as_yaml(recipe: Any) -> str:
    """A recipe with defaults written out; itself a valid recipe."""
    return yaml.safe_dump(plain(recipe), sort_keys=False, allow_unicode=True)


def plain(value: Any) -> Any:
    """Dataclasses as mappings (a policy without the fields that its name decides), tuples as lists."""
    if dataclasses.is_dataclass(value):
        items = {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        if isinstance(value, PolicyChoice):
            return {name: item for name, item in items.items() if getattr(value, name) not in UNSAID}
        return items
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value


def strict(kind: type) -> None:
    """Refuse unknown keys in this dataclass and in those below it."""
    for inner in get_type_hints(kind).values():
        for member in members(inner):
            if dataclasses.is_dataclass(member) and isinstance(member, type):
                strict(member)
    kind.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]


UNSAID: tuple[Any, ...] = (None, "", (), Strength())  # values of a policy that its name alone implies
SEEDED = ("seed", "seeds")  # what a run's pretraining has of the run
LISTS = tuple(f.name for f in dataclasses.fields(Recipe) if str(f.type).startswith("tuple"))
