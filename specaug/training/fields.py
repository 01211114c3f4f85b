"""The fields of a batch, of whatever kind it is: what they hold, which there are, and a copy with another value."""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from torch import Tensor

from specaug.augment.lengths import require_tensor, shown

Field = str | int  # a name in a NamedTuple, dataclass or mapping; a place in a tuple or list


def get(batch: Any, field: Field, role: str) -> Any:
    """A field of a batch, by name or place; raises ValueError where there is none, saying what it is for."""
    try:
        return batch[field] if isinstance(field, int) or isinstance(batch, Mapping) else getattr(batch, field)
    except (AttributeError, LookupError, TypeError):
        there = ", ".join(map(repr, known(batch))) or "it has none"
        kind = type(batch).__name__
        raise ValueError(f"{role} is {field!r}; expected a field of the batch, a {kind}: {there}") from None


def tensor(batch: Any, field: Field, role: str) -> Tensor:
    """A field that holds a tensor; raises TypeError where it holds anything else."""
    value: Tensor = get(batch, field, role)
    require_tensor(called(role, field), value)
    return value


def called(role: str, field: Field) -> str:
    """A field by what it is for."""
    return f"{role} ({field!r} of the batch)"


def named(batch: Any, field: Field, role: str) -> list[str]:
    """A field that holds a name for each utterance, as text; raises TypeError where it holds no sequence of them.

    Whole numbers are named alike in a list, an array and a tensor on any device (decision D51).
    """
    given = get(batch, field, role)
    values = plain(given)
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        what = shown(called(role, field), given)
        raise TypeError(f"{what}; expected a list, array or tensor with one an utterance")
    return [str(plain(value)) for value in values]


def plain(value: Any) -> Any:
    """Numbers as Python's own, whatever array or tensor holds them, and wherever."""
    return value.tolist() if hasattr(value, "tolist") else value


def known(batch: Any) -> list[Field]:
    """The fields of a batch."""
    if is_dataclass(batch):
        return [field.name for field in fields(batch)]
    if isinstance(batch, tuple | list):
        return [*getattr(batch, "_fields", ()), *range(len(batch))]
    return list(batch if isinstance(batch, Mapping) else getattr(batch, "__dict__", ()))


def put(batch: Any, field: Field, value: Tensor) -> Any:
    """A copy of the batch with one field replaced, which shares the other values and nothing else with it."""
    # A dict, or a UserDict as Hugging Face's
    if isinstance(batch, MutableMapping) and hasattr(batch, "copy"):
        made = batch.copy()
        made[field] = value
        return made
    if isinstance(field, int):
        make = getattr(batch, "_make", type(batch))  # a NamedTuple takes its fields one by one
        return make(value if place == field % len(batch) else item for place, item in enumerate(batch))
    if hasattr(batch, "_replace"):
        return batch._replace(**{field: value})
    if is_dataclass(batch) and not isinstance(batch, type):
        return replace(batch, **{field: value})
    kind = type(batch).__name__
    raise TypeError(
        f"batch is a {kind}; expected a tuple, list, dataclass, dictionary or a mapping with copy()"
    )
