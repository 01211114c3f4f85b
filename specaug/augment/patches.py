"""Patch masks: a share of the patches of a spectrogram is hidden (as in MaskSpec, Chong et al. 2022, section 3)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from specaug.augment.drawn import Drawn
from specaug.augment.fills import Fills
from specaug.augment.keys import PATCHES, random_words
from specaug.augment.operations import PatchMask


@dataclass(frozen=True, slots=True)
class Patches(Drawn):
    """Which of the whole patches of `t` frames by `f` channels are hidden, counted from frame 0 and channel 0."""

    t: int
    f: int
    hidden: Bool[Tensor, "batch row column"]
    fills: Fills

    def cells(self, time: int, mel: int) -> Bool[Tensor, "batch {time} {mel}"]:
        """True at every cell of a hidden patch."""
        cells = self.hidden.repeat_interleave(self.t, dim=1).repeat_interleave(self.f, dim=2)[:, :time, :mel]
        down, across = time - cells.shape[1], mel - cells.shape[2]
        return torch.nn.functional.pad(cells, (0, across, 0, down))

    def apply(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch time mel"]:
        """A new tensor in which the cells of hidden patches hold the fill."""
        _, time, mel = features.shape
        return self.fills.filled(features, self.cells(time, mel), lengths)


def draw_patches(
    operation: PatchMask, lengths: Int[Tensor, " batch"], mel: int, keys: Int[Tensor, "batch 5"]
) -> Patches:
    """floor(share * n) of the n whole patches of each utterance, every choice of so many as likely as any other.

    Each patch has a word of its own, whatever lies beside the utterance. The patches in the order of their words
    are the numbers 0 to n - 1 in random order, and a patch is hidden where one of the first `count` numbers falls.
    """
    across = mel // operation.f
    rows = [n // operation.t for n in lengths.tolist()]
    down = max(rows, default=0)
    count = torch.tensor([operation.count(n, mel) for n in lengths.tolist()], device=keys.device)
    blocks = PATCHES + torch.arange(-(-down * across // 4), device=keys.device)
    words = random_words(keys, blocks).flatten(1)[:, : down * across]
    row = torch.arange(down * across, device=keys.device) // max(1, across)
    there = row < torch.tensor(rows, device=keys.device)[:, None]
    order = torch.where(there, words, 1 << 32).argsort(dim=1, stable=True)
    hidden = (order < count[:, None]).view(len(lengths), down, across)
    return Patches(operation.t, operation.f, hidden, Fills(operation.fill, keys))
