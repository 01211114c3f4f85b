"""SpliceOut: stretches of frames are cut out and the ends joined (Jain et al. 2021, arXiv:2110.00046, section 2)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from specaug.augment.drawn import Drawn
from specaug.augment.operations import SpliceOut
from specaug.augment.philox import below
from specaug.augment.rows import frames_at


@dataclass(frozen=True, slots=True)
class Cuts(Drawn):
    """Frames [start, start + width) are cut out, each cut in the frames that the one before has left."""

    start: Int[Tensor, "batch cut"]
    width: Int[Tensor, "batch cut"]

    def shortened(self, lengths: Int[Tensor, " batch"]) -> Int[Tensor, " batch"]:
        """The lengths without what was cut out."""
        return lengths - self.width.sum(dim=1)

    def apply(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch time mel"]:
        """A new tensor of the same shape; 0 in the frames that an utterance has lost, its padding as it was."""
        output = torch.arange(features.shape[1], device=features.device).expand(len(lengths), -1)
        left = self.shortened(lengths)[:, None]
        source = output
        for start, width in zip(self.start.T.flip(0), self.width.T.flip(0), strict=True):
            source = source + width[:, None] * (source >= start[:, None])
        source = torch.where(output < left, source, output)
        lost = (left <= output) & (output < lengths[:, None])
        return frames_at(features, source).masked_fill(lost[:, :, None], 0.0)


def draw_cuts(
    operation: SpliceOut, lengths: Int[Tensor, " batch"], words: Int[Tensor, "batch draw 4"]
) -> Cuts:
    """Widths t ~ U{0..min(T, tau - 1)}, t0 ~ U{0..tau - t}, tau being what is left: a frame always stays."""
    starts, widths, tau = [], [], lengths
    for word in words.unbind(dim=1):
        width = below(word[:, 0], (tau - 1).clamp(min=0, max=operation.T) + 1)
        starts.append(below(word[:, 1], tau - width + 1))
        widths.append(width)
        tau = tau - width
    return Cuts(torch.stack(starts, dim=1), torch.stack(widths, dim=1))
