"""What ranks do in tests that need no Lightning; the ranks import it."""

import os
import time
from typing import Any

import torch
from torch import distributed

from specaug.training.ranks import Rank


def summed(number: float, rank: Rank) -> tuple[float, int, int]:
    """What the group's sum of (rank + 1) x number is, and how many threads and ranks there are."""
    rank.tell(f"rank {rank.number}")
    total = torch.tensor([(rank.number + 1) * number])
    distributed.all_reduce(total)
    return float(total), torch.get_num_threads(), rank.of


def failing(error: BaseException, rank: Rank) -> None:
    """The last rank raises; the others wait for it, for ever."""
    if rank.number == rank.of - 1:
        raise error
    distributed.barrier()


def leaving(status: int, rank: Rank) -> None:
    """The last rank leaves without a word; the others wait for it, and say that they were left alone."""
    if rank.number == rank.of - 1:
        os._exit(status)
    distributed.barrier()


def staying(_: Any, rank: Rank) -> None:
    """All ranks tell their process and stay for a long time."""
    rank.tell(os.getpid())
    time.sleep(600)
