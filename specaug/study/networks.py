"""From the dotted path in a recipe to a network."""

import ast
import importlib
import inspect
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from torch import nn

from specaug.errors import UserError
from specaug.study.nearest import hint
from specaug.study.recipe import Network, Recipe

EXPECTED = {
    "int": "a whole number",
    "float": "a number (0.1 or 1.0e-1)",
    "str": "text",
    "bool": "true or false",
}
CALLS = ("loss", "transcribe")  # what a network answers
SIGNS = {  # what the code of such a class says, as a syntax tree is printed, and what it does not say
    "network": (("arg='vocab'",), ()),
    "encoder": (("arg='mel'", "arg='t'"), ("arg='vocab'",)),
    "objective": (("arg='encoder'", "arg='hidden'"), ("NotImplementedError",)),
}


def network_of(recipe: Recipe, labels: int, laboratory: Path) -> nn.Module:
    """The network of a recipe for so many labels; where they are classes it answers `scores` too. Raises as `build`."""
    calls = (*CALLS, *(["scores"] if recipe.text.classes else []))
    return constructed(recipe.network, calls, laboratory, mel=recipe.features.mel, vocab=labels)


def build(network: Network, mel: int, vocab: int, laboratory: Path) -> nn.Module:
    """The network, with fresh weights from torch's generator; its laboratory is on the import path.

    Raises UserError where the path or an argument is not known, the network refuses its arguments, or fails.
    """
    return constructed(network, CALLS, laboratory, mel=mel, vocab=vocab)


def constructed(
    network: Network, calls: Sequence[str], laboratory: Path, what: str = "network", **given: Any
) -> nn.Module:
    """A network, or another of SIGNS, that answers `calls`, of what is given and its own arguments; raises as `build`."""
    kind = find_class(network.path, laboratory, what)
    check_arguments(network, kind, what)
    try:
        built = kind(**given, **network.arguments)
    except ValueError as error:  # as a network refuses a value
        raise UserError(f"{what} {network.path}: {error}") from None
    except Exception as error:  # noqa: BLE001 (whatever the code of a network may raise)
        raise UserError(f"{what} {network.path}: {told(error, network.path, laboratory)}") from None
    for call in calls:
        if not callable(getattr(built, call, None)):
            raise UserError(f"{what} {network.path} has no method {call!r}; expected {' and '.join(calls)}")
    return cast(nn.Module, built)


def check_arguments(network: Network, kind: Any, what: str = "network") -> None:
    """Raise UserError where an argument is unknown, or of another type than the network's code says."""
    known = {
        name: parameter.annotation
        for name, parameter in inspect.signature(kind).parameters.items()
        if name not in ("mel", "vocab", "encoder")
    }
    for name, value in network.arguments.items():
        if name not in known:
            raise UserError(f"{what} {network.path}: unknown argument {name!r}{hint(name, known)}")
        wanted, given = getattr(known[name], "__name__", str(known[name])), type(value).__name__
        if wanted in EXPECTED and given != wanted and (wanted, given) != ("float", "int"):
            raise UserError(
                f"{what} {network.path}: argument {name} is {value!r}; expected {EXPECTED[wanted]}"
            )


def told(error: Exception, path: str, laboratory: Path) -> str:
    """Where in the code of a network an error comes from, as far as that lies in the laboratory, its type, its text."""
    own = laboratory.resolve() / path.partition(".")[0]
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    text = (str(error).splitlines() or [""])[0]
    if isinstance(error, SyntaxError):  # it has no frame of its own
        frames, text = [*frames, (str(error.filename), error.lineno)], error.msg
    places = [(Path(file), line) for file, line in frames if Path(file).with_suffix("").is_relative_to(own)]
    at = [f"{file.relative_to(own.parent)}:{line}: " for file, line in places[-1:]]
    return f"{''.join(at)}{type(error).__name__}: {text}"


def find_class(path: str, laboratory: Path, what: str = "network") -> Any:
    """The class at a dotted path."""
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name, None) if module else None
    except Exception as error:  # noqa: BLE001 (whatever the code of a network may raise)
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if not missing or not f"{module}.".startswith(f"{missing}."):
            raise UserError(f"{what} {path}: {told(error, path, laboratory)}") from None
        found = None
    if not inspect.isclass(found) or not issubclass(found, nn.Module):
        raise UserError(f"unknown {what} {path!r}{hint(path, known_networks(laboratory, what))}")
    return found


def known_networks(laboratory: Path, what: str = "network") -> list[str]:
    """The networks in the laboratory's `models/`, or another of SIGNS, by dotted path."""
    says, says_not = SIGNS[what]
    classes = {
        f"models.{file.stem}.{node.name}": node
        for file in sorted((laboratory / "models").glob("*.py"))
        for node in statements(file)
        if isinstance(node, ast.ClassDef)
    }
    by_name = {node.name: node for node in classes.values()}
    return [
        path
        for path, node in classes.items()
        if all(sign in ast.dump(node) for sign in says)
        and not any(sign in ast.dump(node) for sign in says_not)
        and (what != "network" or answers(node, by_name) >= set(CALLS))
    ]


def answers(node: ast.ClassDef, by_name: Mapping[str, ast.ClassDef]) -> set[str]:
    """The methods of a class, with those of the classes before it in its laboratory."""
    own = {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
    others = {name: one for name, one in by_name.items() if one is not node}  # names may go in circles
    bases = [others.get(ast.unparse(base).rpartition(".")[2]) for base in node.bases]
    return own.union(*(answers(base, others) for base in bases if base))


def statements(file: Path) -> list[ast.stmt]:
    """What a Python file consists of; nothing where it is none, which is told when it is asked for."""
    try:
        return ast.parse(file.read_text(encoding="utf-8")).body
    except (SyntaxError, ValueError):  # ValueError: no text
        return []


def outputs_of(network: nn.Module, frames: int) -> int:
    """Frames that the network makes of `frames`, where it says so (`frames_out`), else as many as it gets."""
    count = getattr(network, "frames_out", None)
    return int(count(frames)) if callable(count) else frames
