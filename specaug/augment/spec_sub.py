"""SpecSub: stretches of frames replaced by earlier ones (Wu et al. 2021, "U2++", arXiv:2106.05642, section 3.2.3)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from specaug.augment.drawn import Drawn
from specaug.augment.operations import SpecSub
from specaug.augment.philox import below
from specaug.augment.rows import frames_at


@dataclass(frozen=True, slots=True)
class Copies(Drawn):
    """Frames [start, start + width) take what the input held `back` frames before, one stretch after the other."""

    start: Int[Tensor, "batch stretch"]
    width: Int[Tensor, "batch stretch"]
    back: Int[Tensor, "batch stretch"]

    def apply(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch time mel"]:
        """A new tensor with the stretches replaced; where two overlap the later one stands."""
        output = torch.arange(features.shape[1], device=features.device).expand(len(lengths), -1)
        source = output
        for start, width, back in zip(self.start.T, self.width.T, self.back.T, strict=True):
            inside = (start[:, None] <= output) & (output < (start + width)[:, None])
            source = torch.where(inside, output - back[:, None], source)
        return frames_at(features, source)


def draw_copies(
    operation: SpecSub, lengths: Int[Tensor, " batch"], words: Int[Tensor, "batch draw 4"]
) -> Copies:
    """Start ~ U{0..tau - 1}, width ~ U{1..t_max} cut at the end of the utterance, back ~ U{0..start}."""
    tau = lengths[:, None].expand(words.shape[:2])
    start = below(words[..., 0], tau)
    width = torch.minimum(1 + below(words[..., 1], torch.full_like(tau, operation.t_max)), tau - start)
    return Copies(start, width, below(words[..., 2], start + 1))
