"""The Lightning module: batch -> loss, and transcripts in evaluation. It knows nothing of augmentation."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import lightning as L
import torch
from torch import Tensor, nn

from specaug.speech.batching import Batch
from specaug.speech.classes import Classes
from specaug.speech.text import Units
from specaug.training.contract import answering, scoring
from specaug.training.options import Training


class Evaluated(NamedTuple):
    """What one batch of evaluation gives: the loss per label, the labels that the network wrote, and its scores."""

    ids: list[str]
    loss: Tensor
    labels: int
    transcripts: list[list[int]]
    scores: Sequence[Sequence[float]] = ()  # log-probabilities of the classes, where the labels are some


class Trained(L.LightningModule):
    """Any network, trained with AdamW on the schedule of a recipe."""

    def __init__(self, network: nn.Module, options: Training) -> None:
        super().__init__()
        self.network = network
        self.options = options

    def precision(self) -> AbstractContextManager[object]:
        """In how many bits products are computed: not by Lightning, which lets no fused optimiser clip then."""
        half = self.options.precision == "bf16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=half)

    def configure_optimizers(self) -> Any:
        options = self.options
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=options.peak, weight_decay=options.weight_decay, fused=True
        )
        # the rate of step n, counted from 1, is the schedule's at n: the first step must not be lost at rate 0
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda done: options.schedule.factor(done + 1)
        )
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]


class Recognizer(Trained):
    """Any network that answers `loss` and `transcribe`; and `scores`, where its labels are classes."""

    def __init__(self, network: nn.Module, options: Training, units: Units | None = None) -> None:
        super().__init__(network, options)
        self.classes = isinstance(units, Classes)
        self.decoding: Mapping[str, Any] = {}  # what the network is told when it transcribes
        self.language: nn.Module | None = None  # a part of that which goes where this module goes

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        with self.precision():
            loss = answering(self.network).loss(
                batch.features, batch.lengths, batch.targets, batch.target_lengths
            )
        return loss * batch.weight

    def validation_step(self, batch: Batch, batch_idx: int) -> Any:
        with self.precision():
            loss = answering(self.network).loss(
                batch.features, batch.lengths, batch.targets, batch.target_lengths
            )
            written, scores = self.written(batch)
        return Evaluated(batch.ids, loss, int(batch.target_lengths.sum()), written, scores)

    def written(self, batch: Batch) -> tuple[list[list[int]], list[list[float]]]:
        """The labels that the network writes; where they are classes the likeliest, of one pass, and the scores."""
        if not self.classes:
            network = answering(self.network)
            return network.transcribe(batch.features, batch.lengths, **self.decoding), []
        scores = scoring(self.network).scores(batch.features, batch.lengths)
        return (scores.argmax(dim=1, keepdim=True) + 1).tolist(), scores.tolist()

    def decode(self, told: Mapping[str, Any]) -> None:
        """Tell the network this when it transcribes from now on."""
        self.decoding = told
        self.language = told["lm"] if isinstance(told.get("lm"), nn.Module) else None
