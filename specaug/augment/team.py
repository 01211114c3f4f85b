"""Work for torch's own threads, from compiled code.

Between two calls torch's OpenMP threads spin on their cores, where threads of anybody else wait for a turn. So the
work goes to that team itself, by the entry that compilers call for `#pragma omp parallel`. Its members claim one part
after the other from a counter in memory, without Python and its lock.
"""

import ctypes
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, no_type_check

import torch
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from specaug.augment import OWNER

WORK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def run(work: int, data: int, threads: int) -> None:
    """Call the compiled function at address `work` with the address `data` in each of the threads, this one included.

    In this one alone where torch's OpenMP cannot be called, or the process is a fork() of the one that imported specaug.
    """
    parallel = entry() if threads > 1 and os.getpid() == OWNER else None
    if parallel:
        parallel(ctypes.c_void_p(work), ctypes.c_void_p(data), threads, 0)
    else:
        WORK(work)(data)


@cache
def entry() -> Callable[..., Any] | None:
    """GOMP_parallel(work, data, threads, flags) of the OpenMP that torch is linked with."""
    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    try:
        found: Callable[..., Any] = ctypes.CDLL(str(library)).GOMP_parallel
    except (OSError, AttributeError):
        return None
    return found


@intrinsic
@no_type_check
def pointer(context, number):  # noqa: ARG001 (numba's form)
    """The address that a whole number is."""

    def build(context, builder, signature, arguments):  # noqa: ARG001
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(number), build


@intrinsic
@no_type_check
def copy(context, target, source, size):  # noqa: ARG001 (numba's form)
    """So many bytes from one address to another, by the C library, which need not read what it writes over."""

    def build(context, builder, signature, arguments):  # noqa: ARG001
        to, of = (builder.inttoptr(address, cgutils.voidptr_t) for address in arguments[:2])
        cgutils.raw_memcpy(builder, to, of, arguments[2], context.get_constant(types.int64, 1))
        return context.get_dummy_value()

    return types.void(target, source, size), build


@intrinsic
@no_type_check
def claim(context, job):  # noqa: ARG001 (numba's form)
    """The first number of a job, which is one more afterwards: no two callers are given the same."""

    def build(context, builder, signature, arguments):  # noqa: ARG001
        place = builder.bitcast(arguments[0], context.get_value_type(types.int64).as_pointer())
        return builder.atomic_rmw("add", place, context.get_constant(types.int64, 1), "monotonic")

    return types.int64(job), build
