"""Several processes at one run: how they come to be, what they tell, and how they end together.

The process that starts the ranks is none of them: it waits, and so it notices at once when one of them dies, and a
death, an error, Ctrl-C and a listener that raises end all of them alike. When it is killed itself, its end of their
lines closes, and they leave. They are commands of their own: a daemon of multiprocessing, as a worker of an ablation
is, may start no processes of it, and Lightning would run `sys.argv` once more. They meet in a store of this process,
which listens on the loopback at a port that the system chose; no variable of a surrounding SLURM job is asked.
"""

import io
import json
import mmap
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np
import torch
from torch import distributed
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from specaug.errors import UserError

LOOPBACK = "127.0.0.1"
PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from specaug.training.ranks import serve; serve(*map(int, sys.argv[2:]))"
)
GOES_ON = "the next start continues from the last checkpoint"


def nothing(_: Any) -> None:
    """Where nobody listens."""


@dataclass(frozen=True)
class Rank:
    """One of the processes of a run."""

    number: int = 0
    of: int = 1
    tell: Callable[[Any], None] = nothing  # the process that started the ranks


ALONE = Rank()

Work = Callable[[Any, Rank], Any]


class Died(UserError):  # noqa: N818 (a state of a process)
    """A rank that ended without a word, which is nobody's fault that we know of."""


@dataclass(frozen=True)
class Told:
    """Something that a rank tells on its way."""

    what: Any


@dataclass(frozen=True)
class Done:
    """What a rank's work came to."""

    value: Any


@dataclass(frozen=True)
class Failed:
    """Why a rank stopped, and when, on the clock that all processes of a machine share."""

    error: BaseException
    when: float = -1.0  # a death goes first: what the others say then is that they were left alone


@dataclass(frozen=True)
class Member:
    """A rank, as the process that started it sees it."""

    rank: Rank
    process: subprocess.Popen[bytes]
    line: Connection

    def send(self, parcel: bytes) -> None:
        """Give it its work; one that died meanwhile is noticed by whoever listens."""
        try:
            self.line.send_bytes(parcel)
        except (BrokenPipeError, ConnectionResetError):
            return

    def news(self) -> Told | Done | Failed:
        """What it says next."""
        try:
            news: Told | Done | Failed = self.line.recv()
        except (EOFError, OSError):
            code = self.process.wait()
            name = signal.Signals(-code).name if code < 0 else f"status {code}"
            return Failed(Died(f"rank {self.rank.number} of {self.rank.of} died ({name}); {GOES_ON}"))
        return news


def enough(devices: int) -> None:
    """Raise UserError where there are GPUs, and fewer than a run asks for."""
    there = torch.cuda.device_count()
    if 0 < there < devices:
        raise UserError(f"training.devices is {devices}; expected at most {there}, the GPUs of this machine")


def together(work: Work, argument: Any, ranks: int, hear: Callable[[Any], None]) -> Any:
    """What `work(argument, rank)` returns in rank 0 of so many ranks, which form a group of torch.distributed.

    `hear` is called here, with what the ranks tell. The first error of a rank is raised here as well, Died where one
    ended without a word; whatever ends this function ends all ranks, which may be in the middle of anything.
    """
    parcel = packed((work, argument))
    meeting = meeting_point()
    team: list[Member] = []
    try:
        team.extend(start(Rank(number, ranks), meeting.port) for number in range(ranks))
        for member in team:
            member.send(parcel)
        return listen(team, hear)
    finally:
        for member in team:
            member.process.kill()
        for member in team:
            member.process.wait()
            member.line.close()


def listen(team: Sequence[Member], hear: Callable[[Any], None]) -> Any:
    """Hear the ranks until all are done; what rank 0 came to."""
    working = {member.line: member for member in team}
    result = None
    while working:
        heard = {line: working[line].news() for line in working.keys() & set(wait(list(working)))}
        if failures := [news for news in heard.values() if isinstance(news, Failed)]:
            raise min(failures, key=lambda failed: failed.when).error
        for line, news in heard.items():
            if isinstance(news, Told):
                hear(news.what)
            elif isinstance(news, Done):
                result = news.value if working.pop(line).rank.number == 0 else result
    return result


def meeting_point() -> TCPStore:
    """A store in which the ranks find each other, for this machine alone."""
    server = socket.create_server((LOOPBACK, 0))
    port = server.getsockname()[1]
    return TCPStore(LOOPBACK, port, is_master=True, wait_for_workers=False, master_listen_fd=server.detach())


def start(rank: Rank, port: int) -> Member:
    """A process that waits for its work; in a session of its own, since Ctrl-C is for the process that starts it."""
    ours, theirs = Pipe()
    with theirs:
        numbers = (theirs.fileno(), rank.number, rank.of, port)
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(sys.path), *map(str, numbers)],
            stdin=subprocess.DEVNULL,
            stdout=2,  # standard output is for what the command prints
            env={**os.environ, **environment(rank)},
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    return Member(rank, process, ours)


def environment(rank: Rank) -> dict[str, str]:
    """What a rank's libraries shall know from their import on: one thread, the loopback, who they are."""
    names = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    inside = {"GLOO_SOCKET_IFNAME": names[0], "NCCL_SOCKET_IFNAME": names[0]} if names else {}
    who = {"RANK": rank.number, "LOCAL_RANK": rank.number, "WORLD_SIZE": rank.of}
    quiet = {
        "TORCH_CPP_LOG_LEVEL": os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR")
    }  # DDP's advice (see ddp.py)
    return {
        "OMP_NUM_THREADS": "1",
        **quiet,
        **inside,
        **{name: str(number) for name, number in who.items()},
    }


class Packing(pickle.Pickler):
    """A memory-mapped array is packed as the file that it shows, so that all ranks share it; tensors as they are.

    The pickles of multiprocessing would put tensors into memory that is shared through a server.
    """

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, np.memmap) and isinstance(obj.base, mmap.mmap):
            return np.memmap, (obj.filename, obj.dtype, "c", obj.offset, obj.shape)
        return NotImplemented


def packed(thing: Any) -> bytes:
    """What a line carries; raises UserError where it holds what another process cannot import."""
    out = io.BytesIO()
    try:
        Packing(out).dump(thing)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UserError(
            f"a rank cannot be told its work: {error}; expected classes that can be imported"
        ) from None
    return out.getvalue()


def serve(line: int, number: int, ranks: int, port: int) -> None:
    """What the process of a rank does: it gets its work, does it in the group of the others, and says what came of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # SLURM sends it to every process of a job
    pipe = Connection(line)
    try:
        work, argument = pipe.recv()
        threading.Thread(target=leave_with, args=(pipe,), daemon=True).start()
        torch.set_num_threads(1)  # the order of a sum depends on the number of threads, and so do the bits
        join(number, ranks, port)
        value = work(argument, Rank(number, ranks, lambda what: pipe.send_bytes(packed(Told(what)))))
        distributed.destroy_process_group()
        pipe.send_bytes(packed(Done(value if number == 0 else None)))
    except BaseException as error:  # noqa: BLE001 (whatever it is, it is told)
        error.add_note(f"in rank {number} of {ranks}:\n{traceback.format_exc()}")
        pipe.send_bytes(packed(Failed(sendable(error), time.monotonic())))


def leave_with(pipe: Connection) -> None:
    """End this process when the one that started it is gone: nothing more comes on the line but its end."""
    pipe.poll(None)
    os._exit(1)


def join(number: int, ranks: int, port: int) -> None:
    """Enter the group: NCCL where there are GPUs, of which each rank has its own, else Gloo."""
    store = TCPStore(LOOPBACK, port, is_master=False, wait_for_workers=False)
    if torch.cuda.is_available():
        torch.cuda.set_device(number)
        device = torch.device("cuda", number)
        distributed.init_process_group("nccl", store=store, rank=number, world_size=ranks, device_id=device)
    else:
        distributed.init_process_group("gloo", store=store, rank=number, world_size=ranks)


def sendable(error: BaseException) -> BaseException:
    """The error, or its words where it cannot be taken apart and put together."""
    try:
        again: BaseException = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own)
    except Exception:  # noqa: BLE001 (there are many ways)
        again = RuntimeError(f"{type(error).__name__}: {error}")
        for note in getattr(error, "__notes__", ()):
            again.add_note(note)
    return again
