"""The curves of pretrainings: each measure on train and on dev by epoch."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from specaug.speech.corpus import DEV, TRAIN
from specaug.study.page import figures
from specaug.study.page.curves import band, read_curves
from specaug.study.page.theme import division

HEIGHT = 230  # of a figure, in pixels: four stand beside each other
CURVES = (
    "Median over seeds (a seed is the mean of its folds), over a veil from the lowest to the highest seed. What is hidden is "
    "drawn anew in every epoch on train, and is the same after each on dev."
)


def curves(runs: Sequence[tuple[str, int, Path]], measures: Sequence[str]) -> list[str]:
    """A figure for each measure of each pretraining that kept its curves; `runs` are names, seeds and folders."""
    lines = []
    for place, name in enumerate(dict.fromkeys(name for name, _, _ in runs)):
        mine = [(seed, folder) for other, seed, folder in runs if other == name]
        if drawn := "".join(_drawn(f"{place} {name}", mine, measures)):
            lines.append(f'<h3>{escape(name)}</h3><div class="grid close">{drawn}</div>')
    return [*lines, f'<p class="soft">{CURVES}</p>'] if lines else []


def _drawn(name: str, runs: Sequence[tuple[int, Path]], measures: Sequence[str]) -> Iterator[str]:
    columns = {measure: (f"{TRAIN}/{measure}", f"{DEV}/{measure}") for measure in measures}
    read = [
        (seed, read_curves(folder, [column for pair in columns.values() for column in pair]))
        for seed, folder in runs
    ]
    for measure, pair in columns.items():
        train, dev = (band((seed, curve[column]) for seed, curve in read) for column in pair)
        if train.epochs or dev.epochs:
            figure = figures.measured(train, dev, measure, HEIGHT)
            yield f"<figure>{division(f'{measure} of pretraining {name}', figure)}</figure>"
