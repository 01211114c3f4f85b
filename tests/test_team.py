import ctypes
import multiprocessing
import os
import subprocess
import sys
import threading

import pytest

pytest.importorskip("numba")

import numba
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment import team
from specaug.augment.team import WORK, claim, copy, pointer, run


@numba.cfunc(numba.types.void(numba.types.CPointer(numba.int64)))
def count_each(job):
    """The parts of a job (claimed, parts, address of a counter for each) that this thread can get."""
    claimed = numba.carray(job, 3)
    counters = numba.carray(pointer(claimed[2]), claimed[1], numba.int64)
    part = claim(job)
    while part < claimed[1]:
        counters[part] += 1
        part = claim(job)


def counted(parts: int, threads: int) -> list[int]:
    counters = (ctypes.c_int64 * max(1, parts))()
    job = (ctypes.c_int64 * 3)(0, parts, ctypes.addressof(counters))
    run(count_each.address, ctypes.addressof(job), threads)
    return counters[:parts]


@given(parts=st.integers(0, 300), threads=st.integers(1, 4))
def test_each_part_is_done_once(parts, threads):
    assert counted(parts, threads) == [1] * parts


@numba.cfunc(numba.types.void(numba.types.CPointer(numba.int64)))
def copy_one(job):
    """A job is the address to write to, the address to read at, and so many bytes."""
    told = numba.carray(job, 3)
    copy(told[0], told[1], told[2])


@given(source=st.binary(min_size=1, max_size=9000), share=st.floats(0, 1))
def test_as_many_bytes_are_copied_as_are_asked_for(source, share):
    size = int(share * len(source))
    of, to = (ctypes.create_string_buffer(given, len(source)) for given in (source, b"-" * len(source)))
    job = (ctypes.c_int64 * 3)(ctypes.addressof(to), ctypes.addressof(of), size)
    copy_one.ctypes(ctypes.cast(job, ctypes.POINTER(ctypes.c_int64)))
    assert to.raw == source[:size] + b"-" * (len(source) - size)


def workers(threads: int) -> set[int]:
    """The threads that do a piece of work which waits until all have come."""
    seen = set()
    together = threading.Barrier(threads)

    def note(_: int | None) -> None:
        seen.add(threading.get_native_id())
        together.wait(20)

    work = WORK(note)
    address = ctypes.cast(work, ctypes.c_void_p).value
    assert address
    run(address, 0, threads)
    return seen


@pytest.mark.skipif(team.entry() is None, reason="this torch has no OpenMP that can be called")
def test_the_caller_works_and_so_do_the_others():
    assert workers(1) == {threading.get_native_id()}
    both = workers(2)
    assert len(both) == 2
    assert threading.get_native_id() in both
    assert workers(2) == both  # they stay


@pytest.mark.parametrize("library", ["nothing.so", "libc.so.6"])
def test_without_torchs_openmp_the_caller_does_everything(library, monkeypatch):
    load = ctypes.CDLL
    monkeypatch.setattr(ctypes, "CDLL", lambda _: load(library))
    team.entry.cache_clear()
    try:
        assert team.entry() is None
        assert counted(7, 2) == [1] * 7
    finally:
        team.entry.cache_clear()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_its_parents_threads():
    counted(5, 2)
    child = multiprocessing.get_context("fork").Process(target=count_again)
    child.start()
    child.join(60)
    status = child.exitcode
    child.kill()
    assert status == 0


FORKED = """
import os, signal, torch
import specaug
torch.set_num_threads(2)
features = torch.rand(4, 1000, 80)  # made here: torch itself would wait as well
features.exp()  # the team is there
{made}
if not (child := os.fork()):
    signal.alarm(100)
    {makes}
    augment(features)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
MADE = "augment = specaug.SpecAugment(specaug.LD)"


@pytest.mark.slow
@pytest.mark.parametrize(
    "lines",
    [
        pytest.param({"made": MADE, "makes": ""}, id="what its parent made"),
        pytest.param({"made": "", "makes": MADE}, id="what it made itself"),
    ],
)
def test_a_forked_child_may_be_the_first_to_augment(lines, root):
    command = [sys.executable, "-W", "ignore", "-c", FORKED.format(**lines)]
    environment = {**os.environ, "PYTHONPATH": str(root), "SPECAUG_ENGINE": ""}
    run = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=250)
    assert run.stdout == "0\n"


def count_again() -> None:
    assert counted(5, 2) == [1] * 5
