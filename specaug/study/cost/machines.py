"""What trains: some GPUs of a kind, or this machine."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from specaug.errors import UserError
from specaug.speech.cores import cores
from specaug.study.cost.gpus import GPUS, Kind
from specaug.study.nearest import hint

GIB = 2**30
KEPT = 0.9  # of a GPU's memory, for training; the rest is for the driver, and for what lies scattered
KEPT_SHARED = 0.75  # of a machine's: malloc scatters more, and others need some
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True, slots=True)
class Machine:
    """Devices of one kind. Without a `kind` it is this machine, whose rates are measured."""

    name: str
    devices: int  # that train: GPUs, or cores
    memory: float  # bytes of each, or of all where it is shared
    shared: bool = False  # the processes of a run live in one memory
    kind: Kind | None = None

    def room(self, processes: int) -> float:
        """The bytes that one of so many processes of a run may take."""
        return KEPT_SHARED * self.memory / processes if self.shared else KEPT * self.memory


def named(gpus: str) -> Machine:
    """The machine that `8xH100` or `H100` means. Raises UserError where it means none."""
    found = re.fullmatch(r"(?:(-?\d+) *[xX*])? *(\S+)", gpus.strip())
    count, name = int(found[1] or 1) if found else 0, found[2] if found else ""
    if count < 1:
        raise UserError(f"--gpus is {gpus!r}; expected NxKIND with 1 GPU or more, as in 8xH100")
    known = {key.lower(): key for key in GPUS}
    if name.lower() not in known:
        raise UserError(f"--gpus is {gpus!r}: unknown kind {name!r}{hint(name, GPUS)}")
    key = known[name.lower()]
    return Machine(f"{count} x {key}", count, GPUS[key].memory, kind=GPUS[key])


def here() -> Machine:
    """The machine that this runs on, as training would use it: its GPUs, or where it has none its cores."""
    if torch.cuda.is_available():
        facts = torch.cuda.get_device_properties(0)
        count = torch.cuda.device_count()
        return Machine(f"this machine ({count} x {facts.name})", count, float(facts.total_memory))
    return Machine(f"this machine ({cores()} CPU cores)", cores(), installed(), shared=True)


def installed(limits: Sequence[Path] = LIMITS) -> float:
    """The bytes of memory of this machine, or the limit of the container that this is, where that is less."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    said = [path.read_text(encoding="ascii").strip() for path in limits if path.is_file()]
    return float(min(sizes + [int(limit) for limit in said if limit.isdigit()]))
