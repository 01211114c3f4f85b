"""SpecAugment on somebody else's LightningModule: a callback, and not a line of the module changes.

    python examples/lightning_callback.py

The batch is a dictionary with names of its own. The policy grows from nothing to full strength over six steps.
"""

from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from specaug import LD
from specaug.training.augment import Augment
from specaug.training.strength import Strength

FRAMES = (400, 380, 300, 250)  # an utterance each
EPOCHS, BATCH = 5, 2

torch.manual_seed(0)
utterances = [
    {"name": f"utterance-{place}", "mel": torch.randn(max(FRAMES), 80), "frames": frames}
    for place, frames in enumerate(FRAMES)
]


class Theirs(L.LightningModule):
    """A module that knows nothing of augmentation; it notes the share of zeros that each of its steps sees."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(80, 10)
        self.trained: list[float] = []
        self.validated: list[float] = []

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        self.trained.append((batch["mel"] == 0).float().mean().item())
        return self.layer(batch["mel"]).square().mean()

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        self.validated.append((batch["mel"] == 0).float().mean().item())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters())


# With `ids`, an utterance's masks depend on seed, epoch and its name alone: not on its batch, worker or rank.
augment = Augment(LD, seed=0, features="mel", lengths="frames", ids="name", strength=Strength(end=6))
module = Theirs()
trainer = L.Trainer(
    max_epochs=EPOCHS, accelerator="cpu", callbacks=[augment],
    logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
)  # fmt: skip
trainer.fit(module, DataLoader(utterances, BATCH), DataLoader(utterances, BATCH))

policies = [policy for _, policy in augment.in_force]
assert len(policies) == 7  # strengths 0/6, 1/6, ... 6/6
assert policies[-1] == str(LD)
assert module.trained[0] == 0  # nothing is hidden at step 0
assert sum(module.trained[6:]) > 0
assert not any(module.validated)

print(f"{len(module.trained)} steps hid {', '.join(f'{s:.0%}' for s in module.trained)} of the cells;")
print(f"from step {augment.in_force[-1][0]} on the policy was {policies[-1]}, and validation saw no mask.")
