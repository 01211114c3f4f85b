"""From the dotted path in a recipe to a network."""

import ast
import importlib
import inspect
from pathlib import Path
from typing import Any, cast

from torch import nn

from specaug.errors import UserError
from specaug.study.nearest import hint
from specaug.study.recipe import Network


def build(network: Network, mel: int, vocab: int, laboratory: Path) -> nn.Module:
    """The network, with fresh weights from torch's generator; its laboratory is on the import path.

    Raises UserError where the path or an argument is not known, or the network refuses its arguments.
    """
    kind = find_class(network.path, laboratory)
    known = [name for name in inspect.signature(kind).parameters if name not in ("mel", "vocab")]
    for name in network.arguments:
        if name not in known:
            raise UserError(f"network {network.path}: unknown argument {name!r}{hint(name, known)}")
    try:
        built = kind(mel=mel, vocab=vocab, **network.arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"network {network.path}: {error}") from None
    for call in ("loss", "transcribe"):
        if not callable(getattr(built, call, None)):
            raise UserError(f"network {network.path} has no method {call!r}; expected loss and transcribe")
    return cast(nn.Module, built)


def find_class(path: str, laboratory: Path) -> Any:
    """The class at a dotted path."""
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name, None) if module else None
    except ModuleNotFoundError as error:
        if error.name and not module.startswith(error.name):
            raise
        found = None
    if not inspect.isclass(found) or not issubclass(found, nn.Module):
        raise UserError(f"unknown network {path!r}{hint(path, known_networks(laboratory))}")
    return found


def known_networks(laboratory: Path) -> list[str]:
    """The classes in the laboratory's `models/` that take `mel` and `vocab`, by dotted path."""
    return [
        f"models.{file.stem}.{node.name}"
        for file in sorted((laboratory / "models").glob("*.py"))
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and "arg='vocab'" in ast.dump(node)
    ]


def outputs_of(network: nn.Module, frames: int) -> int:
    """Frames that the network makes of `frames`, where it says so (`frames_out`), else as many as it gets."""
    count = getattr(network, "frames_out", None)
    return int(count(frames)) if callable(count) else frames
