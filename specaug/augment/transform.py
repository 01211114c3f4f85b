"""SpecAugment as a torch module: thin, because drawing and applying are functions."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from specaug.augment.apply import apply
from specaug.augment.draws import draw, make_keys
from specaug.augment.policy import NONE, Policy


class SpecAugment(nn.Module):
    """Time warping, frequency masking and time masking of a padded batch (Park et al. 2019, section 2).

    Active in training mode only; every utterance has draws of its own; the padding stays as it was. Without
    `keys` the module counts its own calls, so that `SpecAugment(LD, seed=0)` gives the same sequence of masks
    anywhere; a trainer passes `keys` (see `make_keys`), one per utterance, and then they alone decide.

    Shape:
        features: (batch, time, mel), log-mel energies with mean 0
        lengths:  (batch,), frames before the padding; all frames where it is left out
        output:   (batch, time, mel), a new tensor
    """

    def __init__(self, policy: Policy = NONE, seed: int = 0) -> None:
        super().__init__()
        self.policy = policy
        self.seed = seed
        self.calls = 0

    def forward(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"] | None = None,
        keys: Int[Tensor, "batch 5"] | None = None,
    ) -> Float[Tensor, "batch time mel"]:
        if not self.training:
            return features
        batch, time, mel = features.shape
        if lengths is None:
            lengths = torch.full((batch,), time)
        if keys is None:
            keys = make_keys(self.seed, self.calls, [str(place) for place in range(batch)])
            self.calls += 1
        lengths = lengths.to(features.device)
        draws = draw(self.policy, lengths, mel, keys.to(features.device))
        return apply(features, lengths, draws)

    def extra_repr(self) -> str:
        return f"{self.policy}, seed={self.seed}"
