"""What a pretrained network takes hidden patches to be: utterances of dev, as a picture."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from specaug.augment.patch_grid import unpatchify
from specaug.augment.patch_grid_masks import PatchHiding
from specaug.speech.prepare import Part
from specaug.study.picture import COLOURS, SHADES
from specaug.study.results import RECONSTRUCTIONS
from specaug.training.data import Share, Utterances
from specaug.training.pretrain_contract import answering
from specaug.training.pretrain_module import FIXED, hidden_of

mpl.use("Agg")  # no window: also on a machine without a screen

UTTERANCES = 4
PANELS = 3


@dataclass(frozen=True)
class Rebuilt:
    """An utterance, the cells that are hidden of it, and what the network makes of the rest."""

    id: str
    features: Float[Tensor, "time mel"]
    hidden: Bool[Tensor, "time mel"]
    told: Float[Tensor, "time mel"]


def rebuilt(network: nn.Module, part: Part, hiding: PatchHiding) -> list[Rebuilt]:
    """Some utterances of a part, spread over their lengths; what is hidden is what evaluation hides."""
    order = sorted(range(len(part.ids)), key=lambda place: (part.frames[place], part.ids[place]))
    steps = range(min(UTTERANCES, len(order)))
    batch = Utterances(part)[
        Share([order[(2 * step + 1) * len(order) // (2 * len(steps))] for step in steps])
    ]
    hidden = hidden_of(hiding, batch, *FIXED)
    network.cpu().eval()
    with torch.no_grad():
        told = answering(network).reconstruction(batch.features, batch.lengths, hidden)
    cells = cells_of(hidden, hiding, *batch.features.shape[1:])
    return [
        Rebuilt(name, batch.features[row, :length], cells[row, :length], told[row, :length])
        for row, (name, length) in enumerate(zip(batch.ids, batch.lengths.tolist(), strict=True))
    ]


def cells_of(
    hidden: Bool[Tensor, "batch row column"], hiding: PatchHiding, time: int, mel: int
) -> Bool[Tensor, "batch {time} {mel}"]:
    """The cells of the patches that are hidden."""
    size = hiding.grid.t * hiding.grid.f
    return unpatchify(hidden[..., None].expand(-1, -1, -1, size).float(), hiding.grid, time, mel) > 0


def drawn(shown: Sequence[Rebuilt], shift: float, title: str) -> Any:
    """A row an utterance: as it is, what the network sees of it, and what it tells; seconds by mel channels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 0.9 + 2.1 * len(shown)), layout="constrained", dpi=130)
    axes = figure.subplots(len(shown), PANELS, squeeze=False, sharey=True)
    colours = mpl.colormaps[COLOURS].with_extremes(bad="0.85")
    for row, one in zip(axes, shown, strict=True):
        time, mel = one.features.shape
        masked = f"masked: {float(one.hidden.float().mean()):.0%} hidden (grey)"
        titles = (f"original: {one.id}", masked, "reconstructed")
        seen = one.features.masked_fill(one.hidden, torch.nan)
        for axis, what, cells in zip(row, titles, (one.features, seen, one.told), strict=True):
            extent = (0.0, time * shift, -0.5, mel - 0.5)
            frame = {"origin": "lower", "aspect": "auto", "extent": extent, "interpolation": "nearest"}
            axis.imshow(cells.T.numpy(), cmap=colours, vmin=SHADES[0], vmax=SHADES[1], **frame)
            axis.set_title(what, loc="left", fontsize=9)
            axis.tick_params(labelsize=8)
        row[0].set_ylabel("mel channel", fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("seconds", fontsize=8)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return figure


def save(shown: Sequence[Rebuilt], shift: float, title: str, folder: Path) -> None:
    """Write the picture, whole or not at all."""
    figure = drawn(shown, shift, title)
    partial = folder / f".{RECONSTRUCTIONS}.{os.getpid()}"
    try:
        figure.savefig(partial, format="png")
        partial.replace(folder / RECONSTRUCTIONS)
    finally:
        partial.unlink(missing_ok=True)
