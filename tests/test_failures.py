import errno

import pytest
import torch
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from specaug.errors import Diverged, UserError
from specaug.study.sweep.failures import BUG, DATA, DIVERGED, MEMORY, STORAGE, kind_of, said
from specaug.training.ranks import Died

LOADER = "DataLoader worker (pid 12) is killed by signal: Killed. "


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("CUDA out of memory. Tried"), MEMORY),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you"), MEMORY),
        (RuntimeError(LOADER), MEMORY),
        (RuntimeError("DataLoader worker (pid(s) 12, 13) exited unexpectedly"), MEMORY),
        (UserError("network N fails on its first batch: OutOfMemoryError: CUDA out of memory."), MEMORY),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), MEMORY),
        (torch.cuda.OutOfMemoryError("x"), MEMORY),
        (Died("rank 1 ended (SIGKILL)"), MEMORY),
        (StorageInternalError("An exception is raised"), STORAGE),
        (OperationalError("SELECT 1", {}, Exception("server closed the connection")), STORAGE),
        (OSError(errno.ESTALE, "Stale file handle"), STORAGE),
        (OSError(errno.EIO, "Input/output error"), STORAGE),
        (OSError(errno.ENOTCONN, "Transport endpoint is not connected"), STORAGE),
        (OSError(errno.ETIMEDOUT, "Connection timed out"), STORAGE),
        (UserError("a.wav: empty"), DATA),
        (Diverged("the loss is not finite"), DIVERGED),
        (FileNotFoundError(errno.ENOENT, "No such file"), BUG),
        (RuntimeError("Caught KeyError in DataLoader worker process 0."), BUG),
        (RuntimeError("shapes do not fit"), BUG),
        (ValueError("too many values to unpack"), BUG),
    ],
)
def test_errors_are_sorted(error, kind):
    assert kind_of(error) == kind


def test_an_error_is_one_line():
    assert said(KeyError("a\nb")) == r"KeyError: 'a\nb'"
    assert said(ArithmeticError("no\nsecond line")) == "ArithmeticError: no"
    assert said(UserError("a.wav: empty")) == "a.wav: empty"
    assert said(ArithmeticError()) == "ArithmeticError: "


def test_what_a_database_says_is_not_repeated():
    told = OperationalError("SELECT 1", {}, Exception("password s3cret is wrong"))
    assert said(told) == "the study's storage did not answer"
