"""How training went: the curves of runs by epoch, and the middle and spread of them over seeds."""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from specaug.errors import UserError
from specaug.training.files import CURVES

EPOCH, TRAIN, DEV, WER = "epoch", "train/loss", "dev/loss", "dev/wer"
COLUMNS = (TRAIN, DEV, WER)

Curve = Mapping[int, float]  # by epoch, counted from 1


@dataclass(frozen=True, slots=True)
class Band:
    """The median over seeds at some epochs, and the lowest and highest seed; a seed is the mean of its folds."""

    epochs: tuple[int, ...]
    middle: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def read_curves(folder: Path, columns: Sequence[str] = COLUMNS) -> dict[str, Curve]:
    """The losses and the dev WER of a run by epoch, or other columns; nothing where the run kept no curves.

    Raises UserError that names the line at fault.
    """
    path = folder / CURVES
    found: dict[str, dict[int, float]] = {column: {} for column in columns}
    if not path.is_file():
        return dict(found)
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not comma-separated text ({error})") from None
    for number, row in enumerate(rows, 2):
        for column in columns:
            if not (text := row.get(column)):
                continue
            try:
                epoch, value = int(row[EPOCH]), float(text)
            except (KeyError, TypeError, ValueError):
                expected = f"expected a whole {EPOCH} and a number"
                raise UserError(f"{path}:{number}: {column} is {text!r}; {expected}") from None
            if math.isfinite(value):  # CTC has no loss for what is too short
                found[column][epoch] = value
    return dict(found)


def band(runs: Iterable[tuple[int, Curve]]) -> Band:
    """The band of one policy: its runs as (seed, curve), at the epochs that all of them have."""
    by_seed: dict[int, list[Curve]] = {}
    for seed, curve in runs:
        by_seed.setdefault(seed, []).append(curve)
    curves = [curve for folds in by_seed.values() for curve in folds]
    epochs = sorted(set.intersection(*map(set, curves))) if curves else []
    at = [[fmean(curve[epoch] for curve in folds) for folds in by_seed.values()] for epoch in epochs]
    middle, low, high = ([of(values) for values in at] for of in (median, min, max))
    return Band(tuple(epochs), tuple(middle), tuple(low), tuple(high))


@dataclass(frozen=True, slots=True)
class Trained:
    """How one policy's runs were trained."""

    label: str
    bands: Mapping[str, Band]  # by column

    @property
    def known(self) -> bool:
        """Whether there is anything to be drawn."""
        return any(band.epochs for band in self.bands.values())


def trained(label: str, runs: Sequence[tuple[int, Path]]) -> Trained:
    """The bands of a policy; `runs` are seeds and folders."""
    curves = [(seed, read_curves(folder)) for seed, folder in runs]
    return Trained(
        label, {column: band((seed, curve[column]) for seed, curve in curves) for column in COLUMNS}
    )
