import math

import numpy as np
import pytest

from specaug.study.comparing.gaps import gaps
from specaug.study.stats.statistics import Difference, Runs
from specaug.study.stats.variance import student_quantile

SEEDS = (0, 1, 2, 3)


def runs(rate, seeds=SEEDS, units=40, spread=0.0, draw=0, words=10):
    """Errors by chance, at `rate` and with seeds that differ by `spread`."""
    chance = np.random.default_rng([draw, *seeds])
    rates = rate + spread * chance.standard_normal((len(seeds), 1))
    errors = chance.binomial(words, np.broadcast_to(rates, (len(seeds), units)))
    return Runs(seeds, errors.astype(np.float64), np.full(units, float(words)))


def group(none, other, draw=0, **options):
    return {"None": runs(none, draw=2 * draw, **options), "LD": runs(other, draw=2 * draw + 1, **options)}


def rate_by_hand(one):
    return sum(sum(row) / sum(one.words) for row in one.errors) / len(one.errors)


GROUPS = {"a": group(0.1, 0.1, 0), "b": group(0.3, 0.4, 1), "c": group(0.2, 0.05, 2)}


def test_the_gap_is_the_worst_rate_less_the_best():
    for label, gap in gaps(GROUPS, "None", shared=False).items():
        rates = {name: rate_by_hand(by[label]) for name, by in GROUPS.items()}
        assert (gap.best, gap.worst) == (min(rates, key=rates.get), max(rates, key=rates.get))
        assert gap.value == pytest.approx(max(rates.values()) - min(rates.values()))


def test_the_change_is_to_the_baseline_which_has_none():
    told = gaps(GROUPS, "None", shared=False)
    assert told["None"].change is None
    assert told["LD"].change.value == pytest.approx(told["LD"].value - told["None"].value)


def test_exchanging_the_policies_turns_the_change_round():
    ours, theirs = (
        gaps(GROUPS, label, shared=False)[o].change for label, o in (("None", "LD"), ("LD", "None"))
    )
    assert (ours.value, ours.low, ours.high) == pytest.approx((-theirs.value, -theirs.high, -theirs.low))
    assert ours.p == pytest.approx(theirs.p)
    assert (ours.verdict, theirs.verdict) == ("widens", "narrows")


def test_the_same_policy_twice_changes_nothing():
    same = {name: {"None": by["None"], "LD": by["None"]} for name, by in GROUPS.items()}
    change = gaps(same, "None", shared=False)["LD"].change
    assert change == Difference(0.0, p=1.0, adjusted=1.0)  # from what does not vary nothing follows


def variance_by_hand(groups, label, baseline, of, replicates=4000):
    """The variance of the change when seeds alone, or the units of each group alone, are drawn anew."""
    chance = np.random.default_rng(7)
    found = []
    for _ in range(replicates):
        seeds = [int(s) for s in chance.integers(len(SEEDS), size=len(SEEDS))] if of == "seeds" else range(4)
        rates = {label: [], baseline: []}
        for by in groups.values():
            units = len(by[label].words)
            drawn = chance.integers(units, size=units) if of == "units" else range(units)
            for name in rates:
                errors = sum(by[name].errors[s][u] for s in seeds for u in drawn)
                rates[name].append(errors / sum(by[name].words[u] for u in drawn) / len(SEEDS))
        spread = {name: max(given) - min(given) for name, given in rates.items()}
        found.append(spread[label] - spread[baseline])
    return np.var(found)


def test_the_interval_is_that_of_bootstraps_of_seeds_and_of_units():
    options = {"units": 6, "spread": 0.03}
    groups = {"a": group(0.1, 0.1, 0, **options), "b": group(0.4, 0.5, 1, **options)}
    change = gaps(groups, "None", shared=False)["LD"].change
    seeds, units = (variance_by_hand(groups, "LD", "None", of) for of in ("seeds", "units"))
    parts = {3: seeds * 4 / 3, 5: units * 6 / 5}
    error = math.sqrt(sum(parts.values()))
    freedom = sum(parts.values()) ** 2 / sum(v**2 / f for f, v in parts.items())
    arm = student_quantile(0.975, freedom) * error
    assert (change.high - change.low) / 2 == pytest.approx(arm, rel=0.06)
    assert (change.high + change.low) / 2 == pytest.approx(change.value)
    assert student_quantile(1 - change.p / 2, freedom) * error == pytest.approx(abs(change.value), rel=0.06)


def test_units_of_all_groups_are_drawn_at_once_where_they_are_shared():
    one = group(0.2, 0.3, units=10)
    both = {"a": one, "b": {label: Runs(r.seeds, r.errors + 1, r.words) for label, r in one.items()}}
    shared = gaps(both, "None", shared=True)["LD"].change
    apart = gaps(both, "None", shared=False)["LD"].change
    assert (shared.low, shared.high) == pytest.approx((0, 0), abs=1e-12)  # a word more in all of them
    assert apart.high - apart.low > 0.01


def test_a_group_without_a_single_unit_in_a_replicate_keeps_its_rate():
    sparse = group(0.2, 0.3, units=6)
    for one in sparse.values():
        one.errors[:, 2:] = 0
        one.words[2:] = 0
    change = gaps({"a": group(0.1, 0.1, 1, units=6), "b": sparse}, "None", shared=True)["LD"].change
    assert math.isfinite(change.low)


def test_seeds_that_one_policy_alone_has_are_left_out_of_the_change():
    other = {
        n: {**by, "LD": runs(0.1, seeds=(1, 2, 3, 9), draw=i)} for i, (n, by) in enumerate(GROUPS.items())
    }

    def cut(one):
        return Runs((1, 2, 3), one.errors[[one.seeds.index(seed) for seed in (1, 2, 3)]], one.words)

    common = {name: {label: cut(one) for label, one in by.items()} for name, by in other.items()}
    ours, theirs = (gaps(groups, "None", shared=False)["LD"].change for groups in (other, common))
    assert (ours.value, ours.low, ours.high) == pytest.approx((theirs.value, theirs.low, theirs.high))


@pytest.mark.parametrize(
    ("seeds", "units"),
    [pytest.param((0, 1), 40, id="two seeds"), pytest.param(SEEDS, 1, id="one unit")],
)
def test_too_few_seeds_or_units_are_not_judged(seeds, units):
    few = {name: group(0.2, 0.3, i, seeds=seeds, units=units) for i, name in enumerate("ab")}
    change = gaps(few, "None", shared=False)["LD"].change
    assert (change.low, change.p, change.adjusted, change.verdict) == (None, None, None, None)
    assert math.isfinite(change.value)


def test_policies_without_a_common_seed_have_no_change():
    apart = {name: {"None": runs(0.1), "LD": runs(0.2, seeds=(7, 8, 9))} for name in "ab"}
    assert math.isnan(gaps(apart, "None", shared=False)["LD"].change.value)


def test_several_policies_are_corrected_for_their_number():
    two = {name: {**by, "LB": by["LD"]} for name, by in GROUPS.items()}
    alone, one = (gaps(groups, "None", shared=False)["LD"].change for groups in (GROUPS, two))
    assert one.p == alone.p == alone.adjusted
    assert one.adjusted == pytest.approx(2 * one.p)


@pytest.mark.slow
def test_identical_policies_are_told_apart_in_one_case_of_twenty():
    told = 0
    for draw in range(100):
        groups = {str(g): group(r, r, 10 * draw + g, spread=0.03) for g, r in enumerate((0.1, 0.2, 0.3))}
        told += gaps(groups, "None", shared=False)["LD"].change.p < 0.05
    assert told <= 12  # 0.4 % of such series have more, at a true 5 %
