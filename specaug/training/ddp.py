"""Lightning in the ranks of a run: its strategy, and its loggers' words on their way to the process that started them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import DDPStrategy

from specaug.training.ranks import LOOPBACK, Rank


class Started(ClusterEnvironment):
    """Tells Lightning that the processes are there, which rank this is, and nothing that a SLURM job says."""

    creates_processes_externally = True
    main_address = LOOPBACK
    main_port = 0  # nobody listens there: the ranks form a group before Lightning could

    def __init__(self, rank: Rank) -> None:
        super().__init__()
        self.rank = rank

    @staticmethod
    def detect() -> bool:
        """Never found in a machine's variables."""
        return False

    def world_size(self) -> int:
        """The number of ranks."""
        return self.rank.of

    def set_world_size(self, size: int) -> None:
        """Lightning says what it was told."""

    def global_rank(self) -> int:
        """The rank."""
        return self.rank.number

    def set_global_rank(self, rank: int) -> None:
        """Lightning says what it was told."""

    def local_rank(self) -> int:
        """The rank: all are on one machine."""
        return self.rank.number

    def node_rank(self) -> int:
        """The one machine."""
        return 0


def spread(rank: Rank) -> dict[str, Any]:
    """What a trainer is told of devices: one, or DDP over the ranks, each with a GPU or, without any, a CPU thread.

    Parameters that a step leaves out (layers that are dropped by chance) are looked for at each step. That also keeps
    the buckets of gradients as they are made first: DDP would rebuild them after one step, and with them the order of
    sums, so that a continued run of three ranks would end in other bits than an unbroken one. Batch normalisation sees
    the whole batch on GPUs (SyncBatchNorm); torch has none for the CPU, where each rank normalises by its own share and
    rank 0's running statistics are kept.
    """
    if rank.of == 1:
        return {"devices": 1}
    gpus = torch.cuda.is_available()
    strategy = DDPStrategy(cluster_environment=Started(rank), find_unused_parameters=True)
    return {
        "accelerator": "gpu" if gpus else "cpu",
        "devices": rank.of,
        "strategy": strategy,
        "sync_batchnorm": gpus,
    }


@dataclass(frozen=True)
class Logged:
    """What was logged at a step."""

    metrics: Mapping[str, float]
    step: int | None


class Telling(Logger):
    """The logger of rank 0: it passes on what is logged to the process that holds the real ones."""

    name, version = "telling", 0

    def __init__(self, rank: Rank) -> None:
        super().__init__()
        self.rank = rank

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Pass it on."""
        self.rank.tell(Logged(dict(metrics), step))

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Ours has none."""
