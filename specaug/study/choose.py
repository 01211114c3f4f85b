"""A policy as it is written on the command line: a name, and overrides of its values."""

from collections.abc import Sequence
from typing import Any

from specaug.study.choice import PolicyChoice
from specaug.study.load import put, validated


def chosen(name: str, overrides: Sequence[str]) -> PolicyChoice:
    """The policy that a name and `key=value` overrides mean; raises UserError at the first mistake.

    >>> chosen("LD", ["scale=0.25", "F=15"]).title()
    'LD x 0.25 F=15'
    """
    raw: dict[str, Any] = {"policy": {"name": name}}
    for override in overrides:
        put(raw, f"policy.{override}")
    return validated(raw, "show").policy
