"""Several attempts at one run that cannot disturb each other: each has a folder of its own, the first to finish wins.

A worker that was taken for dead may wake up at any time. Whatever it still writes goes into its own folder, and since
a run has one outcome to the bit, it does not matter whose attempt becomes the run.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from specaug.errors import UserError
from specaug.study.places import space, writable
from specaug.study.results import RESULT
from specaug.training.files import BEST, CURVES, LAST

LOCK = ".lock"
PATIENT = 30.0  # seconds that an attempt waits for those who clear up after another
POLL = 1.0  # seconds between two looks at what another process is doing
BRIEF = 0.5  # seconds that others wait, for whoever only looks whether the run is free


class Busy(UserError):  # noqa: N818 (whose name says what is wrong)
    """Another process is at a run."""


@contextmanager
def held(folder: Path, attempt: str) -> Iterator[Path]:
    """Where to train the run of `folder`, for as long as nobody else may: there, or in a folder of the attempt's own.

    What an attempt has finished at the end becomes the run; where another was first it goes, however it ended. Raises
    Busy where another process is at it.
    """
    own = begin(folder, attempt) if attempt else writable(folder)
    try:
        turn = FileLock(own / LOCK).acquire(timeout=PATIENT if attempt else BRIEF)
    except Timeout:
        raise Busy(f"{own}: another process is at this run; expected it to be free") from None
    try:
        with turn, space(own):
            yield own
    finally:
        if attempt and (folder / RESULT).is_file():
            discard(own)
    if attempt:
        settle(own, folder)


def free(folder: Path) -> bool:
    """Whether no other process is training the run in `folder`."""
    if not (folder / LOCK).is_file():
        return True
    try:
        with FileLock(folder / LOCK, timeout=0):
            return True
    except Timeout:
        return False
    except OSError:  # whoever trains there will say what it is
        return True


def begin(folder: Path, attempt: str) -> Path:
    """The folder of an attempt at the run in `folder`, with what it needs to go on from the furthest attempt so far."""
    own = writable(folder.with_name(f"{folder.name}.{attempt}"))
    if (own / LAST).is_file():
        return own
    others = [path for path in (folder, *attempts(folder)) if (path / LAST).is_file()]
    with suppress(FileNotFoundError):  # an attempt that goes meanwhile leaves a finished run
        for other in sorted(others, key=lambda path: (path / LAST).stat().st_mtime)[-1:]:
            take_over(other, own)
    return own


def take_over(other: Path, own: Path) -> None:
    """Copy what training goes on from: the checkpoint first, since what is written after it will be written again."""
    for name in (LAST, BEST, CURVES):
        if (other / name).is_file():
            shutil.copyfile(other / name, own / f"{name}.partial")
            (own / f"{name}.partial").replace(own / name)


def settle(own: Path, folder: Path) -> None:
    """Give a finished attempt the run's name, unless another was first; the attempts left over go, if nobody is at them.

    Where `specaug train` is at the run, that process may finish it.
    """
    while not (folder / RESULT).is_file() and not free(folder):
        time.sleep(POLL)
    if not (folder / RESULT).is_file() and (own / RESULT).is_file():
        if folder.is_dir():  # begun by `specaug train`, and left
            folder.rename(own.with_name(f"{own.name}.before"))
        try:
            own.rename(folder)
        except OSError:
            if not (folder / RESULT).is_file():
                raise
    for left in attempts(folder):
        discard(left)


def discard(own: Path) -> None:
    """Remove an attempt, unless somebody is at it."""
    try:
        with FileLock(own / LOCK, timeout=0):
            shutil.rmtree(own, ignore_errors=True)
    except (Timeout, OSError):
        return


def attempts(folder: Path) -> list[Path]:
    """The attempts at the run in `folder`."""
    if not folder.parent.is_dir():
        return []
    found = (path for path in folder.parent.iterdir() if path.name.startswith(f"{folder.name}."))
    return sorted(path for path in found if path.is_dir())
