"""Trains somebody's module on two processes and writes what each of them saw: `python ranks.py FOLDER WORKERS`."""

import sys
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch.utils.data import DataLoader, Dataset

from specaug.augment.policy import LD
from specaug.training.augment import Augment

IDS = [f"utterance {place}" for place in range(12)]
FRAMES = [40 - place for place in range(12)]
POLICY = LD.scaled(0.1).replaced(F=8)


class Utterances(Dataset[Any]):
    """Made up; the same everywhere."""

    def __len__(self) -> int:
        return len(IDS)

    def __getitem__(self, place: int) -> dict[str, Any]:
        features = torch.randn(40, 16, generator=torch.Generator().manual_seed(place)) + 5
        return {"features": features, "lengths": FRAMES[place], "ids": IDS[place]}


class Seeing(L.LightningModule):
    """Keeps the augmented features of each utterance by epoch and id."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.folder, self.seen = folder, {}

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        for name, features in zip(batch["ids"], batch["features"], strict=True):
            self.seen[self.current_epoch, name] = features
        return 0 * self.weight

    def on_train_end(self) -> None:
        torch.save(self.seen, self.folder / f"rank-{self.global_rank}.pt")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


if __name__ == "__main__":
    trainer = L.Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp_spawn",
        max_epochs=2,
        callbacks=[Augment(POLICY, seed=3)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    workers = int(sys.argv[2])
    loader = DataLoader(Utterances(), batch_size=2, shuffle=True, num_workers=workers)
    trainer.fit(Seeing(Path(sys.argv[1])), loader)
