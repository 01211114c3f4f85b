import random
import statistics as plain
from itertools import combinations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from specaug.study.stats import statistics
from specaug.study.stats.statistics import (
    BETTER,
    LEVEL,
    NO_DIFFERENCE,
    WORSE,
    Difference,
    Runs,
    estimates,
    holm,
    pooled_rate,
)
from specaug.study.stats.variance import standard_error, student_quantile

WORDS = np.array([40.0, 90.0, 60.0, 120.0, 75.0])


def simulated(chance, words, seeds=5, run=0.0025, run_speaker=0.0, policy_speaker=0.0, gain=0.0):
    """Two policies with a true rate of 10 % (the second less `gain`), speakers of 6 to 14 %; deviations are given."""
    speaker = chance.beta(5.5, 49.5, len(words))
    rate = speaker * (
        1
        + chance.normal(0, 10 * run, (2, seeds, 1))
        + chance.normal(0, 10 * run_speaker, (2, seeds, len(words)))
        + chance.normal(0, 10 * policy_speaker, (2, 1, len(words)))
        - 10 * gain * np.array([0, 1])[:, None, None]
    )
    errors = chance.binomial(words.astype(int), rate.clip(0, 1)).astype(float)
    return {name: Runs(tuple(range(seeds)), errors[i], words) for i, name in enumerate("ab")}


def toy(seed, **deviations):
    return simulated(np.random.default_rng(seed), WORDS, seeds=4, **deviations)


def rate_by_hand(errors, words, seeds, units):
    return sum(errors[s][k] for s in seeds for k in units) / (len(seeds) * sum(words[k] for k in units))


def standard_error_by_hand(errors, words):
    """Textbook analysis of variance of a two-way table without replication, on e - rate * w."""
    S, K = len(errors), len(words)
    rate = rate_by_hand(errors, words, range(S), range(K))
    z = [[errors[s][k] - rate * words[k] for k in range(K)] for s in range(S)]
    row = [sum(z[s]) / K for s in range(S)]
    column = [sum(z[s][k] for s in range(S)) / S for k in range(K)]
    grand = sum(row) / S
    seeds = K * sum((r - grand) ** 2 for r in row) / (S - 1)  # mean squares
    units = S * sum((c - grand) ** 2 for c in column) / (K - 1)
    rest = sum((z[s][k] - row[s] - column[k] + grand) ** 2 for s in range(S) for k in range(K))
    rest /= (S - 1) * (K - 1)
    total = max(seeds + units - rest, seeds, units)
    bold = (seeds**2 / (S - 1) + units**2 / (K - 1) + rest**2 / ((S - 1) * (K - 1))) / total**2
    careful = (seeds / (S - 1) + units / (K - 1)) / total
    trust = min(0.5, 1 - 2 / (min(S, K) - 1)) if min(S, K) > 3 else 0.0  # of the bold rule
    freedom = 1 / (trust * bold + (1 - trust) * careful)
    return (total * K / S) ** 0.5 / sum(words), max(freedom, min(S, K) - 1)


def interval_by_hand(errors, words, replicates=6000):
    chance, S, K = random.Random(1), len(errors), len(words)
    found = []
    for _ in range(replicates):
        seeds = [chance.randrange(S) for _ in range(S)]
        units = [chance.randrange(K) for _ in range(K)]
        found.append(rate_by_hand(errors, words, seeds, units))
    found.sort()
    low, high = found[round(0.025 * replicates)], found[round(0.975 * replicates)]
    value = rate_by_hand(errors, words, range(S), range(K))
    error, freedom = standard_error_by_hand(errors, words)
    stretch = error / plain.pstdev(found) * scipy.stats.t.ppf(0.975, freedom) / scipy.stats.norm.ppf(0.975)
    return value, value - stretch * (value - low), value + stretch * (high - value)


def share_below_by_hand(errors, words, replicates=6000):
    """Every replicate is moved by its own rank, and those below 0 are counted."""
    chance, S, K = random.Random(2), len(errors), len(words)
    found = sorted(
        rate_by_hand(errors, words, chance.choices(range(S), k=S), chance.choices(range(K), k=K))
        for _ in range(replicates)
    )
    value = rate_by_hand(errors, words, range(S), range(K))
    error, freedom = standard_error_by_hand(errors, words)
    ranks = (np.arange(replicates) + 0.5) / replicates
    student = scipy.stats.t.ppf(ranks, freedom) / scipy.stats.norm.ppf(ranks)
    moved = value + error / plain.pstdev(found) * student * (np.array(found) - value)
    return float((moved < 0).mean())


def test_a_rate_is_errors_over_words_of_all_utterances():
    assert pooled_rate(np.array([1, 0, 3]), np.array([2, 8, 10])) == 4 / 20


def test_the_interval_of_a_rate_is_that_of_a_bootstrap_by_hand():
    runs = toy(0, run=0.02, run_speaker=0.01)
    rates, _ = estimates(runs, [])
    value, low, high = interval_by_hand(runs["a"].errors.tolist(), WORDS.tolist())
    assert rates["a"].value == pytest.approx(value)
    assert [rates["a"].low, rates["a"].high] == pytest.approx([low, high], abs=0.05 * (high - low))


def test_the_interval_of_a_difference_resamples_both_policies_alike():
    runs = toy(1, run=0.02, policy_speaker=0.02, gain=0.03)
    _, differences = estimates(runs, [("b", "a")])
    value, low, high = interval_by_hand((runs["b"].errors - runs["a"].errors).tolist(), WORDS.tolist())
    got = differences["b", "a"]
    assert got.value == pytest.approx(value)
    assert [got.low, got.high] == pytest.approx([low, high], abs=0.05 * (high - low))


@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 2**31))
def test_the_standard_error_is_the_textbook_one(seeds, units, seed):
    chance = np.random.default_rng(seed)
    errors, words = chance.integers(0, 9, (seeds, units)).astype(float), chance.integers(9, 30, units) * 1.0
    error, freedom = standard_error(errors, words)
    by_hand = standard_error_by_hand(errors.tolist(), words.tolist())
    assert (error, min(freedom, 1e3)) == pytest.approx((by_hand[0], min(by_hand[1], 1e3)), rel=1e-6)


@given(st.floats(1, 900), st.floats(0.5, 0.99995))
def test_student_quantiles_are_those_of_scipy(freedom, probability):
    expected = scipy.stats.t.ppf(probability, freedom)
    assert student_quantile(probability, freedom) == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert student_quantile(1 - probability, freedom) == pytest.approx(-expected, rel=1e-3, abs=1e-6)


@given(st.lists(st.floats(1e-4, 1) | st.sampled_from([0.012, 0.03, 0.04]), min_size=1, max_size=6))
def test_holm_is_the_closure_of_bonferroni(p_values):
    everyone = range(len(p_values))
    subsets = [set(c) for size in everyone for c in combinations(everyone, size + 1)]
    expected = [
        max(min(1, len(subset) * min(p_values[j] for j in subset)) for subset in subsets if i in subset)
        for i in everyone
    ]
    levels, adjusted = holm(p_values)
    assert adjusted == pytest.approx(expected)
    assert [p < level for p, level in zip(p_values, levels, strict=True)] == [p < LEVEL for p in adjusted]


def test_fewer_errors_are_better_and_more_are_worse():
    runs = toy(2, gain=0.08)
    _, differences = estimates(runs, [("b", "a"), ("a", "b")])
    assert differences["b", "a"].verdict == BETTER
    assert differences["a", "b"].verdict == WORSE
    assert differences["b", "a"].high < 0 < differences["a", "b"].low


@pytest.mark.parametrize("gain", [-0.02, 0.005, 0.02])
def test_better_is_the_share_of_stretched_replicates_below_0(gain):
    runs = toy(7, run=0.02, run_speaker=0.01, policy_speaker=0.02, gain=gain)
    got = estimates(runs, [("b", "a")])[1]["b", "a"]
    errors = (runs["b"].errors - runs["a"].errors).tolist()
    assert got.better == pytest.approx(share_below_by_hand(errors, WORDS.tolist()), abs=0.02)


def test_better_and_p_agree():
    for seed, gain in enumerate([0.0, 0.01, 0.02, 0.03]):
        got = estimates(toy(seed, gain=gain), [("b", "a"), ("a", "b")])[1]
        for one in got.values():
            assert 2 * min(one.better, 1 - one.better) == pytest.approx(one.p, abs=2e-3)
        assert got["b", "a"].better + got["a", "b"].better == pytest.approx(1, abs=1e-3)


def test_of_identical_policies_neither_is_better():
    runs = toy(3)
    runs |= {"b": Runs(runs["a"].seeds, runs["a"].errors[::-1], runs["a"].words)}  # the same in another order
    assert estimates(runs, [("b", "a")])[1]["b", "a"].better == pytest.approx(0.5, abs=0.02)


def test_no_rate_is_below_zero():
    errors = np.zeros((5, 5))
    errors[2, 3] = 4
    rates, _ = estimates({"a": Runs(tuple(range(5)), errors, WORDS)}, [])
    assert rates["a"].low == 0 < rates["a"].value < rates["a"].high


def test_of_the_same_errors_everywhere_no_verdict_is_given_and_others_are_corrected_for_the_pair():
    runs = toy(8, gain=0.05)
    found = estimates(runs | {"c": runs["a"]}, [("b", "a"), ("c", "a")])[1]
    assert found["c", "a"] == Difference(0.0, p=1.0, adjusted=1.0)
    assert found["b", "a"].adjusted == pytest.approx(2 * found["b", "a"].p)


def test_where_nothing_varies_no_difference_is_called_detectable():
    runs = toy(3)
    more = Runs(runs["a"].seeds, runs["a"].errors + 0.125 * runs["a"].words, runs["a"].words)
    found = estimates(runs | {"c": more}, [("c", "a"), ("b", "a")])[1]
    assert (found["c", "a"].value, found["c", "a"].detectable) == (pytest.approx(0.125), None)
    assert found["b", "a"].detectable > 0


@pytest.mark.parametrize("gain", [0.0, 0.01, 0.02, 0.03, 0.04, 0.05])
def test_a_verdict_is_given_where_the_difference_exceeds_its_margin(gain):
    runs = toy(4, gain=gain)
    runs |= {"c": toy(5)["a"], "d": toy(6, gain=gain)["b"]}
    for got in estimates(runs, [(other, "a") for other in "bcd"])[1].values():
        assert (got.verdict != NO_DIFFERENCE) == (got.adjusted < LEVEL)
        assert (got.p < LEVEL) == (got.low > 0 or got.high < 0)
        assert got.verdict != NO_DIFFERENCE or abs(got.value) <= got.margin


def test_holm_takes_verdicts_back_as_pairs_are_added():
    runs = toy(8, gain=0.05)
    alone = estimates(runs, [("b", "a")])[1]["b", "a"]
    crowd = {f"c{i}": runs["b"] for i in range(9)}
    among = estimates(runs | crowd, [(label, "a") for label in ["b", *crowd]])[1]["b", "a"]
    assert (among.p, among.low, among.high) == (alone.p, alone.low, alone.high)
    assert among.adjusted == pytest.approx(min(1, 10 * alone.p))
    assert (alone.verdict, among.verdict) == (BETTER, NO_DIFFERENCE)


def test_a_plain_difference_is_told_however_many_pairs_there_are(monkeypatch):
    monkeypatch.setattr(statistics, "REPLICATES", 100)
    runs = toy(2)
    more = Runs(runs["a"].seeds, runs["a"].errors + 0.125 * WORDS, WORDS)
    others = {f"b{i}": more for i in range(40)}  # Holm's p is forty times the least that replicates can tell
    told = estimates(runs | others, [(other, "a") for other in others])[1]
    assert {difference.verdict for difference in told.values()} == {WORSE}


@pytest.mark.parametrize(("seeds", "units"), [(1, 5), (2, 5), (5, 1), (0, 5)])
def test_too_few_seeds_or_units_give_no_interval_and_no_verdict(seeds, units):
    runs = {
        name: Runs(tuple(range(seeds)), r.errors[:seeds, :units], WORDS[:units]) for name, r in SIX.items()
    }
    rates, differences = estimates(runs, [("b", "a")])
    got = differences["b", "a"]
    assert (rates["a"].low, rates["a"].high) == (None, None)
    said = (got.low, got.high, got.p, got.adjusted, got.margin, got.detectable, got.verdict, got.better)
    assert said == (None,) * 8


SIX = simulated(np.random.default_rng(9), WORDS, seeds=6, gain=0.03)


def test_a_pair_is_compared_on_the_seeds_that_both_have():
    a, b = SIX["a"], SIX["b"]
    uneven = {
        "a": Runs((0, 1, 2, 3, 5), a.errors[[0, 1, 2, 3, 5]], WORDS),
        "b": Runs((1, 2, 3, 4), b.errors[[1, 2, 3, 4]], WORDS),
    }
    even = {name: Runs((1, 2, 3), r.errors[1:4], WORDS) for name, r in SIX.items()}
    assert estimates(uneven, [("b", "a")])[1] == estimates(even, [("b", "a")])[1]


def test_the_same_runs_give_the_same_numbers_whoever_stands_beside_them():
    rates, differences = estimates(SIX, [("b", "a")])
    wider = estimates({"c": SIX["b"], "b": SIX["b"], "a": SIX["a"]}, [("b", "a")])
    assert wider[0]["a"] == rates["a"]
    assert wider[1] == differences


def test_parts_with_many_utterances_are_resampled_in_pieces_to_the_same_numbers(monkeypatch):
    whole = estimates(SIX, [("b", "a")])
    monkeypatch.setattr("specaug.study.stats.statistics.CELLS", 7 * len(WORDS))
    assert estimates(SIX, [("b", "a")]) == whole


def test_the_detectable_difference_is_seen_about_as_often_as_promised():
    chance, trials = np.random.default_rng(10), 100
    words = np.full(60, 400.0)
    sizes = [
        estimates(simulated(chance, words), [("b", "a")], 300)[1]["b", "a"].detectable for _ in range(trials)
    ]
    gain, seen = plain.median(sizes), 0
    for _ in range(trials):
        runs = simulated(chance, words, gain=gain)
        seen += estimates(runs, [("b", "a")], 300)[1]["b", "a"].verdict == BETTER
    assert 0.65 <= seen / trials <= 0.95  # 80 % promised, standard error 4 %


@pytest.mark.parametrize(
    ("seeds", "speakers", "words", "deviations"),
    [
        pytest.param(5, 100, 520, {"run_speaker": 0.01}, id="many speakers"),
        pytest.param(
            5, 6, 3000, {"run_speaker": 0.01, "policy_speaker": 0.03}, id="six speakers with favourites"
        ),
        pytest.param(3, 100, 520, {"run": 0.01, "policy_speaker": 0.03}, id="three seeds that differ"),
    ],
)
def test_identical_policies_are_told_apart_in_about_5_percent(seeds, speakers, words, deviations):
    chance, trials = np.random.default_rng(11), 300
    told = 0
    for _ in range(trials):
        runs = simulated(chance, np.full(speakers, float(words)), seeds, **deviations)
        told += estimates(runs, [("b", "a")], 300)[1]["b", "a"].verdict != NO_DIFFERENCE
    assert 0.01 <= told / trials <= 0.09  # standard error 1.3 %
