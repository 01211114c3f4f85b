"""SpecAugment (Park et al. 2019), and the bench on which its policies are compared.

The transform needs torch alone:

    from specaug import LD, SpecAugment
    augment = SpecAugment(LD, seed=0)
    masked = augment(features, lengths)  # (batch, time, mel), (batch,)
"""

import importlib
from typing import TYPE_CHECKING, Any

from specaug.augment.operations import (
    FilterAugment,
    FrequencyMask,
    PatchMask,
    SpecSub,
    SpecSwap,
    SpliceOut,
    TimeMask,
    TimeWarp,
)
from specaug.augment.policy import CONFORMER, LB, LD, LIBRI_FULL_ADAPT, NONE, SM, SS, Policy, paper_policy

if TYPE_CHECKING:
    from specaug.augment.apply import apply
    from specaug.augment.draws import Draws, draw
    from specaug.augment.engines import engine_for
    from specaug.augment.keys import make_keys
    from specaug.augment.transform import SpecAugment

__all__ = [
    "CONFORMER",
    "LB",
    "LD",
    "LIBRI_FULL_ADAPT",
    "NONE",
    "SM",
    "SS",
    "Draws",
    "FilterAugment",
    "FrequencyMask",
    "PatchMask",
    "Policy",
    "SpecAugment",
    "SpecSub",
    "SpecSwap",
    "SpliceOut",
    "TimeMask",
    "TimeWarp",
    "apply",
    "draw",
    "engine_for",
    "make_keys",
    "paper_policy",
]

_LATER = {
    "SpecAugment": "transform",
    "Draws": "draws",
    "draw": "draws",
    "make_keys": "keys",
    "engine_for": "engines",
    "apply": "apply",
}


def __getattr__(name: str) -> Any:
    """Torch takes seconds to import; the command line's `--help` must not wait for it."""
    if name not in _LATER:
        raise AttributeError(f"module 'specaug' has no attribute {name!r}")
    return getattr(importlib.import_module(f"specaug.augment.{_LATER[name]}"), name)
