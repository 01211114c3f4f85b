"""Hooks of somebody's module with work of ours behind them, and taken away again in any order."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightning as L
from lightning.pytorch.utilities.model_helpers import is_overridden
from lightning.pytorch.utilities.signature_utils import is_param_in_hook_signature

BEFORE, TRANSFER, AFTER = "on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer"
Hook = Callable[[Any, int], Any]
Owner = L.LightningModule | L.LightningDataModule


@dataclass(eq=False)
class Link:
    """A hook that was found, and work that is done to the batch that it returns."""

    owner: Owner
    name: str
    found: Hook
    own: bool  # whether the hook that was found is the owner's class's
    work: Callable[[Any], Any]

    def called(self, batch: Any, dataloader_idx: int) -> Any:
        """What Lightning calls."""
        return self.work(self.found(batch, dataloader_idx))

    def undo(self) -> None:
        """Take the link out of the chain, wherever it is by now; nothing where it is out already."""
        above, hook = None, vars(self.owner).get(self.name)
        while isinstance(link := getattr(hook, "__self__", None), Link) and link is not self:
            above, hook = link, link.found
        if link is not self:
            return
        if above:
            above.found, above.own = self.found, self.own
        elif self.own:
            del vars(self.owner)[self.name]
        else:
            vars(self.owner)[self.name] = self.found


def hang(trainer: L.Trainer, module: L.LightningModule, name: str, work: Callable[[Any], Any]) -> Link:
    """Put work behind a hook of whichever Lightning asks: the data module where it has the hook, else the module."""
    owner = owner_of(trainer, module, name)
    link = Link(owner, name, getattr(owner, name), name not in vars(owner), work)
    vars(owner)[name] = link.called
    return link


def owner_of(trainer: L.Trainer, module: L.LightningModule, name: str) -> Owner:
    """Whose hook Lightning calls."""
    data: L.LightningDataModule | None = trainer.datamodule  # type: ignore[attr-defined]
    return data if data is not None and is_overridden(name, data) else module


def usual(trainer: L.Trainer, module: L.LightningModule, name: str) -> bool:
    """Whether the hook is Lightning's own, of which one knows what it does to a batch."""
    return not is_overridden(name, owner_of(trainer, module, name))


def require_hooks(module: L.LightningModule) -> None:
    """Raise TypeError where the step fetches its batches itself: then Lightning calls no hook of theirs."""
    if is_param_in_hook_signature(module.training_step, "dataloader_iter", explicit=True):
        raise TypeError(
            f"training_step of {type(module).__name__} takes dataloader_iter, whose batches pass no transfer hook; "
            "expected training_step(self, batch, batch_idx), or SpecAugment called in the step instead"
        )
