"""The spectrogram transformer: AST (Gong et al. 2021) as MaskSpec and SSAST pretrain it, and a CTC network of it.

A spectrogram is cut into patches, in rows along time and columns along frequency; each is a token.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from models.ctc import CTC, valid
from models.transformer import Body

# width, depth and heads of the papers' sizes (Gong et al. 2022); MaskSpec's encoder is "base"
SIZES = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12)}

GRID = "positions.grid"  # among an encoder's weights

Frames = TypeVar("Frames", int, Tensor)  # of one utterance, or of each


class Cut(NamedTuple):
    """Patches of t frames by f of `mel` channels, one every `down` frames and `across` channels.

    The rows of an utterance are the fewest that reach its last frame; the last one may reach into the padding, whose
    cells are 0. Channels that overlapping patches leave over at the top, fewer than a stride, are not seen.
    """

    mel: int
    t: int
    f: int
    down: int
    across: int

    @property
    def columns(self) -> int:
        """Patches side by side in frequency."""
        return 1 + (self.mel - self.f) // self.across

    @property
    def pace(self) -> tuple[float, float]:
        """How far a patch begins from the one before it, in time and in frequency, in patches."""
        return self.down / self.t, self.across / self.f

    def rows(self, frames: Frames) -> Frames:
        """Patches one after the other in time, for utterances of so many frames."""
        return (frames > 0) + -(-(frames - self.t) * (frames > self.t) // self.down)

    def whole(self, frames: Frames) -> Frames:
        """Those of the rows that lie inside the utterance."""
        return (1 + (frames - self.t) // self.down) * (frames >= self.t)

    def among(self, rows: Int[Tensor, " batch"], time: int) -> Bool[Tensor, "batch row column"]:
        """True at the first rows of each utterance, of features of `time` frames."""
        return valid(rows, self.rows(time))[:, :, None].expand(-1, -1, self.columns)

    def places(self, tokens: Shaped[Tensor, "batch token"]) -> Float[Tensor, "batch token"]:
        """Where each token begins, in patches of t frames, where those of an utterance are laid in one line."""
        rows = torch.arange(tokens.shape[1], device=tokens.device) // self.columns
        return (rows * self.pace[0]).expand(len(tokens), -1)

    def patches(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch row column cell"]:
        """The cells of each patch, frame by frame."""
        time = features.shape[1]
        speech = features.masked_fill(~valid(lengths, time)[:, :, None], 0.0)
        rows = self.rows(time)
        padded = F.pad(speech, (0, 0, 0, max(0, rows - 1) * self.down + self.t - time))
        return padded.unfold(1, self.t, self.down).unfold(2, self.f, self.across)[:, :rows].flatten(3)


def cut(mel: int, t: int, f: int, stride_t: int | None, stride_f: int | None) -> Cut:
    """Patches side by side where no stride is given. Raises ValueError where they do not fill the spectrogram."""
    down, across = t if stride_t is None else stride_t, f if stride_f is None else stride_f
    for name, size, stride, of in (("t", t, down, "frames"), ("f", f, across, "mel channels")):
        if size < 1:
            raise ValueError(f"{name} is {size}; expected 1 or more {of}")
        if not 1 <= stride <= size:
            raise ValueError(
                f"stride_{name} is {stride}; expected 1 to {size} {of}, so that patches leave no gaps"
            )
    if mel < f or (across == f and mel % f):
        raise ValueError(f"mel is {mel}; expected a multiple of the patch's f ({f})")
    return Cut(mel, t, f, down, across)


class AST(nn.Module):
    """Patches, a linear layer, learned positions, and blocks of attention and feed-forward with layer norm before each.

    AST's class tokens are left out (D85). Positions are learned for `frames` frames (D84). A stride smaller than the
    patch makes patches overlap. `load_pretrained` takes weights of a network of other strides, frames or channels: their
    positions are fitted. With a `slope`, attention falls with the distance in time, which is not the papers' (D111);
    `spread` is the deviation of positions before training, the papers' 0.02 unless said otherwise (D151).
    """

    def __init__(
        self,
        mel: int,
        width: int = 192,
        depth: int = 12,
        heads: int = 3,
        t: int = 16,
        f: int = 16,
        stride_t: int | None = None,
        stride_f: int | None = None,
        frames: int = 1024,
        dropout: float = 0.0,
        slope: float = 0.0,
        spread: float = 0.02,
    ) -> None:
        super().__init__()
        if frames < 1:
            raise ValueError(f"frames is {frames}; expected 1 or more")
        self.width, self.depth, self.slope = width, depth, slope
        self.body = Body(width, depth, heads, dropout, slope)
        self.cut = cut(mel, t, f, stride_t, stride_f)
        self.embedding = nn.Linear(t * f, width)
        self.positions = Positions(self.cut.rows(frames), self.cut.columns, width, spread)

    def forward(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch row column width"], Int[Tensor, " batch"]]:
        """The state of each patch, and the rows of each utterance."""
        rows = self.cut.rows(lengths)
        tokens = self.embedding(self.cut.patches(features, lengths))
        tokens = tokens + self.positions(rows, tokens.shape[1])
        there = self.cut.among(rows, features.shape[1]).flatten(1)
        return self.body(tokens.flatten(1, 2), there, self.cut.places(there)).view_as(tokens), rows

    def load_pretrained(self, weights: Mapping[str, Tensor]) -> None:
        """Load weights of a network whose patches lie side by side: a place keeps its vector, whatever the strides here.

        `load_state_dict` takes weights of this very network, as they are. Raises RuntimeError where they are of another.
        """
        grid = weights.get(GRID)
        if grid is not None and grid.ndim == 3:
            rows, columns = self.positions.grid.shape[:2]
            weights = {**weights, GRID: fitted(grid, rows, columns, self.cut.pace)}
        self.load_state_dict(weights)


class ASTCTC(CTC):
    """The spectrogram transformer with an output for each row of patches: for every t frames, or every `stride_t`.

    The default patches are the frame patches that SSAST finds best for speech, 2 frames by all channels; f makes lower
    ones, of which the output is the mean. About 1.9 million parameters with the default sizes; those of the paper are
    in `SIZES`.
    """

    def __init__(
        self,
        mel: int,
        vocab: int,
        width: int = 192,
        depth: int = 4,
        heads: int = 3,
        t: int = 2,
        f: int | None = None,
        stride_t: int | None = None,
        stride_f: int | None = None,
        frames: int = 1024,
        dropout: float = 0.1,
        slope: float = 0.0,
        spread: float = 0.02,
    ) -> None:
        super().__init__()
        patch = (t, mel if f is None else f, stride_t, stride_f)
        self.encoder = AST(mel, width, depth, heads, *patch, frames, dropout, slope, spread)
        self.output = nn.Linear(width, vocab)

    def forward(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch frames vocab"], Int[Tensor, " batch"]]:
        states, rows = self.encoder(features, lengths)
        return self.output(states.mean(dim=2)).log_softmax(dim=-1), rows

    def frames_out(self, frames: int) -> int:
        """Frames of output for an utterance of `frames` frames."""
        return self.encoder.cut.rows(frames)


class Positions(nn.Module):
    """A learned vector for each place of a grid of patches."""

    def __init__(self, rows: int, columns: int, width: int, spread: float = 0.02) -> None:
        super().__init__()
        self.grid = nn.Parameter(torch.empty(rows, columns, width))
        if not 0 < spread < float("inf"):
            raise ValueError(f"spread is {spread}; expected above 0")
        nn.init.trunc_normal_(self.grid, std=spread)

    def forward(self, rows: Int[Tensor, " batch"], most: int) -> Float[Tensor, "batch {most} column width"]:
        """Of `most` rows the vectors; those of an utterance that has more rows than are known are stretched over it.

        What an utterance gets does not depend on those beside it.
        """
        known = len(self.grid)
        if most <= known:
            return self.grid[:most].expand(len(rows), -1, -1, -1)
        pace = ((known - 1) / (rows - 1).clamp(min=1)).clamp(max=1.0)
        place = torch.arange(most, device=rows.device) * pace[:, None]
        return between(self.grid, place.clamp(max=known - 1))


def between(
    grid: Float[Tensor, "row column width"], place: Float[Tensor, "*where"]
) -> Float[Tensor, "*where column width"]:
    """The rows of a grid at places that lie between two of them: a mean of both, by nearness."""
    low = place.long()
    weight = (place - low).to(grid.dtype)[..., None, None]
    return grid[low].lerp(grid[(low + 1).clamp(max=len(grid) - 1)], weight)


def fitted(
    grid: Float[Tensor, "row column width"], rows: int, columns: int, pace: tuple[float, float]
) -> Float[Tensor, "{rows} {columns} width"]:
    """A grid of positions for other patches, one every `pace` of its own: so a place keeps its vector.

    What lies beyond the last place that is known has the vector of the last one.
    """
    for count, step in zip((rows, columns), pace, strict=True):
        places = torch.arange(count, device=grid.device) * step
        grid = between(grid, places.clamp(max=len(grid) - 1)).transpose(0, 1)
    return grid
