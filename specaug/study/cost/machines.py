"""What trains: kinds of GPU as their data sheets have them, and this machine."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from specaug.errors import UserError
from specaug.speech.cores import cores
from specaug.study.cost.laws import Number
from specaug.study.nearest import hint

GIB = 2**30
KEPT = 0.9  # of a GPU's memory, for training; the rest is for the driver, and for what lies scattered
KEPT_SHARED = 0.75  # of a machine's: malloc scatters more, and others need some
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True, slots=True)
class Kind:
    """A GPU by its data sheet: dense rates in FLOP/s, bandwidth in bytes/s, memory in bytes (a GB read as 10^9)."""

    bf16: float  # products in tensor cores, without sparsity
    float32: float  # outside tensor cores, as torch multiplies float32
    bandwidth: float
    memory: float
    sheet: str

    def peak(self, precision: str) -> float:
        """The highest rate of products, FLOP/s."""
        return self.bf16 if precision == "bf16" else self.float32


def kind(bf16: Number, float32: Number, bandwidth: Number, memory: Number, sheet: str) -> Kind:
    """A kind in the units of data sheets: TFLOP/s, TFLOP/s, GB/s, GB."""
    return Kind(bf16 * 1e12, float32 * 1e12, bandwidth * 1e9, memory * 1e9, sheet)


# Where a sheet gives rates with sparsity, half of them. V100 and T4 have no bf16: their rate of float32 stands for it.
GPUS = {
    "B200": kind(2250, 75, 8000, 180, "NVIDIA HGX B200 data sheet, an eighth"),
    "H200": kind(989, 67, 4800, 141, "NVIDIA H200 data sheet, SXM"),
    "H100": kind(989, 67, 3350, 80, "NVIDIA H100 data sheet, SXM"),
    "A100": kind(312, 19.5, 2039, 80, "NVIDIA A100 80GB data sheet, SXM"),
    "A100-40GB": kind(312, 19.5, 1555, 40, "NVIDIA A100 40GB data sheet, SXM"),
    "V100": kind(15.7, 15.7, 900, 32, "NVIDIA V100 data sheet, SXM2 32 GB"),
    "V100-16GB": kind(15.7, 15.7, 900, 16, "NVIDIA V100 data sheet, SXM2 16 GB"),
    "L40S": kind(362, 91.6, 864, 48, "NVIDIA L40S data sheet"),
    "L4": kind(121, 30.3, 300, 24, "NVIDIA L4 data sheet"),
    "A10": kind(125, 31.2, 600, 24, "NVIDIA A10 data sheet"),
    "T4": kind(8.1, 8.1, 320, 16, "NVIDIA T4 data sheet"),
}


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
