"""The Lightning module of pretraining: batch -> what is hidden -> loss."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from specaug.augment.keys import make_keys
from specaug.augment.patch_grid_masks import PatchHiding, draw_hidden
from specaug.speech.batching import Batch
from specaug.training.module import Trained
from specaug.training.options import Training
from specaug.training.pretrain_contract import answering

FIXED = (0, 0)  # seed and epoch of what is hidden in evaluation: the same after every epoch, and in every run


class Judged(NamedTuple):
    """What one batch of evaluation gives: the measures, each a mean over so many hidden patches."""

    patches: int
    measures: dict[str, Tensor]


class Pretrainer(Trained):
    """A pretext objective; what is hidden of an utterance depends on (seed, epoch, its id), in evaluation on its id.

    A batch's labels are as many as patches are hidden, which weights its shares (decision D90).
    """

    def __init__(self, network: nn.Module, options: Training, hiding: PatchHiding, seed: int) -> None:
        super().__init__(network, options)
        self.hiding = hiding
        self.seed = seed

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        hidden = hidden_of(self.hiding, batch, self.seed, self.current_epoch)
        with self.precision():
            loss, parts = answering(self.network).loss(batch.features, batch.lengths, hidden)
        return {name: value * batch.weight for name, value in {"loss": loss, **parts}.items()}

    def validation_step(self, batch: Batch, batch_idx: int) -> Any:
        hidden = hidden_of(self.hiding, batch, *FIXED)
        with self.precision():
            loss, parts = answering(self.network).loss(batch.features, batch.lengths, hidden)
        return Judged(int(batch.target_lengths.sum()), {"loss": loss, **parts})


def pretext_loss(hiding: PatchHiding, network: nn.Module, batch: Batch, half: bool) -> Tensor:
    """The loss of a batch under the masks of evaluation, with products in half the bits where that is asked for."""
    return loss_under(hidden_of(hiding, batch, *FIXED), network, batch, half)


def loss_under(
    hidden: Bool[torch.Tensor, "batch row column"], network: nn.Module, batch: Batch, half: bool
) -> Tensor:
    """The loss of a batch of which these patches are hidden."""
    with torch.autocast(batch.features.device.type, torch.bfloat16, enabled=half):
        return answering(network).loss(batch.features, batch.lengths, hidden)[0]


def hidden_of(
    hiding: PatchHiding, batch: Batch, seed: int, epoch: int
) -> Bool[torch.Tensor, "batch row column"]:
    """True at the patches that are hidden of each utterance of a batch, drawn on the CPU whatever the device."""
    _, time, mel = batch.features.shape
    keys = make_keys(seed, epoch, batch.ids)
    return draw_hidden(hiding, batch.lengths.cpu(), time, mel, keys).to(batch.features.device)
