"""The end of a run whose loss is not finite: it is no result."""

import math

import lightning as L

from specaug.errors import Diverged
from specaug.training.callbacks import Curves


class Finite(L.Callback):
    """Stops at an epoch whose loss is not finite, after its row is written and before it is saved (decision D59)."""

    def __init__(self, curves: Curves) -> None:
        self.curves = curves

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Raise Diverged in every rank: the loss is that of all."""
        dev = self.curves.measured.get("dev/loss", 0.0)
        for name, loss, fine in (
            ("train", self.curves.loss, math.isfinite(self.curves.loss)),
            ("dev", dev, not math.isnan(dev)),  # CTC's is infinite where an utterance is too short
        ):
            if not fine:
                told = f"{name} loss is {loss} after epoch {trainer.current_epoch + 1}"
                raise Diverged(f"{told}; expected a finite one: try a lower training.peak")
