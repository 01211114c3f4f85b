"""What a hidden cell holds: a constant, the mean of its utterance, or noise."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from specaug.augment.drawn import Movable
from specaug.augment.keys import CELLS, random_words
from specaug.augment.operation import Fill


@dataclass(frozen=True, slots=True)
class Fills(Movable):
    """A fill, and the keys of the utterances from which noise comes."""

    fill: Fill
    keys: Int[Tensor, "batch 5"]

    @property
    def flat(self) -> bool:
        """Whether an utterance's hidden cells all hold one value."""
        return self.fill != "noise"

    def values(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, " batch"]:
        """The value of each utterance's hidden cells, in float32.

        `mean` is that of the frames before the padding, without what is not a number.
        """
        if self.fill == "mean":
            rows = zip(features, lengths.tolist(), strict=True)
            means = [
                row[:n].nanmean(dtype=torch.float64) if n else row.new_zeros((), dtype=torch.float64)
                for row, n in rows
            ]
            return torch.stack(means).float() if means else features.new_zeros(0, dtype=torch.float32)
        return torch.full((len(features),), float(self.fill), device=features.device)

    def cells(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch times mels"]:
        """What every cell would hold if it were hidden; broadcasts against the features."""
        if self.flat:
            return self.values(features, lengths).to(features.dtype)[:, None, None]
        return noise(self.keys, features.shape[1], features.shape[2]).to(features.dtype)


def noise(keys: Int[Tensor, "batch 5"], time: int, mel: int) -> Float[Tensor, "batch {time} {mel}"]:
    """Standard normal numbers, each a function of its utterance's key, its frame and its channel alone.

    Box and Muller's transform of two words a cell, in float64. Park et al. 2020 fill with noise for transducers.
    """
    blocks = CELLS + torch.arange(time * mel, device=keys.device)
    words = random_words(keys, blocks).double() / 2**32
    radius = (-2 * torch.log1p(-words[..., 0])).sqrt()
    return (radius * torch.cos(2 * math.pi * words[..., 1])).float().view(len(keys), time, mel)
