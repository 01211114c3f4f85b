"""Which code applies a warp and its masks: plain torch, or one fused pass where that is installed and faster."""

import os
from functools import lru_cache
from importlib import import_module
from types import ModuleType

import torch
from torch import Tensor

ENGINES = ("plain", "numba", "triton")
OVERRIDE = "SPECAUG_ENGINE"  # an environment variable: one of ENGINES for every transform of the process


def numba_path() -> ModuleType | None:
    """The fused pass on the CPU, where numba is installed and plain torch was not asked for."""
    return path("specaug.augment.fused_cpu")


def compiled_draws() -> ModuleType | None:
    """The draws in compiled loops, where numba is installed and plain torch was not asked for."""
    return path("specaug.augment.fused_draws")


def triton_path() -> ModuleType | None:
    """The fused pass on CUDA, where Triton is installed and plain torch was not asked for."""
    return path("specaug.augment.fused_cuda")


def path(module: str) -> ModuleType | None:
    """The module; None where what it needs is not installed, or the environment asks for plain torch."""
    return None if os.environ.get(OVERRIDE) == "plain" else installed(module)


@lru_cache(maxsize=3)
def installed(module: str) -> ModuleType | None:
    """The module; None where what it needs is not installed."""
    try:
        return import_module(module)
    except ImportError:
        return None


def engine_for(features: Tensor, engine: str | None = None) -> str:
    """The engine that augments such features: `engine` where it is given, else the fastest that can.

    A fused pass has no gradient, so features that need one go the plain way. Raises ValueError where the engine
    is unknown, or named and not able to.
    """
    engine = asked(engine)
    if engine == "plain":
        return "plain"
    able = "plain"
    if not (features.requires_grad and torch.is_grad_enabled()):
        if features.device.type == "cpu" and (path := numba_path()) and path.accepts(features):
            able = "numba"
        elif features.device.type == "cuda" and (path := triton_path()) and features.dtype in path.DTYPES:
            able = "triton"
    if engine in (None, able):
        return able
    what = f"{features.dtype} on {features.device.type}"
    raise ValueError(
        f"engine is {engine!r}; for {what} with{'out' * (not features.requires_grad)} gradient it is {able!r}"
    )


def asked(engine: str | None) -> str | None:
    """The engine that is named here or in the environment, if any. Raises ValueError where it is unknown."""
    engine = engine or os.environ.get(OVERRIDE) or None
    if engine not in (None, *ENGINES):
        raise ValueError(f"engine is {engine!r}; expected one of {', '.join(ENGINES)}")
    return engine
