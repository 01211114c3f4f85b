"""Label smoothing, and its end."""

import lightning as L
from torch import nn

from specaug.errors import UserError

ATTRIBUTE = "label_smoothing"


class LabelSmoothing(L.Callback):
    """The network spreads a share of each label over all of them until step `end` (Szegedy et al. 2016).

    Park et al. 2019, section 3.2, with a share of 0.1. The network does it, under its attribute `label_smoothing`.
    """

    def __init__(self, network: nn.Module, share: float, end: int) -> None:
        self.network, self.share, self.end = network, share, end

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: object, batch_idx: int
    ) -> None:
        """The share of this step."""
        over = 0 < self.end <= trainer.global_step
        self.network.label_smoothing = 0.0 if over else self.share  # type: ignore[assignment]


def require_smoothing(network: nn.Module, share: float) -> None:
    """Raise UserError where labels are to be smoothed and the network has no such attribute."""
    if share and not hasattr(network, ATTRIBUTE):
        name = type(network).__name__
        raise UserError(
            f"training.label_smoothing is {share}; expected 0: network {name} has no attribute {ATTRIBUTE!r}"
        )
