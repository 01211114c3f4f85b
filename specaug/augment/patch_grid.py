"""A spectrogram as a grid of patches: rows of patches follow each other in time, columns in frequency."""

from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

Frames = TypeVar("Frames", int, Tensor)  # of one utterance, or of each


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchGrid:
    """Patches of t frames by f mel channels, one every `stride_t` frames and `stride_f` channels.

    Strides that are not given are those of patches side by side. 16 by 16 are the patches of MaskSpec (Chong et al.
    2022) and of SSAST (Gong et al. 2022); t = 2, f = 128 are the latter's frame patches. Raises ValueError where a
    patch is empty, or patches leave gaps.
    """

    t: int = 16  # frames
    f: int = 16  # mel channels
    stride_t: int | None = None
    stride_f: int | None = None

    def __post_init__(self) -> None:
        if self.t < 1 or self.f < 1:
            raise ValueError(f"a patch is t={self.t} frames by f={self.f} channels; expected at least 1 by 1")
        for name, stride, size in (("stride_t", self.down, self.t), ("stride_f", self.across, self.f)):
            if not 1 <= stride <= size:
                raise ValueError(f"{name} is {stride}; expected 1 to {size}, so that patches leave no gaps")

    @property
    def down(self) -> int:
        """Frames from a patch to the next."""
        return self.t if self.stride_t is None else self.stride_t

    @property
    def across(self) -> int:
        """Channels from a patch to the next."""
        return self.f if self.stride_f is None else self.stride_f

    @property
    def overlaps(self) -> bool:
        """Whether a cell may lie in more than one patch."""
        return (self.down, self.across) != (self.t, self.f)

    def columns(self, mel: int) -> int:
        """Patches side by side in frequency. Raises ValueError where they do not fill the channels.

        With a stride smaller than the patch the highest channels may be left over, fewer than a stride: of 128 channels
        a stride of 10 leaves 2, as in the paper.
        """
        if mel < self.f or (self.across == self.f and mel % self.f):
            raise ValueError(
                f"the features have {mel} mel channels; expected a multiple of the patch's {self.f}"
            )
        return 1 + (mel - self.f) // self.across

    def rows(self, frames: Frames) -> Frames:
        """Patches one after the other that hold an utterance: the fewest that reach its last frame (decision D80).

        The last one may reach into the padding.
        """
        beyond = (frames - self.t) * (frames > self.t)
        return (frames > 0) + -(-beyond // self.down)

    def whole(self, frames: Frames) -> Frames:
        """Those of an utterance's rows that lie inside it."""
        return (1 + (frames - self.t) // self.down) * (frames >= self.t)

    def held(self, lengths: Int[Tensor, " batch"], time: int, mel: int) -> Bool[Tensor, "batch row column"]:
        """True at the patches that hold speech, of features of `time` frames."""
        return self.among(self.rows(lengths), time, mel)

    def inside(self, lengths: Int[Tensor, " batch"], time: int, mel: int) -> Bool[Tensor, "batch row column"]:
        """True at the patches without padding, of features of `time` frames: those that can be hidden."""
        return self.among(self.whole(lengths), time, mel)

    def among(self, rows: Int[Tensor, " batch"], time: int, mel: int) -> Bool[Tensor, "batch row column"]:
        """True at the first rows of each utterance."""
        there = torch.arange(self.rows(time), device=rows.device) < rows[:, None]
        return there[:, :, None].expand(-1, -1, self.columns(mel))


def patchify(
    features: Float[Tensor, "batch time mel"], grid: PatchGrid
) -> Float[Tensor, "batch row column cell"]:
    """The cells of each patch, frame by frame; where the last row reaches beyond the features they are 0."""
    _, time, mel = features.shape
    columns, rows = grid.columns(mel), grid.rows(time)
    padded = F.pad(features, (0, 0, 0, max(0, rows - 1) * grid.down + grid.t - time))
    patches = padded.unfold(1, grid.t, grid.down).unfold(2, grid.f, grid.across)
    return patches[:, :rows, :columns].flatten(3)


def unpatchify(
    patches: Float[Tensor, "batch row column cell"], grid: PatchGrid, time: int, mel: int
) -> Float[Tensor, "batch {time} {mel}"]:
    """Features of `time` frames and `mel` channels that consist of these patches.

    A cell of several patches is the mean of what they hold; one of none, which overlapping patches may leave in the
    highest channels, is 0. Raises ValueError where there are not as many patches as such features have.
    """
    batch, rows, columns, cells = patches.shape
    expected = (grid.rows(time), grid.columns(mel), grid.t * grid.f)
    if (rows, columns, cells) != expected:
        raise ValueError(
            f"patches are {rows} x {columns} of {cells} cells; expected {expected[0]} x {expected[1]} of {expected[2]}"
        )
    size = (max(0, rows - 1) * grid.down + grid.t, mel)
    shape = {"kernel_size": (grid.t, grid.f), "stride": (grid.down, grid.across)}
    if not rows:
        return patches.new_zeros(batch, time, mel)
    columns_of_cells = patches.flatten(1, 2).transpose(1, 2)
    sums = F.fold(columns_of_cells, size, **shape)
    counts = F.fold(torch.ones_like(columns_of_cells[:1]), size, **shape).clamp(min=1)
    return (sums / counts)[:, 0, :time]
