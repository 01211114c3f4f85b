"""Two convolutions over time and channels, each with max-pooling, that make one frame of four."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.ctc import valid
from models.deltas import with_deltas
from models.subsampling import halved, subsampled


class Pooling(nn.Module):
    """Convolutions of 3 x 3, ReLU, and the larger of each two frames and channels, twice (Park et al. 2019, section 3.1).

    The padding is set to 0 before and after each, which is the least that ReLU leaves, so that an utterance comes out
    of a batch as it would alone. With `deltas` the slopes of the features and of these slopes are read beside them.
    """

    def __init__(self, mel: int, channels: int, deltas: bool = False) -> None:
        super().__init__()
        self.deltas = deltas
        self.first = nn.Conv2d(3 if deltas else 1, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.width = channels * subsampled(mel)  # of a frame that comes out

    def forward(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch frames width"], Int[Tensor, " batch"]]:
        hidden = with_deltas(features, lengths) if self.deltas else features[:, None]
        for convolution in (self.first, self.second):
            hidden = present(hidden, lengths)
            hidden = present(convolution(hidden).relu(), lengths)
            hidden = F.max_pool2d(hidden, 2, ceil_mode=True)
            lengths = halved(lengths)
        return hidden.transpose(1, 2).flatten(2), lengths


def present(
    hidden: Float[Tensor, "batch channel time mel"], lengths: Int[Tensor, " batch"]
) -> Float[Tensor, "batch channel time mel"]:
    """The frames of the utterances, the padding 0."""
    return hidden.masked_fill(~valid(lengths, hidden.shape[2])[:, None, :, None], 0.0)


def pooled(frames: int) -> int:
    """Frames left by both, for one utterance: a quarter, rounded up."""
    return subsampled(frames)
