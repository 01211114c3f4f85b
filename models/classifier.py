"""Classification of whole utterances: the mean of an encoder's states, and a linear layer."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.ast import AST
from models.conformer import Conformer
from models.ctc import valid
from models.subsampling import subsampled


class Classifier(nn.Module):
    """An encoder, the mean of its states over the utterance, dropout, and a linear layer with an output for each class.

    The mean is that of SSAST's and MaskSpec's fine-tuning. Label 0 is no class and has no output, so it is never written.
    """

    def __init__(self, encoder: nn.Module, width: int, labels: int, dropout: float) -> None:
        super().__init__()
        if labels < 2:
            raise ValueError(f"there are {labels} labels; expected 2 or more, of which label 0 is no class")
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, labels - 1)
        self.label_smoothing = 0.0  # of the loss in training; whoever trains may set it

    def pooled(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch width"]:
        """The mean of the states of each utterance; 0 for one without frames."""
        states, count = self.encoder(features, lengths)
        there = valid(count, states.shape[1]).view(*states.shape[:2], *[1] * (states.ndim - 2))
        rows = states.masked_fill(~there, 0.0).sum(dim=1)
        mean: Tensor = rows / count.clamp(min=1).to(rows.dtype).view(-1, *[1] * (rows.ndim - 1))
        return mean.flatten(1, -2).mean(dim=1) if mean.ndim > 2 else mean

    def scores(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch classes"]:
        """Log-probabilities of labels 1, 2, ..."""
        logits: Tensor = self.output(self.dropout(self.pooled(features, lengths)))
        return logits.log_softmax(dim=-1)

    def loss(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
        targets: Int[Tensor, "batch label"],
        target_lengths: Int[Tensor, " batch"],
    ) -> Float[Tensor, ""]:
        """Negative log-likelihood of the classes, in nats each. Raises ValueError where an utterance has several labels."""
        if targets.shape[1] != 1:
            raise ValueError(
                f"an utterance has {targets.shape[1]} labels; expected its class alone (text.classes)"
            )
        classes = targets[:, 0] - 1  # -1 where there is none
        total = F.cross_entropy(
            self.scores(features, lengths).float(),
            classes,
            ignore_index=-1,
            reduction="sum",
            label_smoothing=self.label_smoothing if self.training else 0.0,
        )
        return total / target_lengths.sum().clamp(min=1)

    def transcribe(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> list[list[int]]:
        """The likeliest class of each utterance, of equals the first."""
        best = self.scores(features, lengths).argmax(dim=-1) + 1
        return [[label] for label in best.tolist()]


class ASTClassifier(Classifier):
    """The spectrogram transformer, whose weights those of a pretraining are; its mean is over all patches.

    The default patches are those of `ASTCTC`, 2 frames by all channels. About 1.9 million parameters with the default
    sizes; those of the paper are in `models.ast.SIZES`.
    """

    encoder: AST

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
        patch = (t, mel if f is None else f, stride_t, stride_f)
        encoder = AST(mel, width, depth, heads, *patch, frames, dropout, slope, spread)
        super().__init__(encoder, width, vocab, dropout)

    def frames_out(self, frames: int) -> int:
        """Rows of patches of an utterance of `frames` frames."""
        return self.encoder.cut.rows(frames)


class ConformerClassifier(Classifier):
    """The Conformer with the mean of its frames. About 2.0 million parameters with the default sizes."""

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
        super().__init__(Conformer(mel, width, depth, heads, kernel, dropout, front), width, vocab, dropout)

    @staticmethod
    def frames_out(frames: int) -> int:
        """Frames of the encoder for an utterance of `frames` frames."""
        return subsampled(frames)
