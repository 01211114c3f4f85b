"""A language model: what is likely to be said next, whatever is heard."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.ctc import valid
from models.search import END, State, Step


class LSTMLM(nn.Module):
    """An LSTM that reads labels and tells the next one, the end among them; Park et al. 2019 use one, section 3.4.

    About 150,000 parameters with the default sizes and 30 labels.
    """

    def __init__(self, vocab: int, width: int = 128, depth: int = 1, dropout: float = 0.1) -> None:
        super().__init__()
        self.shape = depth, width
        self.labels = nn.Embedding(vocab, width)
        self.layers = nn.LSTM(width, width, depth, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, vocab)

    def loss(
        self, targets: Int[Tensor, "batch label"], target_lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        """Cross entropy of the labels and the end of each sentence, in nats per label, ends counted."""
        said, wanted = F.pad(targets, (1, 0), value=END), F.pad(targets, (0, 1), value=END)
        there = valid(target_lengths + 1, wanted.shape[1])
        hidden, _ = self.layers(self.dropout(self.labels(said)))
        return F.cross_entropy(self.output(self.dropout(hidden[there])).float(), wanted[there])

    def start(self, batch: int) -> State:
        """The state of sentences of which nothing is said."""
        nothing = self.output.weight.new_zeros(batch, *self.shape)
        return nothing, nothing

    def forward(self, last: Int[Tensor, " hypothesis"], state: State) -> Step:
        """What may come after a label, the end of a sentence before its first one; and the state then."""
        before = tuple(part.transpose(0, 1).contiguous() for part in state)
        hidden, after = self.layers(self.labels(last)[:, None], before)
        log_probs = self.output(hidden[:, 0]).float().log_softmax(dim=1)
        return Step(log_probs, tuple(part.transpose(0, 1) for part in after))
