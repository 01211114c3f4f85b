"""Features that hold what no arithmetic likes, and what a warp makes of them by definition."""

import torch
from torch import Tensor


def outlandish(batch: int, time: int, mel: int = 80, dtype: torch.dtype = torch.float32) -> Tensor:
    """Noise in which a third of the cells are infinite, no number, or near the largest number of the type."""
    generator = torch.Generator().manual_seed(0)
    most = 0.99 * torch.finfo(dtype).max
    values = torch.tensor([float("inf"), float("-inf"), float("nan"), most, -most], dtype=dtype)
    features = torch.randn(batch, time, mel, generator=generator).to(dtype)
    chosen = values[torch.randint(5, features.shape, generator=generator)]
    return torch.where(torch.rand(features.shape, generator=generator) < 1 / 3, chosen, features)


def kinds(cells: Tensor) -> Tensor:
    """0 for a finite cell, 1 and -1 for an infinite one, 2 for one that is no number."""
    return torch.where(cells.isnan(), 2, cells.isposinf().long() - cells.isneginf().long())


def kinds_by_hand(features: Tensor, before: Tensor, rest: Tensor) -> Tensor:
    """Of a cell read at frame `before` and so far after it; each of the two frames counts where it has a weight.

    Opposite infinities have no sum; a number and an infinity have, and two numbers have a finite one.
    """
    if before.ndim == 2:  # one place for all channels
        before, rest = (part[:, :, None].expand_as(features) for part in (before, rest))
    read = kinds(features)
    low, high = read.gather(1, before), read.gather(1, (before + 1).clamp(max=features.shape[1] - 1))
    high = torch.where(rest > 0, high, low)
    unknown = (low == 2) | (high == 2) | (low * high == -1)
    return torch.where(unknown, 2, torch.where(low == 0, high, low))
