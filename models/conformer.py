"""The Conformer (Gulati et al. 2020): an encoder, and a CTC network that is small by default."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from models.ctc import CTC, valid
from models.subsampling import FRONTS, subsampled
from models.transformer import in_heads, widened

# width, depth, heads and cells of the predictor of the paper's sizes (Table 1)
SIZES = {"S": (144, 16, 4, 320), "M": (256, 16, 4, 640), "L": (512, 17, 8, 640)}


class Conformer(nn.Module):
    """Convolutional front, then blocks of feed-forward, attention, convolution, feed-forward.

    Two departures from the paper, both so that an utterance comes out of a batch as it would alone and so
    that a CPU trains it fast: layer instead of batch normalisation in the convolution module, and rotary
    instead of relative sinusoidal positions. `front` is `conv1d` (fast on a CPU) or `conv2d` (the paper's).
    """

    def __init__(
        self, mel: int, width: int, depth: int, heads: int, kernel: int, dropout: float, front: str
    ) -> None:
        super().__init__()
        if heads < 1:
            raise ValueError(f"heads is {heads}; expected 1 or more")
        if width < 1 or width % (2 * heads):
            raise ValueError(f"width is {width}; expected a multiple of 2 x heads ({2 * heads})")
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"kernel is {kernel}; expected an odd number of frames")
        if front not in FRONTS:
            raise ValueError(f"front is {front!r}; expected {' or '.join(FRONTS)}")
        self.front = FRONTS[front](mel, width)
        self.blocks = nn.ModuleList(Block(width, heads, kernel, dropout) for _ in range(depth))

    def forward(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch frames width"], Int[Tensor, " batch"]]:
        hidden, frames = self.front(features, lengths)
        mask = valid(frames, hidden.shape[1])
        for block in self.blocks:
            hidden = block(hidden, mask)
        return hidden, frames


class ConformerCTC(CTC):
    """The Conformer with an output for each frame. About 2.0 million parameters with the default sizes."""

    def __init__(
        self,
        mel: int,
        vocab: int,
        width: int = 144,
        depth: int = 4,
        heads: int = 4,
        kernel: int = 15,
        dropout: float = 0.1,
        front: str = "conv1d",
    ) -> None:
        super().__init__()
        self.encoder = Conformer(mel, width, depth, heads, kernel, dropout, front)
        self.output = nn.Linear(width, vocab)

    def forward(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch frames vocab"], Int[Tensor, " batch"]]:
        hidden, frames = self.encoder(features, lengths)
        return self.output(hidden).log_softmax(dim=-1), frames

    @staticmethod
    def frames_out(frames: int) -> int:
        """Frames of output for an utterance of `frames` frames."""
        return subsampled(frames)


class Block(nn.Module):
    """x + FF/2, + attention, + convolution, + FF/2, layer norm (section 2.4 of the paper)."""

    def __init__(self, width: int, heads: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.enter = feed_forward(width, dropout)
        self.attention = Attention(width, heads, dropout)
        self.convolution = Convolution(width, kernel, dropout)
        self.leave = feed_forward(width, dropout)
        self.norm = nn.LayerNorm(width)

    def forward(
        self, hidden: Float[Tensor, "batch frames width"], mask: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch frames width"]:
        hidden = hidden + 0.5 * self.enter(hidden)
        hidden = hidden + self.attention(hidden, mask)
        hidden = hidden + self.convolution(hidden, mask)
        hidden = hidden + 0.5 * self.leave(hidden)
        normal: Tensor = self.norm(hidden)
        return normal


def feed_forward(width: int, dropout: float) -> nn.Sequential:
    """Layer norm, four times as wide with Swish, and back (section 2.3)."""
    return widened(width, nn.SiLU(), dropout)


class Attention(nn.Module):
    """Multi-head self-attention over the valid frames, with rotary positions (section 2.1)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.inputs = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, hidden: Float[Tensor, "batch frames width"], mask: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch frames width"]:
        _, frames, width = hidden.shape
        query, key, value = in_heads(self.inputs(self.norm(hidden)), self.heads)
        turns = rotation(frames, width // self.heads, hidden.device)
        query, key = rotated(query, turns), rotated(key, turns)
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :])
        output: Tensor = self.dropout(self.output(seen.transpose(1, 2).flatten(2)))
        return output


class Convolution(nn.Module):
    """Gated pointwise, depthwise over time, norm, Swish, pointwise (section 2.2)."""

    def __init__(self, width: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.gate = nn.Linear(width, 2 * width)
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.inner = nn.LayerNorm(width)
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, hidden: Float[Tensor, "batch frames width"], mask: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch frames width"]:
        gated = F.glu(self.gate(self.norm(hidden))) * mask[:, :, None]
        mixed = self.depthwise(gated.transpose(1, 2)).transpose(1, 2)
        output: Tensor = self.dropout(self.output(F.silu(self.inner(mixed))))
        return output


def rotation(frames: int, width: int, device: torch.device) -> Float[Tensor, "{frames} half"]:
    """The angle, in radians, by which each pair of coordinates turns at each frame (Su et al. 2021)."""
    speed = 10_000.0 ** (-torch.arange(0, width, 2, device=device) / width)
    return torch.arange(frames, device=device)[:, None] * speed


def rotated(
    vectors: Float[Tensor, "batch head frames width"], turns: Float[Tensor, "frames half"]
) -> Float[Tensor, "batch head frames width"]:
    """Each pair of coordinates (i, i + half) turned by its angle."""
    first, second = vectors.chunk(2, dim=-1)
    cos, sin = turns.cos().to(vectors.dtype), turns.sin().to(vectors.dtype)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
