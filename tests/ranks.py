"""What ranks do in tests: they import it. As a command, somebody's module on two processes: `ranks.py FOLDER WORKERS`."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import lightning as L
import torch
from standins import OneLayer
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from specaug.augment.policy import LD
from specaug.training.augment import Augment
from specaug.training.ddp import spread
from specaug.training.ranks import Rank
from specaug.training.strength import Strength

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


class Apart(Seeing):
    """Logs a WER of its own in each rank, without a word to the others: it falls in rank 0 and rises in rank 1."""

    def __init__(self, first_alone: bool) -> None:
        super().__init__(Path())
        self.first_alone = first_alone

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        wer = 0.5 + (0.1 if self.global_rank else -0.1) * self.current_epoch
        self.log("dev/wer", wer, batch_size=1, rank_zero_only=self.first_alone)

    def on_train_end(self) -> None:
        """Nothing is kept."""


def looped(first_alone: bool, rank: Rank) -> None:
    """A closed loop over three epochs; each rank tells its policies in force."""
    augment = Augment(POLICY, strength=Strength(rise=0.25))
    trainer = L.Trainer(
        max_epochs=3,
        callbacks=[augment],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **spread(rank),
    )
    loader = DataLoader(Utterances(), batch_size=2)
    trainer.fit(Apart(first_alone), loader, loader)
    rank.tell((rank.number, augment.loop.level, augment.in_force))


class Noting(OneLayer):
    """Writes what it is trained on into a folder, a file for each step and rank."""

    def __init__(self, folder: Path) -> None:
        super().__init__(dropout=0)
        self.folder = folder

    def loss(self, features: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        loss = super().loss(features, lengths, targets, target_lengths)
        if self.training:
            rank = os.environ.get("RANK", "alone")
            seen = {"features": features, "lengths": lengths, "targets": targets}
            torch.save(seen, self.folder / f"{len(self.steps) - 1}-{rank}.pt")
        return loss


class Normed(OneLayer):
    """With dropout, running statistics and a layer that is never used; rank 1 may be killed in a step."""

    def __init__(self, killed_at: int | None = None) -> None:
        super().__init__(dropout=0.2)
        self.norm = nn.BatchNorm1d(16)
        self.unused = nn.LayerNorm(3)
        self.killed_at = killed_at

    def loss(self, features: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        if self.training and len(self.steps) == self.killed_at and os.environ.get("RANK") == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        normed = self.norm(features.transpose(1, 2)).transpose(1, 2)
        return super().loss(normed, lengths, targets, target_lengths)


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
