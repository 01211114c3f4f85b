"""What the benchmark of verdicts by group compares are policies that are equal in every group."""

import numpy as np
import pytest

from benchmarks.verdicts import KEPT
from benchmarks.verdicts_by_group import cells
from specaug.study.comparing.gathered import gathered

CELLS = list(cells([KEPT]))


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.source} {cell.groups} {cell.seeds}")
def test_no_policy_is_better_in_any_group(cell):
    chance, found = np.random.default_rng(0), []
    names, group = np.unique(cell.group, return_inverse=True)
    for _ in range(300):
        one, other, words = cell.world(chance)
        assert one.shape == other.shape == (cell.seeds, len(cell.speakers))
        rest = (other - one).mean(axis=0)
        found.append(np.bincount(group, weights=rest) / np.bincount(group, weights=words))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / len(found) ** 0.5
    assert len(names) > 1
    assert (np.abs(mean / error) < 4).all()  # of six groups in eight cells: by chance in 3 of 1,000


def by_seed(rest, group, words):
    """The deviation between seeds of a difference in errors (seeds, utterances), in the rate of a group."""
    rates = [np.bincount(group, weights=row) / np.bincount(group, weights=words) for row in rest]
    return np.var(rates, axis=0, ddof=1).mean() ** 0.5


def test_real_policies_differ_as_much_from_seed_to_seed_as_those_that_are_kept():
    (cell,) = [cell for cell in CELLS if cell.groups == "LB x 0.25, unseen" and cell.seeds == 5]
    part = gathered([KEPT]).parts[0]
    kept = [part.errors["LB x 0.25"][seed] - part.errors["None"][seed] for seed in range(5)]
    expected = by_seed(kept, np.unique(part.speakers, return_inverse=True)[1], part.words)
    chance, group = np.random.default_rng(1), np.unique(cell.group, return_inverse=True)[1]
    drawn = [cell.world(chance) for _ in range(100)]
    found = np.mean([by_seed(other - one, group, words) for one, other, words in drawn])
    assert found == pytest.approx(expected, rel=0.1)
