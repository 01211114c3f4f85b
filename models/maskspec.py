"""MaskSpec: an encoder of what is visible, and a light decoder that says what is hidden (Chong et al. 2022)."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from models.ast import AST, Positions
from models.pretext import (
    Parts,
    Patches,
    Pretext,
    chosen_first,
    cut_up,
    picked,
    put_back,
    squared_error,
)
from models.transformer import Body

TINY = 1e-6  # added to the variance of a patch, so that silence has none of infinite weight


class MaskSpec(Pretext):
    """Hidden patches are told from the visible ones, which alone the encoder receives.

    The decoder gets the encoder's states, a learned vector in the place of each hidden patch, and positions of its own;
    its size is the paper's unless another is given. What it tells is each patch less its mean, divided by its deviation.
    """

    def __init__(
        self, encoder: AST, width: int = 512, depth: int = 8, heads: int = 16, dropout: float = 0.0
    ) -> None:
        super().__init__(encoder)
        self.decoder = Body(width, depth, heads, dropout, encoder.slope)
        self.enter = nn.Linear(encoder.width, width)
        self.unseen = nn.Parameter(torch.empty(width))
        nn.init.trunc_normal_(self.unseen, std=0.02)
        rows, columns, _ = encoder.positions.grid.shape
        self.positions = Positions(rows, columns, width)
        self.output = nn.Linear(width, encoder.cut.t * encoder.cut.f)

    def loss(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
        hidden: Bool[Tensor, "batch row column"],
    ) -> tuple[Float[Tensor, ""], Parts]:
        """The mean squared error of the hidden patches, in their deviations."""
        patches = cut_up(self.encoder.cut, features, lengths, hidden)
        error = squared_error(self.told(patches), normalised(patches.cells), patches.hidden)
        return error, {"reconstruction": error.detach()}

    def seen(self, patches: Patches) -> Float[Tensor, "batch visible width"]:
        """The encoder's states of the visible patches, in their order; those of the hidden ones are not made."""
        visible = patches.there & ~patches.hidden
        places = chosen_first(visible)
        there = visible.gather(1, places)
        cells = picked(patches.cells, places).masked_fill(~there[..., None], 0.0)  # room, not hidden patches
        positions = self.encoder.positions(patches.rows, patches.most).flatten(1, 2)
        tokens = self.encoder.embedding(cells) + picked(positions, places)
        begin = self.encoder.cut.places(visible).gather(1, places)
        states: Tensor = self.encoder.body(tokens, there, begin)
        return states

    def told(self, patches: Patches) -> Float[Tensor, "batch token cell"]:
        """What the decoder says of every patch: its cells less their mean, divided by their deviation."""
        states = put_back(self.enter(self.seen(patches)), patches.there & ~patches.hidden, self.unseen)
        tokens = states + self.positions(patches.rows, patches.most).flatten(1, 2)
        cells: Tensor = self.output(
            self.decoder(tokens, patches.there, self.encoder.cut.places(patches.there))
        )
        return cells

    def predicted(self, patches: Patches) -> Float[Tensor, "batch token cell"]:
        """The cells in the unit of the features, which takes the true mean and deviation of each patch."""
        mean, deviation = of_patches(patches.cells)
        return self.told(patches) * deviation + mean


def of_patches(
    cells: Float[Tensor, "batch token cell"],
) -> tuple[Float[Tensor, "batch token 1"], Float[Tensor, "batch token 1"]]:
    """The mean and the deviation of the cells of each patch."""
    variance, mean = torch.var_mean(cells, dim=-1, keepdim=True, correction=0)
    return mean, (variance + TINY).sqrt()


def normalised(cells: Float[Tensor, "batch token cell"]) -> Float[Tensor, "batch token cell"]:
    """Each patch less its mean, divided by its deviation."""
    mean, deviation = of_patches(cells)
    return (cells - mean) / deviation
