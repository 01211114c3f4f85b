"""What finished runs say of how policies differ: the pilot from which more seeds are planned."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from specaug.errors import UserError
from specaug.study.comparing.gathered import Tested, gathered
from specaug.study.stats.power import Deviations
from specaug.study.stats.statistics import MIN_UNITS
from specaug.study.stats.variance import Floats


@dataclass(frozen=True, slots=True)
class Pilot:
    """What finished runs say of the differences between policies on a part of the corpus."""

    part: str
    policies: tuple[str, ...]
    baseline: str
    seeds: int  # the fewest that a policy shares with the baseline
    units: int
    unit: str  # "speakers" or "utterances"
    deviations: Deviations


def read_pilot(
    paths: Iterable[Path], policy: str | None = None, baseline: str | None = None, part: str | None = None
) -> Pilot:
    """The variance in the runs in and below `paths`: of `policy` less the baseline, or of all that are there.

    `part` is the first that is reported, unless it is named. Raises UserError where there is no such policy or
    part, or where fewer than two seeds or units leave nothing to estimate from.
    """
    runs = gathered(paths, baseline)
    if policy is not None and policy not in runs.others:
        raise UserError(f"policy is {policy!r}; expected one of {', '.join(runs.others) or 'no other'}")
    parts = {tested.name: tested for tested in runs.parts}
    if part is not None and part not in parts:
        raise UserError(f"part is {part!r}; expected one of {', '.join(parts)}")
    tested = runs.parts[0] if part is None else parts[part]
    labels = tuple(runs.others) if policy is None else (policy,)
    if not labels:
        raise UserError(f"only {runs.baseline} is there; expected runs of a policy to compare with it")
    return _pilot(tested, labels, runs.baseline)


def _pilot(tested: Tested, labels: tuple[str, ...], baseline: str) -> Pilot:
    names, unit_of = np.unique(tested.speakers, return_inverse=True)
    unit = "speakers" if len(names) > 1 else "utterances"
    if unit == "utterances":
        unit_of = np.arange(len(tested.words))
    words = np.bincount(unit_of, weights=tested.words).astype(np.float64)
    differences: list[Floats] = []
    for label in labels:
        ours, theirs = tested.errors[label], tested.errors[baseline]
        rest = [ours[seed] - theirs[seed] for seed in sorted(set(ours) & set(theirs))]
        if len(rest) < MIN_UNITS or len(words) < MIN_UNITS:
            raise UserError(
                f"{label} and {baseline} share {len(rest)} seeds and {len(words)} {unit} on {tested.name}; "
                "expected at least 2 of each to see how they vary"
            )
        differences.append(np.array([np.bincount(unit_of, weights=row) for row in rest], dtype=np.float64))
    fewest = min(len(rest) for rest in differences)
    deviations = Deviations.of(differences, words)
    return Pilot(tested.name, labels, baseline, fewest, len(words), unit, deviations)
