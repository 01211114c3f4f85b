"""A transducer: what is said next depends on what was heard and on what was said before (Graves 2012)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torchaudio.functional import rnnt_loss

from models.conformer import Conformer
from models.prefixes import BLANK

States = tuple[Float[Tensor, "1 batch cell"], Float[Tensor, "1 batch cell"]]


class ConformerTransducer(nn.Module):
    """A Conformer hears, an LSTM layer remembers what was said, a joint layer tells the next label (Gulati et al. 2020).

    The blank says that nothing more comes at a frame, and stands before the first label.
    With the sizes of the paper's Table 1, `front="conv2d"` and 1,000 word pieces S, M and L have 10.0, 31.4 and 115.9
    million parameters, where it says 10.3, 30.7 and 118.8. About 2.2 million parameters with the default sizes.
    """

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
        predictor: int = 144,
    ) -> None:
        super().__init__()
        self.encoder = Conformer(mel, width, depth, heads, kernel, dropout, front)
        self.labels = nn.Embedding(vocab, predictor)
        self.predictor = nn.LSTM(predictor, predictor, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.heard = nn.Linear(width, predictor)
        self.said = nn.Linear(predictor, predictor)
        self.output = nn.Linear(predictor, vocab)

    def joint(
        self, heard: Float[Tensor, "*place cell"], said: Float[Tensor, "*place cell"]
    ) -> Float[Tensor, "*place vocab"]:
        """The logits of the next label, or of none."""
        logits: Tensor = self.output(torch.tanh(heard + said))
        return logits

    def remembered(
        self, labels: Int[Tensor, "batch label"], states: States | None = None
    ) -> tuple[Float[Tensor, "batch label cell"], States]:
        """What is known after each label, and the state after the last."""
        hidden, after = self.predictor(self.dropout(self.labels(labels)), states)
        return self.said(self.dropout(hidden)), after

    def loss(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
        targets: Int[Tensor, "batch label"],
        target_lengths: Int[Tensor, " batch"],
    ) -> Float[Tensor, ""]:
        """Negative log-likelihood of the transcripts, over all ways to say their labels along the frames; nats per label."""
        hidden, frames = self.encoder(features, lengths)
        frames, targets = frames.clamp(min=1), targets[:, : int(target_lengths.max())]
        heard = self.heard(self.dropout(hidden[:, : int(frames.max())]))  # the loss takes no further padding
        said, _ = self.remembered(F.pad(targets, (1, 0), value=BLANK))
        places = heard.shape[0], heard.shape[1], said.shape[1], heard.shape[2]
        logits = self.joint(heard[:, :, None].expand(places), said[:, None].expand(places))
        total: Tensor = rnnt_loss(
            logits.float(),
            targets.int(),
            frames.int(),
            target_lengths.int(),
            blank=BLANK,
            reduction="sum",
        )
        return total / target_lengths.sum().clamp(min=1)

    @torch.no_grad()
    def transcribe(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> list[list[int]]:
        """The likeliest label at each frame, until none is said there; in all at most one for each frame of the features.

        A frame has no bound of its own: short utterances that are known by heart are said at once, when all is heard.
        """
        hidden, frames = self.encoder(features, lengths)
        heard = self.heard(hidden)
        written: list[list[int]] = [[] for _ in lengths]
        left = lengths.clone()  # labels that may still be said
        last = torch.full((len(lengths), 1), BLANK, device=lengths.device)
        said, states = self.remembered(last)
        for frame in range(heard.shape[1]):
            speaking = frame < frames
            while True:
                label = self.joint(heard[:, frame], said[:, 0]).argmax(dim=1)
                speaking = speaking & (label != BLANK) & (left > 0)
                if not bool(speaking.any()):
                    break
                left = left - speaking.long()
                for place in speaking.nonzero()[:, 0].tolist():
                    written[place].append(int(label[place]))
                after, moved = self.remembered(label[:, None], states)
                said = torch.where(speaking[:, None, None], after, said)
                states = tuple(  # type: ignore[assignment]
                    torch.where(speaking[None, :, None], new, old)
                    for new, old in zip(moved, states, strict=True)
                )
        return written
