"""A bidirectional-LSTM CTC network: two convolutions, then layers of LSTM cells run both ways."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, arange, cat, nn

from models.ctc import CTC, valid
from models.subsampling import Subsampling, subsampled


class BiLSTMCTC(CTC):
    """Graves, Jaitly and Mohamed (2013), behind a convolutional front that makes one frame of four.

    Layer normalisation stands before each layer and before the output: with it heavily masked utterances
    need half as many steps until anything but blanks is written (docs/log.md). About 1.6 million parameters
    with the default sizes and 80 mel channels.
    """

    def __init__(self, mel: int, vocab: int, width: int = 192, depth: int = 2, dropout: float = 0.1) -> None:
        super().__init__()
        self.front = Subsampling(mel, width)
        self.layers = nn.ModuleList(
            BiLSTM(width if layer == 0 else 2 * width, width) for layer in range(depth)
        )
        self.norms = nn.ModuleList(
            nn.LayerNorm(width if layer == 0 else 2 * width) for layer in range(depth + 1)
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * width, vocab)

    def forward(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch frames vocab"], Int[Tensor, " batch"]]:
        hidden, frames = self.front(features, lengths)
        for norm, layer in zip(self.norms, self.layers, strict=False):
            hidden = layer(self.dropout(norm(hidden)), frames)
        return self.output(self.dropout(self.norms[-1](hidden))).log_softmax(dim=-1), frames

    @staticmethod
    def frames_out(frames: int) -> int:
        """Frames of output for an utterance of `frames` frames."""
        return subsampled(frames)


class BiLSTM(nn.Module):
    """One layer, both ways, each direction reading the utterance and never the padding.

    A packed sequence would do the same at 2.5 times the cost on a CPU: here the utterances are turned
    around inside their lengths, read forwards, and turned back.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.forwards = nn.LSTM(inputs, width, batch_first=True)
        self.backwards = nn.LSTM(inputs, width, batch_first=True)

    def forward(
        self, hidden: Float[Tensor, "batch frames inputs"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch frames outputs"]:
        place = arange(hidden.shape[1], device=hidden.device)
        turned = (lengths[:, None] - 1 - place) % hidden.shape[1]  # padding goes to padding
        there = self.forwards(hidden)[0]
        back = turn(self.backwards(turn(hidden, turned))[0], turned)
        return cat([there, back], dim=-1) * valid(lengths, hidden.shape[1])[:, :, None]


def turn(
    hidden: Float[Tensor, "batch frames width"], order: Int[Tensor, "batch frames"]
) -> Float[Tensor, "batch frames width"]:
    """The frames of each utterance in another order, one that undoes itself when it is applied again."""
    first = arange(len(order), device=order.device)[:, None] * order.shape[1]
    turned: Tensor = Turn.apply(hidden, (order + first).flatten())  # type: ignore[no-untyped-call]
    return turned


class Turn(torch.autograd.Function):
    """Rows in an order that is its own inverse, so that gradients are turned as the frames are.

    Autograd does not know that no row is read twice, and would add them up one number at a time: a tenth of a step.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Float[Tensor, "batch frames width"], rows: Int[Tensor, " place"]
    ) -> Float[Tensor, "batch frames width"]:
        ctx.save_for_backward(rows)
        return turned_by(hidden, rows)

    @staticmethod
    def backward(
        ctx: Any, grad: Float[Tensor, "batch frames width"]
    ) -> tuple[Float[Tensor, "batch frames width"], None]:
        return turned_by(grad, *ctx.saved_tensors), None


def turned_by(
    hidden: Float[Tensor, "batch frames width"], rows: Int[Tensor, " place"]
) -> Float[Tensor, "batch frames width"]:
    """The frames of all utterances, one after the other, in the order of `rows`."""
    return hidden.flatten(0, 1).index_select(0, rows).view_as(hidden)
