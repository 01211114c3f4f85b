"""SpecSwap: blocks of channels change places, and blocks of frames (Song et al., Interspeech 2020, section 2)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from specaug.augment.drawn import Drawn, Movable
from specaug.augment.operations import SpecSwap
from specaug.augment.philox import below
from specaug.augment.rows import channels_at, frames_at


@dataclass(frozen=True, slots=True)
class Pairs(Movable):
    """Blocks [first, first + width) and [second, second + width), which do not overlap, one pair after the other."""

    first: Int[Tensor, "batch pair"]
    second: Int[Tensor, "batch pair"]
    width: Int[Tensor, "batch pair"]

    def sources(self, size: int) -> Int[Tensor, "batch {size}"]:
        """Where each place of the output is read once all pairs have changed places."""
        place = torch.arange(size, device=self.first.device).expand(len(self.first), size)
        source = place
        for first, second, width in zip(self.first.T, self.second.T, self.width.T, strict=True):
            a, b, w = first[:, None], second[:, None], width[:, None]
            swapped = torch.where((a <= place) & (place < a + w), place + b - a, place)
            swapped = torch.where((b <= place) & (place < b + w), place + a - b, swapped)
            source = source.gather(1, swapped)
        return source


@dataclass(frozen=True, slots=True)
class Swaps(Drawn):
    """What SpecSwap drew: pairs of channel blocks, then pairs of frame blocks."""

    freq: Pairs
    time: Pairs

    def apply(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch time mel"]:
        """A new tensor with the blocks exchanged; the padding keeps its channels."""
        _, time, mel = features.shape
        padding = (torch.arange(time, device=features.device) >= lengths[:, None])[:, :, None]
        swapped = torch.where(padding, features, channels_at(features, self.freq.sources(mel)))
        return frames_at(swapped, self.time.sources(time))


def draw_swaps(
    operation: SpecSwap, lengths: Int[Tensor, " batch"], mel: int, words: Int[Tensor, "batch draw 4"]
) -> Swaps:
    """Widths f ~ U{0..F}, then two blocks of f channels that do not overlap; t ~ U{0..T} likewise."""
    count = operation.m_F * (operation.F > 0)
    channels = torch.full_like(lengths, mel)
    return Swaps(
        draw_pairs(operation.F, channels, words[:, :count]),
        draw_pairs(operation.T, lengths, words[:, count:]),
    )


def draw_pairs(widest: int, size: Int[Tensor, " batch"], words: Int[Tensor, "batch draw 4"]) -> Pairs:
    """Width ~ U{0..min(widest, size / 2)}, and each pair of blocks that fits as likely as any other.

    With n = size - 2 width + 1 the pairs are the (i, j), 0 <= i <= j < n: blocks at i and at j + width. The square
    of i in {0..n - 1} by j in {0..n} holds each of them twice: as (i, j + 1) and as (j, i).
    """
    size = size[:, None].expand(words.shape[:2])
    top = torch.clamp(size // 2, max=widest)
    width = below(words[..., 0], top + 1)
    n = size - 2 * width + 1
    i, j = below(words[..., 1], n), below(words[..., 2], n + 1)
    low, high = torch.where(j > i, i, j), torch.where(j > i, j - 1, i)
    return Pairs(low, high + width, width)
