"""Every policy against every other one."""

from dataclasses import asdict

import numpy as np
import pytest
from test_compare import study
from test_compare_systems import holm_by_hand, system

from specaug.errors import UserError
from specaug.study.comparing.compare import compare
from specaug.study.comparing.pairs import crossed, paired
from specaug.study.comparing.reading import read_runs
from specaug.study.stats.statistics import Runs, estimates
from specaug.study.tables.pairs_table import plain

LABELS = ["None", "LB", "LD"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return study(tmp_path_factory.mktemp("pairs"), LABELS)


@pytest.fixture(scope="module")
def found(runs):
    return paired(read_runs([runs]))


def test_every_policy_is_compared_with_each_above_it_in_every_part(found):
    told = [(pair.part, pair.one, pair.other) for pair in found.pairs]
    assert told == [
        (part, *pair) for part in ("unseen", "dev") for pair in (("LB", "None"), ("LD", "None"), ("LD", "LB"))
    ]


@pytest.mark.parametrize("baseline", LABELS)
def test_a_difference_is_that_of_a_comparison_with_the_other_as_the_baseline(runs, found, baseline):
    rows = {row.label: row for row in compare([runs], baseline).rows}
    for pair in found.pairs:
        if pair.other == baseline:
            told = rows[pair.one].scores[pair.part].difference
            ours = pair.difference
            assert (ours.value, ours.low, ours.high, ours.p, ours.better) == (
                (told.value, told.low, told.high, told.p, told.better)
            )


def test_holm_corrects_for_all_pairs_of_a_part(found):
    for part in ("unseen", "dev"):
        mine = {(p.one, p.other): p.difference for p in found.pairs if p.part == part}
        expected = holm_by_hand({name: difference.p for name, difference in mine.items()})
        assert {name: difference.adjusted for name, difference in mine.items()} == pytest.approx(expected)
    assert found.family == 3


def test_policies_of_two_systems_are_no_pair(tmp_path):
    system(tmp_path / "a", policies=["None", "LB"], seeds=1, folds=1)
    system(tmp_path / "b", 16, policies=["None", "LD"], seeds=1, folds=1)
    found = paired(read_runs([tmp_path]))
    names = {(pair.shared, pair.one, pair.other) for pair in found.pairs}
    assert names == {("Toy width=8", "LB", "None"), ("Toy width=16", "LD", "None")}
    assert found.family == 0  # too few seeds
    assert plain(found).table[0][:4] == ["part", "network", "policy", "minus"]


def test_networks_are_compared_where_they_have_a_policy_in_common(tmp_path):
    system(tmp_path / "a", policies=["None", "LB"], seeds=3)
    system(tmp_path / "b", 16, policies=["None", "LB", "LD"], seeds=3)
    reading = read_runs([tmp_path])
    found = paired(reading, "networks")
    names = {(pair.part, pair.shared, pair.one, pair.other) for pair in found.pairs}
    later, first = "Toy width=8", "Toy width=16"  # the later one minus the one above it
    assert names == {
        (part, label, *two)
        for part in ("unseen", "dev")
        for label in ("None", "LB")
        for two in [(later, first)]
    }
    rates = {(row.system, row.label): row.scores for row in compare([tmp_path]).rows}
    for pair in found.pairs:
        one, other = (rates[name, pair.shared][pair.part].wer.value for name in (pair.one, pair.other))
        assert pair.difference.value == pytest.approx(one - other)
    table = plain(found)
    assert table.table[0][:4] == ["part", "policy", "network", "minus"]
    assert "networks in pairs" in table.headline
    assert "of a network minus that of the other" in table.remarks[0]


def test_one_network_is_no_pair_of_networks(runs):
    with pytest.raises(UserError, match="no two systems with one policy; expected some to compare"):
        paired(read_runs([runs]), "networks")


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two networks, of which one has a policy more."""
    root = tmp_path_factory.mktemp("gains")
    system(root / "a", policies=["None", "LB"], seeds=4)
    system(root / "b", 16, 9000, policies=["LD", "LB", "None"], seeds=3)
    return root


@pytest.mark.parametrize("baseline", ["None", "LB"])
def test_a_gain_is_a_difference_to_the_baseline_and_its_pair_the_difference_of_the_two(two, baseline):
    found = paired(read_runs([two], baseline), "gains")
    (policy,) = {"None", "LB"} - {baseline}
    first, later = "Toy width=8", "Toy width=16"
    assert [(pair.part, pair.shared, pair.one, pair.other, pair.seeds) for pair in found.pairs] == [
        (part, policy, later, first, 3) for part in ("unseen", "dev")
    ]
    paths = [run for run in two.rglob("*-*") if "-3-" not in run.name]  # the seed that one lacks
    rows = {(row.system, row.label): row.scores for row in compare(paths, baseline).rows}
    for pair in found.pairs:
        gains = [rows[name, policy][pair.part].difference.value for name in (later, first)]
        assert pair.difference.value == pytest.approx(gains[0] - gains[1])
    table = plain(found)
    assert table.table[0][:4] == ["part", "policy", "network", "minus"]
    assert f"gains over {baseline} with two networks" in table.headline
    assert f"minus that of {baseline} with a network" in table.remarks[0]


def test_over_a_baseline_that_makes_the_same_errors_with_both_gains_differ_as_the_policies_do():
    """Then all is as if there were no baseline: the interval, p and all else."""
    chance = np.random.default_rng(0)
    words = np.full(6, 50.0)
    one, other, base = (Runs((0, 1, 2), chance.poisson(9.0, (3, 6)) * 1.0, words) for _ in range(3))
    mixed = Runs((2, 0, 1), base.errors[[2, 0, 1]], words)
    sides = dict(zip("ab", crossed(one, other, base, mixed), strict=True))
    _, found = estimates(sides, [("a", "b")])
    _, expected = estimates({"a": one, "b": other}, [("a", "b")])
    assert asdict(found["a", "b"]) == pytest.approx(asdict(expected["a", "b"]))


def test_a_network_without_the_baseline_gains_nothing(tmp_path):
    system(tmp_path / "a", policies=["None", "LB"], seeds=1, folds=1)
    system(tmp_path / "b", 16, policies=["LB"], seeds=1, folds=1)
    with pytest.raises(UserError, match="no two systems with None and one other policy; expected some"):
        paired(read_runs([tmp_path]), "gains")


def test_one_policy_is_no_pair(tmp_path):
    with pytest.raises(UserError, match="no two policies; expected some to compare"):
        paired(read_runs([study(tmp_path, ["LD"], seeds=1, folds=1)]))


def test_the_table_says_what_was_found_and_what_stands_against_it(tmp_path, found):
    header, *rows = plain(found).table
    assert "network" not in header
    assert "measure" not in header
    for row, pair in zip(rows, found.pairs, strict=True):
        cells = dict(zip(header, row, strict=True))
        told = pair.difference
        assert (cells["policy"], cells["minus"], cells["seeds"]) == (pair.one, pair.other, "3")
        assert [cells[name] for name in ("difference", "low", "high")] == (
            [f"{100 * share:+.2f}" for share in (told.value, told.low, told.high)]
        )
        assert cells["verdict"].startswith(told.verdict)
    assert "all pairs that can be judged in a part, 3 at most" in plain(found).remarks[1]
    folder = study(tmp_path, seeds=2, folds=1) / "LD-1-0"
    (folder / "result.json").unlink()
    assert f"Unfinished, not counted: {folder}" in plain(paired(read_runs([tmp_path]))).remarks
