"""SpecAugment (Park et al. 2019), and the bench on which its policies are compared.

The transform needs torch alone:

    from specaug import LD, SpecAugment
    augment = SpecAugment(LD, seed=0)
    masked = augment(features, lengths)  # (batch, time, mel), (batch,)
"""

import importlib
from typing import TYPE_CHECKING, Any

from specaug.augment.policy import LB, LD, NONE, SM, SS, Policy

if TYPE_CHECKING:
    from specaug.augment.apply import apply
    from specaug.augment.draws import Draws, draw, make_keys
    from specaug.augment.transform import SpecAugment

__all__ = ["LB", "LD", "NONE", "SM", "SS", "Draws", "Policy", "SpecAugment", "apply", "draw", "make_keys"]

_LATER = {
    "SpecAugment": "transform",
    "Draws": "draws",
    "draw": "draws",
    "make_keys": "draws",
    "apply": "apply",
}


def __getattr__(name: str) -> Any:
    """Torch takes seconds to import; the command line's `--help` must not wait for it."""
    if name not in _LATER:
        raise AttributeError(f"module 'specaug' has no attribute {name!r}")
    return getattr(importlib.import_module(f"specaug.augment.{_LATER[name]}"), name)
