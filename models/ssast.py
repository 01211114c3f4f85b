"""SSAST: hidden patches are told, and told apart, in one objective; and each half of it alone (Gong et al. 2022)."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from models.ast import AST
from models.pretext import (
    Parts,
    Patches,
    Pretext,
    chosen_first,
    cut_up,
    mean_over,
    picked,
    put_back,
    squared_error,
)


class Hidden(NamedTuple):
    """An utterance's hidden patches in their order, then room where others of the batch have more."""

    states: Float[Tensor, "batch hidden width"]
    cells: Float[Tensor, "batch hidden cell"]  # what the patches hold
    there: Bool[Tensor, "batch hidden"]


class MaskedEncoder(Pretext):
    """A pretext objective whose encoder receives all patches, with a learned vector in the place of each hidden one."""

    def __init__(self, encoder: AST) -> None:
        super().__init__(encoder)
        self.unseen = nn.Parameter(torch.empty(encoder.width))
        nn.init.trunc_normal_(self.unseen, std=0.02)

    def states(self, patches: Patches) -> Float[Tensor, "batch token width"]:
        """The encoder's state of each patch, made without what the hidden ones hold."""
        tokens = torch.where(patches.hidden[..., None], self.unseen, self.encoder.embedding(patches.cells))
        tokens = tokens + self.encoder.positions(patches.rows, patches.most).flatten(1, 2)
        states: Tensor = self.encoder.body(tokens, patches.there, self.encoder.cut.places(patches.there))
        return states

    def hidden(self, patches: Patches) -> Hidden:
        """The states of the hidden patches, and their cells."""
        places = chosen_first(patches.hidden)
        states, cells = picked(self.states(patches), places), picked(patches.cells, places)
        return Hidden(states, cells, patches.hidden.gather(1, places))


class Generative(MaskedEncoder):
    """The ablation L_g: the cells of the hidden patches are told, and nothing else is asked."""

    def __init__(self, encoder: AST) -> None:
        super().__init__(encoder)
        self.generator = head(encoder)

    def loss(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
        hidden: Bool[Tensor, "batch row column"],
    ) -> tuple[Float[Tensor, ""], Parts]:
        """The mean squared error of the cells of hidden patches."""
        of = self.hidden(cut_up(self.encoder.cut, features, lengths, hidden))
        error = squared_error(self.generator(of.states), of.cells, of.there)
        return error, {"reconstruction": error.detach()}

    def predicted(self, patches: Patches) -> Float[Tensor, "batch token cell"]:
        """The cells that the head generates."""
        return put_back(self.generator(self.hidden(patches).states), patches.hidden, patches.cells)


class Discriminative(MaskedEncoder):
    """The ablation L_d: each hidden patch is to be found among all that are hidden of its utterance."""

    def __init__(self, encoder: AST) -> None:
        super().__init__(encoder)
        self.classifier = head(encoder)

    def loss(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
        hidden: Bool[Tensor, "batch row column"],
    ) -> tuple[Float[Tensor, ""], Parts]:
        """InfoNCE, in nats per hidden patch."""
        of = self.hidden(cut_up(self.encoder.cut, features, lengths, hidden))
        contrast, found = info_nce(self.classifier(of.states), of.cells, of.there)
        return contrast, {"contrastive": contrast.detach(), "retrieval": found}

    def predicted(self, patches: Patches) -> Float[Tensor, "batch token cell"]:
        """The cells of the hidden patch that the head takes to be there."""
        of = self.hidden(patches)
        best = scores(self.classifier(of.states), of.cells, of.there).argmax(dim=2)
        return put_back(picked(of.cells, best), patches.hidden, patches.cells)


class SSAST(Generative):
    """Both at once, of one mask: L_d + `weight` x L_g, where the paper's weight (lambda) is 10."""

    def __init__(self, encoder: AST, weight: float = 10.0) -> None:
        super().__init__(encoder)
        if not 0 < weight < float("inf"):
            raise ValueError(f"weight is {weight}; expected a number above 0")
        self.weight = weight
        self.classifier = head(encoder)

    def loss(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
        hidden: Bool[Tensor, "batch row column"],
    ) -> tuple[Float[Tensor, ""], Parts]:
        """InfoNCE in nats per hidden patch, and `weight` times the mean squared error of their cells."""
        of = self.hidden(cut_up(self.encoder.cut, features, lengths, hidden))
        error = squared_error(self.generator(of.states), of.cells, of.there)
        contrast, found = info_nce(self.classifier(of.states), of.cells, of.there)
        parts = {"reconstruction": error.detach(), "contrastive": contrast.detach(), "retrieval": found}
        return contrast + self.weight * error, parts


def head(encoder: AST) -> nn.Sequential:
    """Two layers, from a state to a vector as large as a patch."""
    cells = encoder.cut.t * encoder.cut.f
    return nn.Sequential(nn.Linear(encoder.width, encoder.width), nn.ReLU(), nn.Linear(encoder.width, cells))


def scores(
    vectors: Float[Tensor, "batch hidden cell"],
    cells: Float[Tensor, "batch hidden cell"],
    there: Bool[Tensor, "batch hidden"],
) -> Float[Tensor, "batch hidden hidden"]:
    """The product of each vector with each patch of its utterance; the least number there is, where there is no patch."""
    with torch.autocast(vectors.device.type, enabled=False):  # half precision cannot tell patches apart
        products = vectors.float() @ cells.float().transpose(1, 2)
    return products.masked_fill(~there[:, None, :], torch.finfo(torch.float32).min)


def info_nce(
    vectors: Float[Tensor, "batch hidden cell"],
    cells: Float[Tensor, "batch hidden cell"],
    there: Bool[Tensor, "batch hidden"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """-log of the chance that a vector gives to its own patch, exp(c x_i) among all exp(c x_j), and how often the first one holds its cells.

    Both are means over the hidden patches of the batch. Patches of equal cells, as in silence, cannot be told apart: each
    is found where one of them is first (D181).
    """
    products = scores(vectors, cells, there)
    surprise = -products.log_softmax(dim=2).diagonal(dim1=1, dim2=2)
    found = (picked(cells, products.argmax(dim=2)) == cells).all(dim=2).float()
    return mean_over(surprise, there), mean_over(found, there)
