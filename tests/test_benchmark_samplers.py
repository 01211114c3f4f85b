"""The benchmark of samplers, on tables that are made up here and nowhere else."""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from optuna.pruners import NopPruner
from scipy.stats import ttest_1samp

from benchmarks import recorded, samplers
from benchmarks.recorded import axis, collected, every, key, read_grid, row_of
from benchmarks.samplers import BY_DEFAULT, Score, Tried, interval, scored, searchable, searched
from specaug.errors import UserError
from specaug.study.results import find_runs
from specaug.study.sweep.design import designed
from specaug.study.sweep.response import grid as values_of_axis
from specaug.study.sweep.samplers import FLOOR, pruner_of

KEPT = Path(__file__).resolve().parent.parent / "docs" / "results" / "fsdd"
EPOCHS, WORDS = 8, 500
POLICIES = [  # m_F, F, m_T, T
    (m_F, F, m_T, T)
    for m_F in (0, 1, 2)
    for F in ((9, 18) if m_F else (0,))
    for m_T in (0, 1)
    for T in ((10, 30) if m_T else (0,))
]


def made_up(seeds=(0, 1), noise=20, epochs=EPOCHS):
    """Rows of a table: errors fall with the epochs, and no run was ever made."""
    random = np.random.default_rng(0)
    rows = []
    for seed in seeds:
        for m_F, F, m_T, T in POLICIES:
            end = 100 + 3 * abs(m_F * F - 18) + 2 * abs(m_T * T - 10) + int(random.integers(0, noise + 1))
            curve = {
                str(epoch): end + 40 * (epochs - epoch) + int(random.integers(0, noise + 1))
                for epoch in range(1, epochs)
            }
            policy = {"W": 0, "m_F": m_F, "F": F, "m_T": m_T, "T": T, "p": 1.0}
            facts = {"run": f"{len(rows):012x}", "seed": seed, "words": WORDS, "errors": end}
            rows.append({**facts, **policy, **curve, str(epochs): end})
    return rows


def written(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def rows():
    return made_up()


@pytest.fixture
def grid(rows, tmp_path):
    return read_grid(written(tmp_path / "curves.tsv", rows))


def search(grid, sampler="random", pruner="none", trials=12, seed=0, of=0):
    """The trials of a search, by one of our samplers and pruners."""
    sweep = replace(grid.sweep, sampler=sampler, pruner=pruner, trials=trials, seed=of)
    return searched(grid, sweep, pruner_of(sweep), seed)


def laid(folder, source, policy, seed):
    """A run folder with another's result, under another policy and seed."""
    shutil.copytree(source, folder)
    told = json.loads((folder / "result.json").read_text())
    told["policy"] |= policy
    told["seed"] = seed
    (folder / "result.json").write_text(json.dumps(told))
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    recipe |= {"policy": recipe["policy"] | policy, "seed": seed}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))


@pytest.mark.parametrize("name", ["None-fold-0-seed-0", "LB-x-0.25-fold-1-seed-1", "LD-x-0.25-fold-2-seed-2"])
def test_a_row_has_a_runs_policy_and_the_errors_after_its_last_epoch_are_those_of_its_result(name):
    [result] = find_runs(KEPT.glob(f"{name}-*")).finished
    row = row_of(result)
    epochs = sorted(name for name in row if isinstance(name, int))
    assert epochs == list(range(4, result.epochs + 1, 4))
    assert row[epochs[-1]] == row["errors"] == result.parts["dev"].wer.errors
    assert {symbol: row[symbol] for symbol in recorded.SYMBOLS} == {
        symbol: result.policy[symbol] for symbol in recorded.SYMBOLS
    }


def test_what_is_collected_is_read_again(tmp_path):
    [source] = KEPT.glob("None-fold-0-seed-0-*")
    for m_F, F in ((0, 0), (1, 9), (1, 27)):
        for seed in (3, 5):
            laid(tmp_path / "runs" / f"{m_F}-{F}-{seed}", source, {"m_F": m_F, "F": F}, seed)
    assert collected([tmp_path / "runs"], tmp_path / "new" / "curves.tsv") == 6
    grid = read_grid(tmp_path / "new" / "curves.tsv")
    assert grid.seeds == [3, 5]
    assert [dict(point) for point in grid.points] == [{"m_F": 0}, {"m_F": 1, "F": 9}, {"m_F": 1, "F": 27}]
    result = find_runs([source]).finished[0]
    assert grid.rate(grid.points[0], [3]) == result.parts["dev"].wer.errors / result.parts["dev"].wer.total


def test_a_policy_that_a_table_cannot_say_is_refused(tmp_path):
    [source] = KEPT.glob("None-fold-0-seed-0-*")
    laid(tmp_path / "runs" / "one", source, {"p_S": 0.5, "label": "adaptive"}, 0)
    with pytest.raises(UserError, match="adaptive has more than W, m_F, F, m_T, T, p"):
        collected([tmp_path / "runs"], tmp_path / "curves.tsv")


def test_the_space_of_a_table_holds_its_policies_and_no_others(grid):
    assert len(grid.points) == len(POLICIES) == len(every(grid.sweep))
    assert {symbol: along.when for symbol, along in grid.sweep.space.items()} == {
        "m_F": "",
        "F": "m_F > 0",
        "m_T": "",
        "T": "m_T > 0",
    }
    named = {"m_F", "F", "m_T", "T"}
    for m_F, F, m_T, T in POLICIES:
        wanted = {"m_F": m_F, "F": F, "m_T": m_T, "T": T}
        idle = {symbol for count, symbol in (("m_F", "F"), ("m_T", "T")) if not wanted[count]}
        assert key({symbol: wanted[symbol] for symbol in named - idle}) in grid.points


@given(st.lists(st.integers(0, 60), min_size=2, max_size=8, unique=True).map(sorted))
def test_an_axis_takes_the_values_of_the_table_and_no_others(values):
    assert values_of_axis(axis(values, "")) == values


def test_evenly_spread_whole_numbers_are_a_range():
    assert (axis([10, 20, 30], "").low, axis([10, 20, 30], "").step) == (10, 10)
    assert axis([5, 10, 40], "").choices == (5, 10, 40)
    assert axis([0.2, 0.4], "").choices == (0.2, 0.4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[1:], "m_F=0 m_T=0, seed 0, is missing"),
        (lambda rows: [*rows, rows[-1]], "seed 1, stands there twice"),
        (lambda rows: [{**row, "T": 20} for row in rows[:1]], "all runs have one policy"),
        (lambda rows: [{"a": 1}], "no table of runs"),
    ],
    ids=["missing", "twice", "one", "other"],
)
def test_a_table_that_cannot_be_searched_is_refused_in_one_line(change, said, rows, tmp_path):
    path = written(tmp_path / "curves.tsv", change(rows))
    with pytest.raises(UserError, match=re.escape(said)) as error:
        read_grid(path)
    assert "\n" not in str(error.value)


def test_where_there_is_no_table_the_command_that_makes_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["samplers.py", "--table", str(tmp_path / "none.tsv")])
    with pytest.raises(SystemExit, match=r"none.tsv: no such table; expected .* benchmarks/recorded.py"):
        samplers.main()


def test_one_seed_alone_cannot_be_judged(tmp_path):
    with pytest.raises(UserError, match="seed 4 alone"):
        searchable(written(tmp_path / "curves.tsv", made_up(seeds=(4,))))


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_what_learns_nothing_tries_what_a_sweep_would(grid, sampler):
    sweep = replace(grid.sweep, sampler=sampler, trials=12, seed=3)
    expected = [key(point) for point in designed(sweep, 12)]
    assert [one.point for one in search(grid, sampler, of=3)] == expected


@pytest.mark.parametrize("sampler", samplers.SEARCHING)
def test_a_search_sees_its_own_seed_alone(grid, rows, tmp_path, sampler):
    other = [{**row, "errors": WORDS - row["errors"]} if row["seed"] == 1 else row for row in rows]
    changed = read_grid(written(tmp_path / "other.tsv", other))
    tried = search(grid, sampler, trials=14)
    assert tried == search(changed, sampler, trials=14)
    assert [one.value for one in tried] == [grid.records[one.point, 0].value for one in tried]


def test_a_policy_is_trained_once_however_often_it_comes_up(grid):
    tried = search(grid, "random", trials=40)
    points = [one.point for one in tried]
    assert len(set(points)) < len(points)
    for place, one in enumerate(tried):
        assert one.epochs == (0 if one.point in points[:place] else EPOCHS)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_pruner_ends_nothing_before_its_floor_and_no_epoch_is_trained_twice(grid, sampler):
    tried = [one for seed in (0, 1) for one in search(grid, sampler, "hyperband", 25, seed, of=seed)]
    pruned = [one for one in tried if one.value is None]
    assert pruned
    first = [
        one
        for place, one in enumerate(tried)
        if one.point not in {earlier.point for earlier in tried[:place]}
    ]
    assert min(one.epochs for one in first) >= FLOOR / 100 * EPOCHS
    for seed in (tried[:25], tried[25:]):
        for point in grid.points:
            mine = [one for one in seed if one.point == point]
            assert sum(one.epochs for one in mine) <= EPOCHS
            ends = [one.value is not None for one in mine]
            assert ends == sorted(ends)  # what was finished once is finished each time
            assert all(one.epochs >= 0 for one in mine)


def test_a_pruned_trial_is_worse_at_its_end_than_another_was_there(grid):
    tried = search(grid, "random", "hyperband", 30)
    for place, one in enumerate(tried):
        if one.value is None:
            at = {other.point: grid.records[other.point, 0].curve[one.epochs] for other in tried[:place]}
            assert grid.records[one.point, 0].curve[one.epochs] > min(at.values())


def test_a_trial_that_fails_is_not_passed_over(grid):
    gone = replace(grid, records={place: record for place, record in grid.records.items() if place[1] == 0})
    with pytest.raises(RuntimeError, match="KeyError"):
        searched(gone, replace(grid.sweep, sampler="random", trials=3), NopPruner(), 1)


def test_a_score_is_what_comes_out_by_hand(grid):
    tried = [Tried(point, grid.records[point, 0].value, 5) for point in grid.points[3:9]]
    tried.insert(2, Tried(grid.points[0], None, 2))
    best = sorted((one.value, place) for place, one in enumerate(tried) if one.value is not None)[0][1]
    mine = {point: 100 * grid.records[point, 0].value for point in grid.points}
    theirs = {point: 100 * grid.records[point, 1].value for point in grid.points}
    chosen = tried[best].point
    told = scored(grid, tried, 0)
    assert told.short == pytest.approx(mine[chosen] - min(mine.values()))
    assert told.missed == pytest.approx(theirs[chosen] - min(theirs.values()))
    assert told.flattered == pytest.approx(theirs[chosen] - mine[chosen])
    assert told.epochs == pytest.approx((6 * 5 + 2) / (7 * EPOCHS))


def test_where_seeds_agree_nothing_is_flattered_and_who_tries_all_misses_nothing(tmp_path):
    grid = read_grid(written(tmp_path / "same.tsv", made_up(noise=0)))
    told = scored(grid, samplers.exhausted(grid, 0), 0)
    assert told == Score(0.0, 0.0, 0.0, 1.0)
    assert "all policies tried: missed 0.00, flattered 0.00" in samplers.described(grid, Path("t"))


def test_each_seed_is_searched_and_the_others_judge(grid):
    found = samplers.repeated(grid, ("random", "none"), [6], 1)[6][0]
    each = [scored(grid, search(grid, trials=6, seed=seed), seed) for seed in (0, 1)]
    assert found.missed == pytest.approx((each[0].missed + each[1].missed) / 2)
    assert found.short == pytest.approx((each[0].short + each[1].short) / 2)


@given(st.lists(st.integers(-50, 50), min_size=3, max_size=9))
def test_an_interval_is_students(values):
    values = [*map(float, values), 51.0]
    held = ttest_1samp(values, 0.0).confidence_interval()
    mean = np.mean(values)
    assert interval(values) == f"{mean:.2f} [{held.low:.2f}, {held.high:.2f}]"


def test_the_table_has_a_line_for_each_way_and_number_of_trials(rows, tmp_path, monkeypatch, capsys):
    path = str(written(tmp_path / "curves.tsv", rows))
    ways = [
        "--samplers",
        "random",
        "qmc",
        "--pruners",
        "none",
        BY_DEFAULT,
        "--repeats",
        "2",
        "--after",
        "3",
        "14",
    ]
    monkeypatch.setattr("sys.argv", ["samplers.py", "--table", path, "--tsv", *ways])
    samplers.main()
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("#")]
    table = [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]
    told = [(row["sampler"], row["pruner"], row["trials"]) for row in table]
    assert told == [
        (one, way, k) for one in ("random", "qmc") for way in ("none", BY_DEFAULT) for k in ("3", "14")
    ]
    assert [row["vs random"] == "" for row in table] == [True] * 2 + [False] * 6
    assert int(table[3]["epochs"].removesuffix(" %")) < int(table[1]["epochs"].removesuffix(" %"))
