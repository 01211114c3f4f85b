"""Connectionist temporal classification: what every CTC network here shares (Graves et al. 2006)."""

from itertools import groupby

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, arange, nn

from models.prefixes import BLANK, transcribed
from models.search import Speaking


class CTC(nn.Module):
    """A network whose `forward` gives log-probabilities a frame; loss and transcripts follow from them."""

    def forward(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch frames vocab"], Int[Tensor, " batch"]]:
        """Log-probabilities of the labels, and the frames that are valid of each utterance."""
        raise NotImplementedError

    def loss(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
        targets: Int[Tensor, "batch label"],
        target_lengths: Int[Tensor, " batch"],
    ) -> Float[Tensor, ""]:
        """Negative log-likelihood of the transcripts, in nats per label."""
        log_probs, frames = self(features, lengths)
        return surprise(log_probs, frames, targets, target_lengths)

    def transcribe(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
        beam: int = 1,
        lm: Speaking | None = None,
        weight: float = 0.0,
    ) -> list[list[int]]:
        """The labels of the best path: repeats merged, then blanks removed; with a beam those of the likeliest labels.

        With a language model those that are likeliest by both, its log-probability taken `weight` times.
        """
        if beam < 1:
            raise ValueError(f"beam is {beam}; expected 1 or more")
        log_probs, frames = self(features, lengths)
        if beam > 1 or lm is not None:
            start = () if lm is None else lm.start(1)
            return transcribed(log_probs, frames, beam, lm, start, weight)
        best = log_probs.argmax(dim=-1).tolist()
        return [merge(path[:n]) for path, n in zip(best, frames.tolist(), strict=True)]

    def emissions(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch frames vocab"], Int[Tensor, " batch"]]:
        """The log-probabilities of the labels and the valid frames, for aligning a transcript in time."""
        log_probs, frames = self(features, lengths)
        return log_probs, frames


def surprise(
    log_probs: Float[Tensor, "batch frames vocab"],
    frames: Int[Tensor, " batch"],
    targets: Int[Tensor, "batch label"],
    target_lengths: Int[Tensor, " batch"],
) -> Float[Tensor, ""]:
    """Negative log-likelihood of the transcripts under all paths that spell them, in nats per label."""
    rows = log_probs.float().transpose(0, 1)
    total = F.ctc_loss(rows, targets, frames, target_lengths, BLANK, reduction="sum")
    return total / target_lengths.sum().clamp(min=1)


def merge(path: list[int]) -> list[int]:
    """What a path of labels, one a frame, spells."""
    return [label for label, _ in groupby(path) if label != BLANK]


def valid(lengths: Int[Tensor, " batch"], time: int) -> Bool[Tensor, "batch {time}"]:
    """True at the frames that are not padding."""
    return arange(time, device=lengths.device) < lengths[:, None]
