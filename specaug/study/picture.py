"""Pictures of what a policy does to one utterance: before, warped, masked, after."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from specaug.augment.apply import apply
from specaug.augment.drawn import Drawn
from specaug.augment.draws import Draws, draw
from specaug.augment.keys import make_keys
from specaug.augment.masks import Masks, hidden_cells
from specaug.augment.patches import Patches
from specaug.augment.policy import Policy, written
from specaug.augment.warp import Warp
from specaug.speech.audio import read_wave
from specaug.speech.features import log_mel, normalised
from specaug.speech.options import Features
from specaug.study.expected import hides
from specaug.training.strength import Strength

mpl.use("Agg")  # no window: also on a machine without a screen

TICKS = (125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0)  # Hz
SHADES = (-2.5, 2.5)  # deviations shown
HIDDEN = (0.93, 0.26, 0.22, 0.75)  # red, half seen through
COLOURS = "viridis"
PER_FRAME = 600  # milliseconds of an animation


@dataclass(frozen=True)
class Panel:
    """One picture: a spectrogram, what is marked in it, and what it is called."""

    title: str
    features: Float[Tensor, "time mel"]
    hidden: Bool[Tensor, "time mel"] | None = None
    moved: tuple[int, int] | None = None  # a frame, and where it goes


@dataclass(frozen=True)
class Spoken:
    """An utterance to be shown."""

    name: str
    features: Float[Tensor, "time mel"]
    options: Features
    rate: int  # Hz


def read(path: Path, options: Features, name: str = "") -> Spoken:
    """The features of an audio file, called by its id in training or by the file; raises UserError where it cannot be read."""
    wave, rate = read_wave(path)
    return Spoken(name or path.stem, normalised(log_mel(torch.as_tensor(wave), rate, options)), options, rate)


def panels(spoken: Spoken, policy: Policy, seed: int, epoch: int) -> list[Panel]:
    """The utterance before, after each operation that moves something, under its masks, and after all of it."""
    features, lengths = spoken.features[None], torch.tensor([len(spoken.features)])
    draws = draw(policy, lengths, features.shape[2], make_keys(seed, epoch, [spoken.name]))
    shown, working = [Panel("before", features[0])], [o for o in policy.operations if o.draws]
    hidden = torch.zeros_like(features, dtype=torch.bool)
    for operation, step in zip(working, draws.steps, strict=True):
        before, features = features, apply(features, lengths, Draws((step,)))
        cells = hidden_by(step, lengths, features)
        if cells is None:
            hidden = torch.zeros_like(hidden)
            shown.append(moved_panel(written(operation), features[0], step))
        else:  # masks that follow one another share a panel
            under = shown.pop().features if hidden.any() else before[0]
            hidden |= cells
            share = float(hidden[0, : int(lengths[0])].float().mean())
            shown.append(Panel(f"masks: {share:.0%} of the cells", under, hidden[0].clone()))
        lengths = step.shortened(lengths)
    return [*shown, Panel("after", features[0, : int(lengths[0])])]


def hidden_by(
    step: Drawn, lengths: Int[Tensor, "1"], features: Float[Tensor, "1 time mel"]
) -> Bool[Tensor, "1 time mel"] | None:
    """The cells that a mask hides; None for an operation that is no mask."""
    if isinstance(step, Masks):
        return hidden_cells([step], lengths, *features.shape[1:])
    return step.cells(*features.shape[1:]) if isinstance(step, Patches) else None


def moved_panel(title: str, features: Float[Tensor, "time mel"], step: Any) -> Panel:
    """The spectrogram after an operation that is no mask; a warp says what it moved."""
    if not isinstance(step, Warp):
        return Panel(title, features)
    centre = int(step.centre[0])
    return Panel(f"time warp, {title}", features, moved=(centre, centre + int(step.shift[0])))


def drawn(spoken: Spoken, title: str, shown: Sequence[Panel]) -> Any:
    """A figure of the panels, one below the other: time in seconds, frequency in Hz."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.1 + 1.75 * len(shown)), layout="constrained", dpi=130)
    axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    shift, mel = spoken.options.shift, spoken.options.mel
    places, names = ticks(spoken)
    for axis, panel in zip(axes, shown, strict=True):
        extent = (0.0, len(panel.features) * shift, -0.5, mel - 0.5)
        frame = {"origin": "lower", "aspect": "auto", "extent": extent, "interpolation": "nearest"}
        axis.imshow(panel.features.T.numpy(), cmap=COLOURS, vmin=SHADES[0], vmax=SHADES[1], **frame)
        if panel.hidden is not None:
            overlay = np.where(panel.hidden.T.numpy()[..., None], HIDDEN, (0.0, 0.0, 0.0, 0.0))
            axis.imshow(overlay, **frame)
        if panel.moved is not None and panel.moved[0] != panel.moved[1]:
            start, end = ((place + 0.5) * shift for place in panel.moved)
            arrow = {"arrowstyle": "-|>", "color": "white", "lw": 1.8}
            axis.annotate("", (end, mel / 2), (start, mel / 2), arrowprops=arrow)
            axis.axvline(end, color="white", lw=0.8, ls=":")
        axis.set_yticks(places, names)
        axis.set_title(panel.title, loc="left", fontsize=9)
        axis.set_ylabel("Hz", fontsize=8)
        axis.tick_params(labelsize=8)
    axes[-1].set_xlim(0, len(spoken.features) * shift)
    axes[-1].set_xlabel("seconds", fontsize=8)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return figure


def ticks(spoken: Spoken) -> tuple[list[float], list[str]]:
    """The channels, in fractions, at which round frequencies lie on the mel scale (HTK's), and their names."""
    lowest, highest = mels(spoken.options.lowest), mels(spoken.options.up_to(spoken.rate))
    step = (highest - lowest) / (spoken.options.mel + 1)
    places = {hertz: (mels(hertz) - lowest) / step - 1 for hertz in TICKS}
    inside = {hertz: place for hertz, place in places.items() if 0 <= place <= spoken.options.mel - 1}
    return list(inside.values()), [f"{hertz:,.0f}" for hertz in inside]


def mels(hertz: float) -> float:
    """HTK's mel scale."""
    return float(2595 * np.log10(1 + hertz / 700))


def save(
    spoken: Spoken,
    name: str,
    policy: Policy,
    seed: int,
    epochs: Sequence[int],
    out: Path,
    strength: Strength = Strength(),  # noqa: B008 (frozen)
) -> None:
    """The picture of one epoch at full strength, or an animation (GIF) over several, written whole or not at all.

    `strength` is what training would do to the policy, which is said of the share that it hides.
    """
    hidden = hides(policy.coverage([len(spoken.features)], spoken.options.mel), strength)
    figures = []
    for epoch in epochs:
        title = f"{spoken.name}, {name}: {policy}\nseed {seed}, epoch {epoch}{hidden}"
        figures.append(drawn(spoken, title, panels(spoken, policy, seed, epoch)))
    partial = out.with_name(f".{out.name}")
    try:
        if len(figures) == 1:
            figures[0].savefig(partial, format=out.suffix.lstrip(".").lower())
        else:
            pictures = [pixels(figure) for figure in figures]
            pictures[0].save(
                partial, format="GIF", save_all=True, append_images=pictures[1:], duration=PER_FRAME, loop=0
            )
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def pixels(figure: Any) -> Any:
    """A figure as a picture of the pillow library, in 256 colours."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").quantize(256)
