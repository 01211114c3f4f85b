"""What a hidden cell holds: a constant, the mean of its utterance, or noise."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from specaug.augment.drawn import Movable
from specaug.augment.keys import CELLS, cell_words
from specaug.augment.means import means
from specaug.augment.operation import Fill

Means = Callable[[Tensor, Tensor], Tensor]
PORTION = 2**15  # cells whose noise is drawn at a time: some megabytes


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
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
        means: Means = means,
    ) -> Float[Tensor, " batch"]:
        """The value of each utterance's hidden cells, in float32, or float64 as the features are.

        `means` is the code that takes means. Raises ValueError where the features' type cannot hold the constant.
        """
        exact = torch.float64 if features.dtype == torch.float64 else torch.float32
        if self.fill == "mean":
            return means(features, lengths).to(exact)
        value, most = float(self.fill), torch.finfo(features.dtype).max
        if abs(value) > most:
            raise ValueError(f"fill is {self.fill}; expected at most {most:g}, which {features.dtype} holds")
        return torch.full((len(features),), value, dtype=exact, device=features.device)

    def filled(
        self,
        features: Float[Tensor, "batch time mel"],
        hidden: Bool[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch time mel"]:
        """A new tensor in which hidden cells hold the fill."""
        if self.flat:
            values = self.values(features, lengths).to(features.dtype)
            return torch.where(hidden, values[:, None, None], features)
        result = features.clone(memory_format=torch.contiguous_format)
        size = max(1, features.shape[1] * features.shape[2])
        for places in torch.split(hidden.flatten().nonzero()[:, 0], PORTION):
            values = noise(self.keys[places // size], places % size)
            result.view(-1)[places] = values.to(features.dtype)
        return result


def noise(keys: Int[Tensor, "cell 5"], cells: Int[Tensor, " cell"]) -> Float[Tensor, " cell"]:
    """Standard normal numbers, each a function of its utterance's key and its place alone: frame * mel + channel.

    Box and Muller's transform of two words a cell, in float64. Park et al. 2020 fill with noise for transducers.
    """
    words = cell_words(keys, CELLS + cells)[:, :2].double() / 2**32
    radius = (-2 * torch.log1p(-words[:, 0])).sqrt()
    return (radius * torch.cos(2 * math.pi * words[:, 1])).float()
