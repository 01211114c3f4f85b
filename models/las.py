"""Listen, Attend and Spell, as the SpecAugment paper sizes it (Chan et al. 2016; Park et al. 2019, section 3.1)."""

from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from models.bilstm import BiLSTM
from models.ctc import surprise, valid
from models.pooling import Pooling, pooled
from models.search import END, Model, Speaking, State, Step, fused, search

Cells = tuple[Float[Tensor, "1 hypothesis width"], Float[Tensor, "1 hypothesis width"]]
AROUND = 31  # frames that a convolution over what was attended to sees
ASIDE = 0.2  # g of Tachibana et al. (2018): the share of an utterance that attention may be off the diagonal
COVERED = 0.5  # the attention from which a frame counts as read (Chorowski and Jaitly 2017)


class LAS(nn.Module):
    """LAS-d-w: convolutions with max-pooling, d bidirectional LSTM layers of w cells, attention, a decoder of two.

    The paper leaves open how the decoder is wired: here the first cell reads the last label and what was attended
    to before, and asks for the next; the second cell and the output read what is attended to now. Layer normalisation
    before and after each layer is not the paper's (D63). LAS-6-1280 has 356 million parameters with 16,000 word pieces
    and 80 mel channels, where the paper says about 360. Label 0 is the end of a sentence. About 1.8 million parameters
    with the default sizes.

    What a small corpus may need beside, and the paper has not: with `location` attention also hears, by so many
    filters, where it has been (D115); with `ctc` that share of the loss is CTC's on what there is to attend to (D116);
    with `guided` attention pays for what it reads far from the diagonal (D118). The last two in training alone.
    """

    def __init__(
        self,
        mel: int,
        vocab: int,
        width: int = 128,
        depth: int = 2,
        channels: int = 32,
        deltas: bool = False,
        dropout: float = 0.1,
        location: int = 0,
        ctc: float = 0.0,
        guided: float = 0.0,
    ) -> None:
        super().__init__()
        if location < 0:
            raise ValueError(f"location is {location}; expected 0 or more filters")
        if not 0 <= ctc < 1:
            raise ValueError(f"ctc is {ctc}; expected a share of the loss, from 0 to below 1")
        if not 0 <= guided < float("inf"):
            raise ValueError(f"guided is {guided}; expected 0 or more nats a label")
        self.label_smoothing = 0.0  # of the loss in training; whoever trains may set it
        self.front = Pooling(mel, channels, deltas)
        self.layers = nn.ModuleList(
            BiLSTM(self.front.width if layer == 0 else 2 * width, width) for layer in range(depth)
        )
        self.norms = nn.ModuleList(
            nn.LayerNorm(2 * width if layer else self.front.width) for layer in range(depth + 1)
        )
        self.speller = Speller(2 * width, vocab, width, dropout, location)
        self.dropout = nn.Dropout(dropout)
        self.ctc = ctc
        self.guided = guided
        self.frame_labels = nn.Linear(2 * width, vocab) if ctc else None

    def heard(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch frames memory"], Int[Tensor, " batch"]]:
        """What there is to attend to, and its valid frames."""
        hidden, frames = self.front(features, lengths)
        hidden = self.norms[0](hidden)
        for layer, norm in zip(self.layers, self.norms[1:], strict=True):
            hidden = self.dropout(norm(layer(hidden, frames)))
        return hidden, frames

    def loss(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
        targets: Int[Tensor, "batch label"],
        target_lengths: Int[Tensor, " batch"],
    ) -> Float[Tensor, ""]:
        """Cross entropy of the labels and the end, each told what stands before it; nats per label.

        With `ctc` (lambda of Kim et al. 2017, section 3) that share of the training loss is CTC's, whose blank is
        label 0; with `guided` so many nats are added for a label whose attention is wholly beside the diagonal.
        """
        said = F.pad(targets, (1, 0), value=END)
        wanted = F.pad(targets, (0, 1), value=END)
        memory, frames = self.heard(features, lengths)
        logits, attention = self.speller(said, memory, frames)
        there, labels = valid(target_lengths + 1, wanted.shape[1]), target_lengths.sum().clamp(min=1)
        total = F.cross_entropy(
            logits[there].float(),
            wanted[there],
            reduction="sum",
            label_smoothing=self.label_smoothing if self.training else 0.0,
        )
        loss = total / labels
        if not self.training:
            return loss
        if self.frame_labels is not None:
            rows = self.frame_labels(memory).log_softmax(dim=2)
            loss = (1 - self.ctc) * loss + self.ctc * surprise(rows, frames, targets, target_lengths)
        if self.guided:
            loss = loss + self.guided * beside(attention, target_lengths + 1, frames)[there].sum() / labels
        return loss

    def transcribe(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
        beam: int = 1,
        coverage: float = 0.0,
        lm: Speaking | None = None,
        weight: float = 0.0,
    ) -> list[list[int]]:
        """The labels of the best hypothesis of a beam search; a sentence has at most as many as frames are attended to.

        `coverage` is what each frame adds to the score in nats once it has been attended to by more than a half in
        all (c of Park et al. 2019, section 3.4; Chorowski and Jaitly 2017); `weight` is that of a language model.
        """
        memory, frames = self.heard(features, lengths)
        model, start = self.speller.model(memory, frames, beam)
        if lm is not None and weight:
            model, start = fused(model, len(start), lm, weight), (*start, *lm.start(len(lengths)))
        bonus = partial(covered, weight=coverage) if coverage else None
        return [found.labels for found in search(model, start, frames, beam, bonus)]

    @staticmethod
    def frames_out(frames: int) -> int:
        """Frames that are attended to, which are also the most labels that are written."""
        return pooled(frames)


def beside(
    attention: Float[Tensor, "batch label frames"],
    labels: Int[Tensor, " batch"],
    frames: Int[Tensor, " batch"],
) -> Float[Tensor, "batch label"]:
    """How far from the diagonal each label is read: 0 on it, 1 far away (Tachibana et al. 2018, guided attention: W)."""
    rows, columns = (
        (torch.arange(size, device=attention.device) + 0.5) / count[:, None].clamp(min=1)
        for size, count in ((attention.shape[1], labels), (attention.shape[2], frames))
    )
    away = rows[:, :, None] - columns[:, None, :]
    return (attention * (1 - torch.exp(-((away / ASIDE) ** 2) / 2))).sum(dim=2)


def covered(state: State, weight: float) -> Float[Tensor, " hypothesis"]:
    """`weight` for each frame that a hypothesis has attended to by more than a half in all."""
    return weight * (Spelling(*state[: len(Spelling._fields)]).attended > COVERED).sum(dim=1)


class Spelling(NamedTuple):
    """The state of the decoder."""

    first: Float[Tensor, "hypothesis width"]
    first_cell: Float[Tensor, "hypothesis width"]
    second: Float[Tensor, "hypothesis width"]
    second_cell: Float[Tensor, "hypothesis width"]
    context: Float[Tensor, "hypothesis memory"]  # what was attended to last
    attended: Float[Tensor, "hypothesis frames"]  # in all


class Speller(nn.Module):
    """Two LSTM layers with attention between them; each label is told what stands before it.

    The second feeds nothing back, so where the labels are known it reads the whole sentence at once.
    """

    def __init__(self, memory: int, vocab: int, width: int, dropout: float, location: int = 0) -> None:
        super().__init__()
        self.width = width
        self.labels = nn.Embedding(vocab, width)
        self.first = nn.LSTMCell(width + memory, width)
        self.attention = Attention(memory, width, location)
        self.second = nn.LSTM(width + memory, width, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width + memory, vocab)

    def forward(
        self,
        said: Int[Tensor, "batch label"],
        memory: Float[Tensor, "batch frames memory"],
        frames: Int[Tensor, " batch"],
    ) -> tuple[Float[Tensor, "batch label vocab"], Float[Tensor, "batch label frames"]]:
        """The logits of what comes after each label that was said, and the attention that they were found with."""
        keys, mask = self.attention.keys(memory), valid(frames, memory.shape[1])
        state, read, attended = self.start(memory), [], [memory.new_zeros(memory.shape[:2])]
        for label in self.dropout(self.labels(said)).unbind(dim=1):
            state = self.look(label, state, memory, keys, mask)
            read.append(torch.cat([state.first, state.context], dim=1))
            attended.append(state.attended)
        rows, _ = self.tell(torch.stack(read, dim=1))
        return self.output(self.dropout(rows)), torch.stack(attended, dim=1).diff(dim=1)

    def start(self, memory: Float[Tensor, "batch frames memory"]) -> Spelling:
        """Nothing said, nothing attended to."""
        batch, frames, width = memory.shape
        nothing = memory.new_zeros(batch, self.width)
        return Spelling(
            nothing,
            nothing,
            nothing,
            nothing,
            memory.new_zeros(batch, width),
            memory.new_zeros(batch, frames),
        )

    def look(
        self,
        label: Float[Tensor, "hypothesis width"],
        state: Spelling,
        memory: Float[Tensor, "hypothesis frames memory"],
        keys: Float[Tensor, "hypothesis frames width"],
        mask: Bool[Tensor, "hypothesis frames"],
    ) -> Spelling:
        """The state after one more label, but for the second layer's."""
        asked, cell = self.first(torch.cat([label, state.context], dim=1), (state.first, state.first_cell))
        weights = self.attention(asked, keys, mask, state.attended)
        context = torch.bmm(weights[:, None], memory)[:, 0]
        attended = state.attended + weights
        return state._replace(first=asked, first_cell=cell, context=context, attended=attended)

    def tell(
        self, read: Float[Tensor, "hypothesis label read"], before: Cells | None = None
    ) -> tuple[Float[Tensor, "hypothesis label read"], Cells]:
        """What the output reads after each label, and the second layer's state after the last.

        `read` are the states of the first layer with the contexts that they asked for.
        """
        told, after = self.second(read, before)
        return torch.cat([told, read[:, :, self.width :]], dim=2), after

    def model(
        self, memory: Float[Tensor, "batch frames memory"], frames: Int[Tensor, " batch"], beam: int
    ) -> tuple[Model, State]:
        """The decoder as a beam search asks it, and the state before the first label."""
        keys, mask = self.attention.keys(memory), valid(frames, memory.shape[1])
        wide = [rows.repeat_interleave(beam, 0) for rows in (memory, keys, mask)]
        return partial(self.next, wide), self.start(memory)

    def next(self, heard: list[Tensor], label: Int[Tensor, " hypothesis"], state: State) -> Step:
        """The log-probabilities of the label after `label`."""
        before = Spelling(*state)
        after = self.look(self.labels(label), before, *heard)
        read = torch.cat([after.first, after.context], dim=1)[:, None]
        rows, (second, cell) = self.tell(read, (before.second[None], before.second_cell[None]))
        log_probs = self.output(rows[:, 0]).float().log_softmax(dim=1)
        return Step(log_probs, tuple(after._replace(second=second[0], second_cell=cell[0])))


class Attention(nn.Module):
    """Which frames to read, by what they hold (Bahdanau et al. 2015), and with `location` by where was read before.

    Chorowski et al. (2015, section 2.2) tell it the last attention, through a convolution; here it is all attention so far,
    as in Shen et al. (2018).
    """

    def __init__(self, memory: int, width: int, location: int = 0) -> None:
        super().__init__()
        self.keys = nn.Linear(memory, width, bias=False)
        self.query = nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=False)
        self.around = nn.Conv1d(1, location, AROUND, padding="same", bias=False) if location else None
        self.place = nn.Linear(location, width, bias=False) if location else None

    def forward(
        self,
        asked: Float[Tensor, "hypothesis width"],
        keys: Float[Tensor, "hypothesis frames width"],
        mask: Bool[Tensor, "hypothesis frames"],
        attended: Float[Tensor, "hypothesis frames"],
    ) -> Float[Tensor, "hypothesis frames"]:
        """Shares of the valid frames that sum to 1; all 0 where there is none."""
        hidden = keys + self.query(asked)[:, None]
        if self.around is not None and self.place is not None:
            hidden = hidden + self.place(self.around(attended[:, None]).transpose(1, 2))
        scores = self.score(torch.tanh(hidden))[:, :, 0]
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        shares: Tensor = scores.softmax(dim=1) * mask
        return shares
