"""Sorting what goes wrong in a trial."""

import errno

import torch
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from specaug.errors import Diverged, UserError
from specaug.training.ranks import Died

MEMORY, STORAGE, DATA, DIVERGED, BUG = "out of memory", "storage", "data", "diverged", "bug"
AWAY = (StorageInternalError, SQLAlchemyError)  # what is raised where the study's storage does not answer
LOST = (errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT)  # what a disk says that is away
FULL = (  # what is said where there is no memory left, in a process or in those that load its data
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "dataloader worker (pid",
)


def kind_of(error: BaseException) -> str:
    """Memory or a storage (worth another try), data or policy (the user's), divergence (the policy's), or a bug (ours).

    A process of a run that ends without a word was most likely killed for its memory.
    """
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError | Died):
        return MEMORY
    if isinstance(error, RuntimeError | OSError | UserError) and any(
        word in str(error).lower() for word in FULL
    ):
        return MEMORY
    if isinstance(error, AWAY) or (isinstance(error, OSError) and error.errno in LOST):
        return STORAGE
    if isinstance(error, Diverged):
        return DIVERGED
    return DATA if isinstance(error, UserError) else BUG


def said(error: BaseException) -> str:
    """What an error says, in one line; a database's own words might hold its password."""
    if isinstance(error, AWAY):
        return "the study's storage did not answer"
    first = (str(error).splitlines() or [""])[0]
    return first if isinstance(error, UserError) else f"{type(error).__name__}: {first}"
