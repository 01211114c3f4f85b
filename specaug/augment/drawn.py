"""What all draws have in common: they move between devices, leave lengths as they are, and are applied."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

M = TypeVar("M", bound="Movable")


@dataclass(frozen=True, slots=True)
class Movable:
    """Values some of which are tensors, or hold some."""

    def to(self: M, device: torch.device) -> M:
        """The same on a device."""
        return type(self)(*(moved(getattr(self, field.name), device) for field in fields(self)))


def moved(value: Any, device: torch.device) -> Any:
    """A tensor, or what holds some, on a device; anything else as it is."""
    if isinstance(value, Tensor):
        # What a GPU copies from memory that may be paged out, the host waits for
        pinned = device.type == "cuda" and value.device.type == "cpu"
        return (value.pin_memory() if pinned else value).to(device, non_blocking=True)
    return value.to(device) if isinstance(value, Movable) else value


def tensors(value: Any) -> Iterator[Tensor]:
    """Every tensor that a value is or holds."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Movable):
        for field in fields(value):
            yield from tensors(getattr(value, field.name))


@dataclass(frozen=True, slots=True)
class Drawn(Movable):
    """What one operation drew for the utterances of a batch."""

    def shortened(self, lengths: Int[Tensor, " batch"]) -> Int[Tensor, " batch"]:
        """The lengths afterwards, in frames: those before, unless an operation says otherwise."""
        return lengths

    def apply(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch time mel"]:
        """A new tensor, augmented; the padding as it was."""
        raise NotImplementedError
