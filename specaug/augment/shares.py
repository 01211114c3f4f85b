"""How much draws hide, counted: what `coverage.py` expects of a policy."""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from specaug.augment.drawn import Drawn
from specaug.augment.draws import Draws
from specaug.augment.fills import Fills
from specaug.augment.filter_augment import Gains
from specaug.augment.masks import Masks, cover
from specaug.augment.patches import Patches
from specaug.augment.warp import Warp


def hidden_shares(draws: Draws, lengths: Int[Tensor, " batch"], mel: int) -> Float[Tensor, "3 batch"]:
    """The shares of cells, frames and channels that are hidden in each utterance, overlaps once.

    Frames are those that time masks hide, channels those that frequency masks hide, cells all that are hidden.
    Shares are of what is left of an utterance; 0 where nothing is.
    """
    masks = [step for step in draws.steps if isinstance(step, Masks)]
    if len(masks) < sum(not isinstance(step, Warp | Gains) for step in draws.steps):
        return marked_shares(draws, lengths, mel)
    time, shares = int(lengths.max()) if len(lengths) else 0, []
    for axis, size, of in (("time", time, lengths), ("freq", mel, torch.full_like(lengths, mel))):
        covered = torch.zeros(len(lengths), size, dtype=torch.bool, device=lengths.device)
        for mask in masks:
            if mask.axis == axis:
                covered |= cover(mask.spans, size)
        shares.append(covered.sum(dim=1) * (lengths > 0) / of.double().clamp(min=1))
    frames, channels = shares
    return torch.stack([frames + channels - frames * channels, frames, channels])


def marked_shares(draws: Draws, lengths: Int[Tensor, " batch"], mel: int) -> Float[Tensor, "3 batch"]:
    """The same for any operations: of the cells that all of them hide, that time masks, that frequency masks hide."""
    left = draws.shortened(lengths)
    cells = left.double().clamp(min=1) * mel
    kinds = (lambda step: True, lambda step: is_mask(step, "time"), lambda step: is_mask(step, "freq"))
    return torch.stack([marks(draws, lengths, mel, counts).sum(dim=(1, 2)) / cells for counts in kinds])


def is_mask(step: Drawn, axis: str) -> bool:
    """Whether a step hides frames, or channels."""
    return isinstance(step, Masks) and step.axis == axis


def marks(
    draws: Draws, lengths: Int[Tensor, " batch"], mel: int, counts: Callable[[Drawn], bool]
) -> Bool[Tensor, "batch time {mel}"]:
    """True at the cells that are hidden at the end by the steps that count: marked, and moved as features are."""
    hidden = torch.zeros(len(lengths), int(lengths.max()) if len(lengths) else 0, mel, device=lengths.device)
    for step in draws.steps:
        if isinstance(step, Masks | Patches):
            if counts(step):
                hidden = replace(step, fills=Fills(1.0, step.fills.keys)).apply(hidden, lengths)
        elif not isinstance(step, Gains | Warp):
            hidden = step.apply(hidden, lengths)
        lengths = step.shortened(lengths)
    return hidden > 0  # nothing is ever marked in the padding
