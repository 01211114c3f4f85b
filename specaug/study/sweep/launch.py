"""Workers on this machine: processes of one thread each, replaced when they die, ended when the launcher ends."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from specaug.study.sweep.patience import Patience

PROGRAM = "import sys; from specaug.cli import main; sys.exit(main(sys.argv[1:]))"
OWN = ("WANDB_SERVICE",)  # variables of this process alone
GRACE = 15.0  # seconds that workers have, after Ctrl-C, to put their slots back
AGAIN = 10.0  # seconds after which Ctrl-C is said again
EVERY = 0.5  # seconds between two looks


@dataclass
class Hired:
    """A worker process."""

    process: subprocess.Popen[bytes]
    log: Path
    started: float


def local(
    command: Sequence[str], workers: int, folder: Path, look: Callable[[], None] = lambda: None
) -> None:
    """Run so many workers until all of them say that nothing is left; `look` is called meanwhile.

    Raises UserError, with the last line of its log, where workers die as soon as they start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    team = [hire(command, folder, place) for place in range(workers)]
    patience = Patience()
    try:
        while any(worker.process.poll() != 0 for worker in team):
            for place, worker in enumerate(team):
                if worker.process.poll() in (None, 0):
                    continue
                lived = time.monotonic() - worker.started
                patience.died(worker.process.returncode, lived, worker.log)
                team[place] = hire(command, folder, place)
            look()
            time.sleep(EVERY)
    finally:
        put_back([worker.process for worker in team])
        look()


def hire(command: Sequence[str], folder: Path, place: int) -> Hired:
    """Start one worker; what it prints goes to a file of its own."""
    path = folder / f"worker-{place}.log"
    with path.open("ab") as log:
        return Hired(start(command, log), path, time.monotonic())


def start(command: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """A worker of one thread in a session of its own: Ctrl-C reaches it from here alone."""
    environment = {name: value for name, value in os.environ.items() if name not in OWN} | {
        "OMP_NUM_THREADS": "1"
    }
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *command],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=environment,
        start_new_session=True,
    )


def put_back(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End workers as by Ctrl-C, so that their slots are queued again; by force where that is not heard.

    It is said twice: one that comes just before a system call that waits is heard only when that returns.
    """
    for until in (AGAIN, GRACE - AGAIN):
        living = [process for process in processes if process.poll() is None]
        for process in living:
            process.send_signal(signal.SIGINT)
        end = time.monotonic() + until
        for process in living:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, end - time.monotonic()))
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


@contextlib.contextmanager
def heeding(look: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """`look`, which also raises the KeyboardInterrupt of a Ctrl-C that was lost.

    Python drops what is raised while an object is finalised, and the storage's connections are finalised all the time.
    """
    heard: list[int] = []

    def hear(sign: int, frame: FrameType | None) -> None:
        heard.append(sign)
        signal.default_int_handler(sign, frame)

    def looked() -> None:
        look()
        if heard:
            heard.clear()
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield look
        return
    signal.signal(signal.SIGINT, hear)
    try:
        yield looked
    finally:
        signal.signal(signal.SIGINT, before)
