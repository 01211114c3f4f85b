"""Checkpoints, read with care: of this network or of none."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from specaug.errors import UserError

STATE, PREFIX = "state_dict", "network."  # as Lightning's module names them


def weights_of(path: Path, network: nn.Module) -> dict[str, Tensor]:
    """The weights of the network in a checkpoint, on the CPU; nothing is loaded.

    Raises UserError where the file is damaged or of another network or vocabulary, and says what differs first.
    """
    held = read(path)[STATE]
    state = {name.removeprefix(PREFIX): value for name, value in held.items() if name.startswith(PREFIX)}
    if difference := differing(network.state_dict(), state):
        raise UserError(f"{path}: of another network or vocabulary: {difference}")
    return state


def read(path: Path) -> dict[str, Any]:
    """A checkpoint, on the CPU. Raises UserError where the file is damaged, or none that holds weights."""
    try:
        whole: Any = torch.load(path, weights_only=True, map_location="cpu")
        return {**whole, STATE: dict(whole[STATE])}
    except (
        OSError,
        EOFError,
        pickle.UnpicklingError,
        KeyError,
        TypeError,
        ValueError,
        RuntimeError,
    ) as error:
        kind = type(error).__name__
        raise UserError(f"{path}: damaged, or no checkpoint ({kind}); expected one of this run") from None


def differing(wanted: Mapping[str, Tensor], held: Mapping[str, Tensor]) -> str:
    """The first of the wanted weights that is not held, or of another shape, or the first that is not wanted."""
    for name, tensor in wanted.items():
        if name not in held:
            return f"it has no {name}"
        if held[name].shape != tensor.shape:
            return f"{name} is {shape(held[name])}; expected {shape(tensor)}"
    further = sorted(set(held) - set(wanted))
    return f"it has {further[0]}, which the network has not" if further else ""


def shape(tensor: Tensor) -> str:
    """As people write it.

    >>> shape(torch.zeros(2, 3))
    '2 x 3'
    """
    return " x ".join(map(str, tensor.shape)) or "a number"
