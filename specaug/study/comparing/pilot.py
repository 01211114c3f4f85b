"""What finished runs say of how policies differ: the pilot from which more seeds are planned."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from specaug.errors import UserError
from specaug.study.comparing.gathered import Gathered, Tested, gathered
from specaug.study.comparing.pairing import named
from specaug.study.plural import counted
from specaug.study.stats.power import Deviations
from specaug.study.stats.statistics import MIN_UNITS
from specaug.study.stats.variance import Floats


@dataclass(frozen=True, slots=True)
class Pilot:
    """What finished runs say of the differences between policies on a part of the corpus."""

    part: str
    policies: tuple[str, ...]
    pairs: int  # how many policies `compare` would correct for
    baseline: str
    seeds: int  # the fewest that a policy shares with the baseline
    units: int
    unit: str  # "speakers" or "utterances"
    deviations: Deviations
    notes: Sequence[str]
    unfinished: Sequence[Path]


def read_pilot(
    paths: Iterable[Path], policy: str | None = None, baseline: str | None = None, part: str | None = None
) -> Pilot:
    """The variance in the runs in and below `paths`: of `policy` less the baseline, or of all that are there.

    `part` is the first that is reported, unless it is named. Raises UserError where there is no such policy or
    part, or where fewer than two seeds or units leave nothing to estimate from.
    """
    runs = gathered(paths, baseline)
    if not runs.others:
        raise UserError(f"only {runs.baseline} is there; expected runs of a policy to compare with it")
    labels = tuple(runs.others) if policy is None else (named(policy, runs.others),)
    parts = {tested.name: tested for tested in runs.parts}
    if part is not None and part not in parts:
        raise UserError(f"part is {part!r}; expected one of {', '.join(parts)}")
    tested = runs.parts[0] if part is None else parts[part]
    return _pilot(runs, tested, labels)


def _pilot(runs: Gathered, tested: Tested, labels: tuple[str, ...]) -> Pilot:
    names, unit_of = np.unique(tested.speakers, return_inverse=True)
    unit = "speakers" if len(names) > 1 else "utterances"
    if unit == "utterances":
        unit_of = np.arange(len(tested.words))
    words = np.bincount(unit_of, weights=tested.words).astype(np.float64)
    differences: list[Floats] = []
    for label in labels:
        ours, theirs = tested.errors[label], tested.errors[runs.baseline]
        rest = [ours[seed] - theirs[seed] for seed in sorted(set(ours) & set(theirs))]
        if len(rest) < MIN_UNITS or len(words) < MIN_UNITS:
            shared = f"{counted(len(rest), 'seed')} and {counted(len(words), unit.removesuffix('s'))}"
            raise UserError(
                f"{label} and {runs.baseline} share {shared} on {tested.name}; "
                "expected at least 2 of each to see how they vary"
            )
        differences.append(np.array([np.bincount(unit_of, weights=row) for row in rest], dtype=np.float64))
    return Pilot(
        part=tested.name,
        policies=labels,
        pairs=len(runs.others),
        baseline=runs.baseline,
        seeds=min(len(rest) for rest in differences),
        units=len(words),
        unit=unit,
        deviations=Deviations.of(differences, words),
        notes=runs.notes,
        unfinished=runs.unfinished,
    )
