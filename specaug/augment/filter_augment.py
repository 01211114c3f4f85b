"""FilterAugment: bands of channels made louder or softer (Nam et al. 2022, arXiv:2110.03282, section 2)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from specaug.augment.drawn import Drawn
from specaug.augment.operations import FilterAugment
from specaug.augment.philox import below


@dataclass(frozen=True, slots=True)
class Gains(Drawn):
    """What is added to each channel, in the unit of the features: a gain is a sum in logarithms."""

    gain: Float[Tensor, "batch mel"]

    def apply(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch time mel"]:
        """A new tensor with the gains added; the padding as it was. Half types are rounded once."""
        exact = torch.promote_types(features.dtype, torch.float32)
        louder = features + self.gain[:, None, :].to(exact)
        frames = torch.arange(features.shape[1], device=features.device) < lengths[:, None]
        return torch.where(frames[:, :, None], louder.to(features.dtype), features)


def draw_gains(operation: FilterAugment, mel: int, words: Int[Tensor, "batch draw 4"]) -> Gains:
    """From n_low to n_high bands, n ~ U{n_low..n_high}; each way to put borders w_min channels apart; gains ~ U(-g, g) decibels.

    `step`: the k-th gain in the k-th band. `linear`: the k-th gain at the k-th border, and a line from border to
    border, so that the filter has no jump.
    """
    most = operation.n_high
    choices = torch.full_like(words[:, 0, 0], most - operation.n_low + 1)
    bands = operation.n_low + below(words[:, 0, 0], choices)
    borders = draw_borders(operation, mel, bands, words[:, 1:most, 0])
    gains = (words[:, most:, 0].double() / 2**32 * 2 - 1) * operation.g * operation.unit
    channel = torch.arange(mel, device=words.device).repeat(len(words), 1)
    band = torch.searchsorted(borders, channel, right=True) - 1
    low = gains.gather(1, band)
    if operation.kind == "step":
        return Gains(low)
    start, end = borders.gather(1, band), borders.gather(1, band + 1)
    weight = (channel - start).double() / (end - start)
    return Gains(low + weight * (gains.gather(1, band + 1) - low))


def draw_borders(
    operation: FilterAugment, mel: int, bands: Int[Tensor, " batch"], words: Int[Tensor, "batch inner"]
) -> Int[Tensor, "batch border"]:
    """0, the inner borders in order, and `mel` for every border after the last band.

    n bands of w_min channels leave r over. The ways to spend them are the sets of n - 1 numbers below r + n - 1:
    what lies between two of its numbers is spent on one band. Floyd's way draws a set: number i is any of 0 to
    r + i, or r + i itself where the set holds that already. To sort n - 1 numbers that may be equal, as the
    authors' code does, would give bands of w_min channels less than their due.
    """
    left = mel - bands * operation.w_min
    places = words[:, :0]
    for i, word in enumerate(words.T):
        place = below(word, left + i + 1)
        known = (places == place[:, None]).any(dim=1)
        place = torch.where(i < bands - 1, torch.where(known, left + i, place), mel)
        places = torch.cat([places, place[:, None]], dim=1)
    index = torch.arange(words.shape[1], device=words.device)
    inner = (places.sort(dim=1).values - index + (index + 1) * operation.w_min).clamp(max=mel)
    return torch.nn.functional.pad(torch.nn.functional.pad(inner, (1, 0)), (0, 1), value=mel)
