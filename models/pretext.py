"""What the objectives of masked-spectrogram pretraining share: targets, the loss over hidden patches, the picture."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from models.ast import AST, Cut

Parts = dict[str, Tensor]  # what a loss consists of, by name


class Patches(NamedTuple):
    """A batch as patches, all of an utterance's in one row, and where there is speech and what is hidden."""

    cells: Float[Tensor, "batch token cell"]
    rows: Int[Tensor, " batch"]  # of patches, of each utterance
    most: int  # rows of the whole batch
    there: Bool[Tensor, "batch token"]
    hidden: Bool[Tensor, "batch token"]


class Pretext(nn.Module):
    """An objective with the encoder that it trains; `encoder` is what is kept.

    Trained by `loss(features, lengths, hidden)`, where `hidden` is True at the patches that the network must not see.
    Patches that reach into an utterance's padding are never predicted, whatever `hidden` says of them.
    """

    def __init__(self, encoder: AST) -> None:
        super().__init__()
        cut = encoder.cut
        if (cut.down, cut.across) != (cut.t, cut.f):
            raise ValueError(
                f"the encoder's patches of {cut.t} x {cut.f} come every {cut.down} x {cut.across}; expected patches side "
                "by side, or what one hides its neighbours show"
            )
        self.encoder = encoder

    def loss(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
        hidden: Bool[Tensor, "batch row column"],
    ) -> tuple[Float[Tensor, ""], Parts]:
        """What is minimised, and its parts."""
        raise NotImplementedError

    def predicted(self, patches: Patches) -> Float[Tensor, "batch token cell"]:
        """What the network takes the cells of hidden patches to be; elsewhere anything."""
        raise NotImplementedError

    def reconstruction(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
        hidden: Bool[Tensor, "batch row column"],
    ) -> Float[Tensor, "batch time mel"]:
        """The features, with what the network takes hidden patches to be in their places."""
        patches = cut_up(self.encoder.cut, features, lengths, hidden)
        filled = torch.where(patches.hidden[..., None], self.predicted(patches), patches.cells)
        cells = put_together(self.encoder.cut, filled)[:, : features.shape[1]]
        inside = put_together(self.encoder.cut, patches.hidden[..., None].expand_as(filled))
        return torch.where(inside[:, : features.shape[1]], cells, features)


def cut_up(
    cut: Cut,
    features: Float[Tensor, "batch time mel"],
    lengths: Int[Tensor, " batch"],
    hidden: Bool[Tensor, "batch row column"],
) -> Patches:
    """The batch in patches. Raises ValueError where `hidden` is of other patches, or of all or none."""
    time = features.shape[1]
    if time < cut.t:
        raise ValueError(f"the features have {time} frames; expected at least a patch of {cut.t}")
    patches, rows = cut.patches(features, lengths), cut.rows(lengths)
    if hidden.shape != patches.shape[:3]:
        expected = " x ".join(str(size) for size in patches.shape[:3])
        got = " x ".join(str(size) for size in hidden.shape)
        raise ValueError(f"hidden is of {got} patches; the features have {expected}")
    there = cut.among(rows, time)
    hidden = hidden & cut.among(cut.whole(lengths), time)
    for what, some in (("hidden", hidden), ("visible", there & ~hidden)):
        if not some.any():
            raise ValueError(
                f"no patch of the batch is {what}; expected some that are hidden, and some visible"
            )
    return Patches(patches.flatten(1, 2), rows, patches.shape[1], there.flatten(1), hidden.flatten(1))


def put_together(cut: Cut, cells: Tensor) -> Tensor:
    """Features (batch, frame, channel) that consist of patches (batch, token, cell), which lie side by side."""
    grid = cells.view(len(cells), -1, cut.columns, cut.t, cut.f)
    return grid.transpose(2, 3).reshape(len(cells), -1, cut.mel)


def chosen_first(chosen: Bool[Tensor, "batch token"]) -> Int[Tensor, "batch chosen"]:
    """The places of an utterance's chosen tokens in their order, then of others until all utterances have as many."""
    most = int(chosen.sum(dim=1).max())
    return chosen.byte().argsort(dim=1, descending=True, stable=True)[:, :most]


def picked(
    tokens: Float[Tensor, "batch token width"], places: Int[Tensor, "batch chosen"]
) -> Float[Tensor, "batch chosen width"]:
    """The tokens at these places."""
    return tokens.gather(1, places[..., None].expand(-1, -1, tokens.shape[2]))


def put_back(
    some: Float[Tensor, "batch chosen width"], chosen: Bool[Tensor, "batch token"], rest: Tensor
) -> Float[Tensor, "batch token width"]:
    """What was picked at the places of `chosen_first`, there again; `rest` in the others."""
    place = (chosen.cumsum(dim=1) - 1).clamp(min=0)
    return torch.where(chosen[..., None], picked(some, place), rest)


def mean_over(values: Float[Tensor, "*shape"], there: Bool[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """The mean of the values that are there; 0 where none is."""
    return values.masked_fill(~there, 0.0).sum() / there.sum().clamp(min=1)


def squared_error(
    predicted: Float[Tensor, "batch token cell"],
    target: Float[Tensor, "batch token cell"],
    there: Bool[Tensor, "batch token"],
) -> Float[Tensor, ""]:
    """The mean squared error of the cells of patches that are there, every patch counting alike."""
    return mean_over((predicted.float() - target.float()).square().mean(dim=-1), there)
