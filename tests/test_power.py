import argparse
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
from test_compare import study

from specaug.cli.plan import add_plan
from specaug.errors import UserError
from specaug.study.comparing.pilot import read_pilot
from specaug.study.stats.power import (
    ENDLESS,
    SIZES,
    Deviations,
    best,
    detectable,
    doubt,
    margins,
    power,
    seeds_needed,
    units_needed,
)
from specaug.study.stats.statistics import BETTER, Runs, estimates
from specaug.study.stats.variance import noncentrality

MIXED = Deviations(seed=0.01, unit=0.03, residual=0.02)


def policies(chance, deviations, seeds, words, effect):
    """Two policies that differ by exactly these deviations, the second better by `effect`."""
    shape = seeds, len(words)
    rest = (
        chance.normal(0, deviations.seed, (seeds, 1))
        + chance.normal(0, deviations.unit, (1, len(words)))
        + chance.normal(0, deviations.residual, shape)
    )
    rates = np.full(shape, 0.3), 0.3 + rest - effect
    return {
        name: Runs(tuple(range(seeds)), rate * words, words) for name, rate in zip("ab", rates, strict=True)
    }


@pytest.mark.parametrize(("seeds", "units"), [(3, 20), (5, 6), (10, 40)])
def test_power_is_how_often_compare_says_better(seeds, units):
    chance, trials, words = np.random.default_rng([seeds, units]), 250, np.full(units, 500.0)
    effect = detectable(MIXED, seeds, units, 0.6)
    seen = sum(
        estimates(policies(chance, MIXED, seeds, words, effect), [("b", "a")], 300)[1]["b", "a"].verdict
        == BETTER
        for _ in range(trials)
    )
    assert power(MIXED, seeds, units, effect) == pytest.approx(0.6, abs=0.001)
    assert seen / trials == pytest.approx(0.6, abs=0.1)  # standard error 0.03


@pytest.mark.parametrize("units", [2, 6, 30])
def test_the_floor_is_the_t_test_over_speakers(units):
    lone = Deviations(seed=0.02, unit=0.05, residual=0.03)
    effect = best(lone, units, 0.8)[0]
    nonc = effect / (0.05 / units**0.5)
    bound = scipy.stats.t.ppf(0.975, units - 1)
    assert scipy.stats.nct.sf(bound, units - 1, nonc) == pytest.approx(0.8, abs=0.015)


def test_where_seeds_alone_differ_it_is_the_t_test_over_seeds():
    lone = Deviations(seed=0.02, unit=0.0, residual=0.0)
    nonc = detectable(lone, 5, 50, 0.8) / (0.02 / 5**0.5)
    assert scipy.stats.nct.sf(scipy.stats.t.ppf(0.975, 4), 4, nonc) == pytest.approx(0.8, abs=0.015)


def test_more_seeds_speakers_and_power_do_what_they_should():
    sizes = [detectable(MIXED, seeds, 20, 0.8) for seeds in (3, 4, 6, 10, 30, 200, ENDLESS)]
    assert sizes == sorted(sizes, reverse=True)
    assert detectable(MIXED, 5, 20, 0.9) > detectable(MIXED, 5, 20, 0.8) > detectable(MIXED, 5, 60, 0.8)
    assert detectable(MIXED, 5, 20, 0.8, pairs=4) > detectable(MIXED, 5, 20, 0.8)
    assert sizes[-1] == best(MIXED, 20, 0.8)[0] > 0


def test_a_false_better_is_said_in_at_most_2_and_a_half_percent():
    assert power(MIXED, 5, 20, 0.0) == pytest.approx(0.025, abs=0.008)


def test_of_few_speakers_some_seeds_may_show_more_than_endless_ones():
    """Where seeds vary most, endless ones leave nothing but the one degree of freedom of two speakers."""
    few = Deviations(seed=0.1, unit=0.05, residual=0.02)
    least, seeds = best(few, 2, 0.8)
    assert seeds < ENDLESS
    assert least == detectable(few, seeds, 2, 0.8) < detectable(few, ENDLESS, 2, 0.8)
    assert least == min(detectable(few, n, 2, 0.8) for n in SIZES)
    effect = (least + detectable(few, ENDLESS, 2, 0.8)) / 2
    needed = seeds_needed(few, 2, effect, 0.8)
    assert needed is not None
    assert needed <= seeds
    assert detectable(few, needed, 2, 0.8) <= effect < detectable(few, needed - 1, 2, 0.8)


@pytest.mark.parametrize("freedom", [1.0, 2.5, 8.0, 400.0])
def test_the_noncentrality_is_that_of_students_distribution(freedom):
    told = noncentrality(0.05, 0.8, freedom)
    assert scipy.stats.nct.sf(scipy.stats.t.ppf(0.975, freedom), freedom, told) == pytest.approx(
        0.8, abs=1e-6
    )


@pytest.mark.parametrize("effect", [0.025, 0.03, 0.05])
def test_the_seeds_needed_are_the_fewest_that_are_enough(effect):
    needed = seeds_needed(MIXED, 20, effect, 0.8)
    assert needed is not None
    assert detectable(MIXED, needed, 20, 0.8) <= effect
    assert needed == 3 or detectable(MIXED, needed - 1, 20, 0.8) > effect


def test_below_the_floor_no_seeds_are_enough_but_more_speakers_are():
    effect = 0.9 * best(MIXED, 20, 0.8)[0]
    assert seeds_needed(MIXED, 20, effect, 0.8) is None
    needed = units_needed(MIXED, effect, 0.8)
    assert needed is not None
    assert best(MIXED, needed, 0.8)[0] <= effect < best(MIXED, needed - 1, 0.8)[0]


@pytest.mark.parametrize(("seeds", "units"), [(2, 20), (5, 1)])
def test_where_no_verdict_is_given_none_is_planned(seeds, units):
    with pytest.raises(UserError, match="at least 3 and 2"):
        margins(MIXED, seeds, units)


def test_deviations_are_found_again_in_what_they_made():
    chance, words = np.random.default_rng(0), np.full(40, 300.0)
    made = [policies(chance, MIXED, 12, words, 0.01) for _ in range(200)]
    found = Deviations.of([runs["b"].errors - runs["a"].errors for runs in made], words)
    assert [found.seed, found.unit, found.residual] == pytest.approx([0.01, 0.03, 0.02], rel=0.05)


def test_a_deviation_that_is_not_there_is_0():
    errors = np.array([[1.0, -1.0], [-1.0, 1.0], [0.5, -0.5]])
    found = Deviations.of([errors], np.full(2, 100.0))
    assert (found.seed, found.unit) == (0, 0)
    assert found.residual > 0


def test_a_deviation_from_few_is_known_as_well_as_chi_square_says():
    drawn = np.random.default_rng(1).normal(0, 1, (40_000, 5)).std(axis=1, ddof=1)
    low, high = doubt(5)
    assert [np.mean(1 / drawn < low), np.mean(1 / drawn > high)] == pytest.approx([0.025, 0.025], abs=0.004)


def test_the_kept_runs_tell_how_policies_differ_there(root):
    kept = [root / "docs/results/demo"]
    pilots = {label: read_pilot(kept, label, part="test-other") for label in ("LB", "LD", None)}
    both = pilots[None]
    assert (both.part, both.baseline, both.seeds) == ("test-other", "None", 3)
    assert (both.units, both.unit) == (24, "speakers")
    mean = (pilots["LB"].deviations.unit ** 2 + pilots["LD"].deviations.unit ** 2) / 2
    assert both.deviations.unit == pytest.approx(mean**0.5)
    assert both.policies == ("LB", "LD")


@pytest.fixture
def specaug_plan(capsys) -> Callable[..., str]:
    """What `specaug plan` prints."""

    def call(*words: object) -> str:
        parser = argparse.ArgumentParser()
        add_plan(parser.add_subparsers())
        arguments = parser.parse_args(["plan", *map(str, words)])
        assert arguments.verb(arguments) == 0
        return capsys.readouterr().out

    return call


def test_plan_says_how_many_seeds_and_what_is_assumed(specaug_plan):
    assumed = Deviations(0.003, 0.01, 0.01)
    told = specaug_plan("--effect", 0.6)
    assert "assumed: speakers 40, seed sd 0.3, speaker sd 1, residual sd 1\n" in told
    assert f"{seeds_needed(assumed, 40, 0.006, 0.8)} seeds show a true difference of 0.6 in 80 %" in told
    assert f"endless seeds: {100 * best(assumed, 40, 0.8)[0]:.2f}." in told


def test_plan_prints_a_line_per_number_of_seeds_for_programs(specaug_plan):
    told = specaug_plan("--effect", 2, "--seed-sd", 2, "--power", 0.5, "--format", "tsv").splitlines()
    header, *lines = [line.split("\t") for line in told if not line.startswith("#")]
    table = [dict(zip(header, line, strict=True)) for line in lines]
    deviations = Deviations(0.02, 0.01, 0.01)
    assert [line["seeds"] for line in table][:3] == ["3", "4", "5"]
    assert table[-1]["seeds"] == "endless"
    for line in table[:-1]:
        seeds = int(line["seeds"])
        assert line["detectable"] == f"{100 * detectable(deviations, seeds, 40, 0.5):.2f}"
        assert line["power"] == f"{power(deviations, seeds, 40, 0.02):.2f}"
        assert [line[name] for name in ("speakers", "seed_sd", "speaker_sd")] == ["40", "2.00", "1.00"]
    assert str(seeds_needed(deviations, 40, 0.02, 0.5)) in [line["seeds"] for line in table]


def test_plan_learns_from_runs_and_says_what_speakers_forbid(specaug_plan, root):
    told = specaug_plan("--effect", 0.5, "--runs", root / "docs/results/demo", "--policy", "LB")
    found = read_pilot([root / "docs/results/demo"], "LB").deviations
    assert "LB less None on test-clean: 3 seeds, 24 speakers" in told
    assert "No number of seeds shows a true difference of 0.5" in told
    assert f"it takes at least {units_needed(found, 0.005, 0.8, pairs=2)}" in told
    more = specaug_plan("--effect", 0.5, "--runs", root / "docs/results/demo", "--speakers", 90000)
    assert "assumed: speakers 90000" in more
    assert "No number of seeds" not in more


def test_plan_corrects_for_the_policies_that_compare_would_judge(specaug_plan, root):
    kept = root / "docs/results/demo"
    found = read_pilot([kept]).deviations
    for options, pairs in ([], 2), (["--pairs", 1], 1), (["--pairs", 5], 5):
        told = specaug_plan("--effect", 2, "--runs", kept, *options)
        assert f"endless seeds: {100 * best(found, 24, 0.8, pairs)[0]:.2f}." in told
        assert (f"the strictest of {pairs} pairs" in told) == (pairs > 1)
    alone = sorted(kept.glob("None-*")) + sorted(kept.glob("LB-*"))
    assert "pairs" not in specaug_plan("--effect", 2, "--runs", *alone)
    assert "pairs" not in specaug_plan("--effect", 2)


def test_plan_takes_the_first_word_of_a_policy(specaug_plan, root):
    told = specaug_plan("--effect", 2, "--runs", root / "docs/results/fsdd", "--policy", "LB")
    assert "LB x 0.25 less None on unseen: 5 seeds, 6 speakers" in told


@pytest.mark.parametrize("form", ["text", "tsv"])
def test_plan_says_what_was_left_out(specaug_plan, tmp_path, form):
    study(tmp_path, ["None", "LB", "LD"], folds=1)
    (tmp_path / "LD-1-0" / "result.json").unlink()
    assert read_pilot([tmp_path]).seeds == 2  # of the policy that has fewest
    told = specaug_plan("--effect", 2, "--runs", tmp_path, "--format", form)
    assert f"Unfinished, not counted: {tmp_path / 'LD-1-0'}\n" in told
    assert "Note: LD and None are not paired on seed 1; difference over 2 seeds.\n" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--effect", 0], "--effect is 0; expected points of WER above 0"),
        (["--effect", "nan"], "--effect is nan; expected points"),
        (["--effect", 1, "--power", 1], "--power is 1; expected a share"),
        (["--effect", 1, "--pairs", 0], "--pairs is 0; expected at least 1"),
        (["--effect", 1, "--speakers", 1], "--speakers is 1; expected 2 or more"),
        (["--effect", 1, "--seed-sd", -1], "--seed-sd is -1; expected 0 or more"),
        (["--effect", 1, "--policy", "LD"], "--policy is 'LD' without --runs"),
    ],
)
def test_plan_refuses_what_cannot_be_meant(specaug_plan, words, told):
    with pytest.raises(UserError, match=told):
        specaug_plan(*words)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"policy": "SM"}, "no runs of policy 'SM'; known: LB, LD"),
        ({"part": "other"}, "part is 'other'; expected one of test-clean, test-other, dev"),
        ({"baseline": "SM"}, "no runs of policy 'SM'; known: None, LB, LD"),
    ],
)
def test_what_is_not_in_the_runs_is_refused(root, given, told):
    with pytest.raises(UserError, match=told):
        read_pilot([root / "docs/results/demo"], **given)


def test_one_policy_or_one_seed_leaves_nothing_to_learn_from(root):
    kept = root / "docs/results/demo"
    alone = sorted(kept.glob("None-seed-0-*"))
    with pytest.raises(UserError, match="only None is there"):
        read_pilot(alone)
    with pytest.raises(UserError, match="share 1 seed and 24 speakers on test-clean"):
        read_pilot([*alone, *kept.glob("LB-seed-0-*")])
