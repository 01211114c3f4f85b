"""Variational weight noise: each step is taken at weights that are a little beside those that it changes."""

import lightning as L
import torch
from torch import Tensor

from specaug.training.seeds import mixed


class WeightNoise(L.Callback):
    """From step s_noise on the gradient is that of the weights plus normal noise, new in every step (Graves 2011).

    Park et al. 2019, section 3.2, with a standard deviation of 0.075. Noise is added to matrices, not to biases and
    normalisations; it is a function of (seed, step), the same in every rank and share of a batch. The weights without
    it come back to the bit before the optimiser sees them, so nobody else does: evaluation and checkpoints have none.
    """

    def __init__(self, deviation: float, start: int, seed: int) -> None:
        self.deviation, self.start, self.seed = deviation, start, seed
        self.clean: list[tuple[Tensor, Tensor]] = []

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: object, batch_idx: int
    ) -> None:
        """Add the noise of this step, which stays for all shares of its batch."""
        if self.clean or trainer.global_step < self.start:
            return
        chance = torch.Generator().manual_seed(mixed(self.seed, trainer.global_step, "noise"))
        weights = [p.data for p in pl_module.parameters() if p.requires_grad and p.ndim > 1]
        self.clean = [(weight, weight.clone()) for weight in weights]
        for weight in weights:
            noise = torch.empty(weight.shape, dtype=weight.dtype).normal_(generator=chance)
            weight.add_(noise.to(weight.device), alpha=self.deviation)

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """The gradient is there: take the noise away."""
        self.restore()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Whatever happens to the network afterwards, it is without noise."""
        self.restore()

    def restore(self) -> None:
        """The weights as they were."""
        for weight, clean in self.clean:
            weight.copy_(clean)
        self.clean = []
