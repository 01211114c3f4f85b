"""What each policy hid in training, told by the runs, and what it was expected to hide, by calculation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from statistics import fmean

from specaug.augment.coverage import Coverage
from specaug.errors import UserError
from specaug.speech.corpus import TRAIN
from specaug.study.comparing.compare import Comparison
from specaug.study.load import load
from specaug.study.page.sounds import Voices
from specaug.study.page.theme import Table
from specaug.study.recipe import Recipe
from specaug.study.results import RECIPE, Masked, Result

SHARES = ("cells", "frames", "channels")


@dataclass(frozen=True, slots=True)
class Hidden:
    """Of one row: the mean shares that were hidden, and those that were expected."""

    title: str
    masked: Masked
    expected: Coverage | None  # None where it cannot be known, or there is nothing to calculate it from


def hidden(
    comparison: Comparison, names: Sequence[str], runs: Sequence[Sequence[Result]], found: Voices
) -> list[Hidden]:
    """The shares of each row."""
    frames = {fold: frames_of(found, fold) for fold in found.corpora}
    return [
        Hidden(name, row.masked, mean([expected(run, frames) for run in results]))
        for name, row, results in zip(names, comparison.rows, runs, strict=True)
    ]


def expected(result: Result, frames: Mapping[int, Sequence[int]]) -> Coverage | None:
    """What a run expected to hide: as it says itself, else by the lengths of its corpus.

    Nothing where its strength changed, of which older results tell the share at full strength.
    """
    recipe = recipe_of(result)
    if recipe is not None and not recipe.policy.strength.constant:
        return None
    if result.expected is not None:
        return Coverage(*(getattr(result.expected, share) for share in SHARES))
    if recipe is None or result.fold not in frames:
        return None
    return recipe.policy.policy().coverage(frames[result.fold], recipe.features.mel)


def recipe_of(result: Result) -> Recipe | None:
    """The recipe of a run; None where it cannot be read."""
    try:
        return load(result.folder / RECIPE).run()
    except UserError:
        return None


def frames_of(found: Voices, fold: int) -> list[int]:
    """How many frames the training utterances of a fold have, by their durations."""
    options = found.recipes[fold].features
    seconds = [u.duration for u in found.corpora[fold].parts[TRAIN]]
    return [max(1, 1 + round((s - options.window) / options.shift)) for s in seconds]


def mean(shares: Sequence[Coverage | None]) -> Coverage | None:
    """The mean; None where one is missing."""
    known = [share for share in shares if share is not None]
    if not known or len(known) < len(shares):
        return None
    return Coverage(*(fmean(getattr(share, name) for share in known) for name in SHARES))


def rows(found: Sequence[Hidden]) -> Table:
    """The table: what was hidden, and behind it what was expected."""
    header = ["policy", *(text for share in SHARES for text in (f"{share}, %", "expected"))]
    return [header, *([escape(one.title), *numbers(one)] for one in found)]


def numbers(one: Hidden) -> list[str]:
    """The shares of one row."""
    texts = []
    for share in SHARES:
        texts.append(f"{100 * getattr(one.masked, share):.1f}")
        texts.append("-" if one.expected is None else f"{100 * getattr(one.expected, share):.1f}")
    return texts
