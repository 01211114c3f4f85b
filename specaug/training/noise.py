"""Variational weight noise: each step is taken at weights that are a little beside those that it changes."""

import lightning as L
import torch
from torch import Tensor

from specaug.training.seeds import mixed


class WeightNoise(L.Callback):
    """From step s_noise on the gradient is that of the weights plus normal noise, new in every step (Graves 2011).

    Park et al. 2019, section 3.2, with a standard deviation of 0.075. Noise is added to matrices, not to biases and
    normalisations; on one kind of device it is a function of (seed, step), the same in every rank and share of a batch.
    The weights without it come back to the bit before the optimiser sees them, so nobody else does: evaluation and
    checkpoints have none.
    """

    def __init__(self, deviation: float, start: int, seed: int) -> None:
        self.deviation, self.start, self.seed = deviation, start, seed
        self.clean: list[tuple[Tensor, Tensor]] = []

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: object, batch_idx: int
    ) -> None:
        """Add the noise of this step, which stays for all shares of its batch."""
        if not self.clean and trainer.global_step >= self.start:
            self.add(pl_module, trainer.global_step)

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

    def add(self, module: L.LightningModule, step: int) -> None:
        """The noise of a step, drawn where the weights are: on a CPU it would take longer than a GPU's step."""
        chance = torch.Generator(module.device).manual_seed(mixed(self.seed, step, "noise"))
        weights = [p.data for p in module.parameters() if p.requires_grad and p.ndim > 1]
        self.clean = [(weight, weight.clone()) for weight in weights]
        for weight in weights:
            noise = torch.empty(weight.shape, dtype=weight.dtype, device=weight.device)
            weight.add_(noise.normal_(generator=chance), alpha=self.deviation)

    def restore(self) -> None:
        """The weights as they were."""
        for weight, clean in self.clean:
            weight.copy_(clean)
        self.clean = []
