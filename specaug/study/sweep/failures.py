"""Sorting what goes wrong in a trial."""

import torch

from specaug.errors import UserError
from specaug.training.ranks import Died

MEMORY, DATA, DIVERGED, BUG = "out of memory", "data", "diverged", "bug"


class Diverged(Exception):  # noqa: N818 (a state of training)
    """Training ended in a loss that is not finite."""


def kind_of(error: BaseException) -> str:
    """Memory (worth another try), data or policy (the user's), divergence (the policy's), or a bug (ours).

    A process of a run that ends without a word was most likely killed for its memory.
    """
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError | Died):
        return MEMORY
    if isinstance(error, RuntimeError) and any(
        word in str(error).lower()
        for word in ("out of memory", "can't allocate memory", "cannot allocate memory")
    ):
        return MEMORY
    if isinstance(error, UserError | ValueError):
        return DATA
    return DIVERGED if isinstance(error, Diverged) else BUG
