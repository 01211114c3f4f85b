"""Two convolutions that make one frame of four."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from models.ctc import valid


class Subsampling(nn.Module):
    """Two convolutions of three frames and stride 2, the mel channels being their inputs.

    Over time alone, since two-dimensional convolutions take a third of a small network's training time on a
    CPU. The padding is set to 0 before each, so that an utterance comes out of a batch as it would alone.
    """

    def __init__(self, mel: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(mel, width, 3, stride=2, padding=1)
        self.second = nn.Conv1d(width, width, 3, stride=2, padding=1)

    def forward(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch frames width"], Int[Tensor, " batch"]]:
        hidden = features.transpose(1, 2)
        for convolution in (self.first, self.second):
            hidden = hidden.masked_fill(~valid(lengths, hidden.shape[2])[:, None, :], 0.0)
            hidden = convolution(hidden).relu()
            lengths = halved(lengths)
        return hidden.transpose(1, 2) * valid(lengths, hidden.shape[2])[:, :, None], lengths


class Planar(nn.Module):
    """Two convolutions of 3 x 3 over time and channels, each of stride 2, and a linear layer (Gulati et al. 2020, Figure 1).

    The padding is set to 0 before each convolution, as above.
    """

    def __init__(self, mel: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, width, 3, stride=2, padding=1)
        self.second = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.output = nn.Linear(width * subsampled(mel), width)

    def forward(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch frames width"], Int[Tensor, " batch"]]:
        hidden = features[:, None]
        for convolution in (self.first, self.second):
            hidden = hidden.masked_fill(~valid(lengths, hidden.shape[2])[:, None, :, None], 0.0)
            hidden = convolution(hidden).relu()
            lengths = halved(lengths)
        hidden = self.output(hidden.transpose(1, 2).flatten(2))
        return hidden * valid(lengths, hidden.shape[1])[:, :, None], lengths


FRONTS = {"conv1d": Subsampling, "conv2d": Planar}


def halved(lengths: Int[Tensor, " batch"]) -> Int[Tensor, " batch"]:
    """Frames left by a convolution of stride 2: half of them, rounded up."""
    return (lengths + 1).div(2, rounding_mode="floor")


def subsampled(frames: int) -> int:
    """Frames left by both convolutions, for one utterance: a quarter, rounded up."""
    return (frames + 3) // 4
