import math
import random
import re
import shutil
import subprocess
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specaug.errors import UserError
from specaug.study.results import read_lines
from specaug.study.stats.mapsswe import aligned, matched_pairs, paired_bootstrap, seed_by_seed, segment_errors

SCTK = Path("/usr/lib/sctk/bin")
KEPT = ("LB-x-0.25", "LD-x-0.25", "None")

wrongs = st.lists(st.lists(st.booleans(), min_size=1, max_size=12), min_size=1, max_size=6)


def texts(wrong):
    """References of unlike words, and hypotheses that substitute those that are wrong."""
    references = [" ".join(f"w{i}" for i in range(len(row))) for row in wrong]
    hypotheses = [" ".join("x" if bad else f"w{i}" for i, bad in enumerate(row)) for row in wrong]
    return references, hypotheses


def segments_by_hand(one, other):
    """Walk over the words: two right ones in a row close what is open."""
    found = []
    for ours, theirs in zip(one, other, strict=True):
        pair, right = [0, 0], 2
        for a, b in zip(ours, theirs, strict=True):
            right = 0 if a or b else right + 1
            if right == 2 and any(pair):
                found.append(tuple(pair))
                pair = [0, 0]
            pair = [pair[0] + a, pair[1] + b]
        found += [tuple(pair)] if any(pair) else []
    return found


@given(st.data(), wrongs)
def test_segments_are_parted_by_two_words_that_both_get_right(data, one):
    other = [data.draw(st.lists(st.booleans(), min_size=len(row), max_size=len(row))) for row in one]
    references, ours = texts(one)
    found = segment_errors(aligned(references, ours), aligned(references, texts(other)[1]))
    assert list(zip(*(errors.tolist() for errors in found), strict=True)) == segments_by_hand(one, other)


@pytest.mark.parametrize(
    ("hypothesis", "expected"),
    [
        pytest.param("x b c y", [1, 1], id="two right between two substitutions"),
        pytest.param("x b y d", [2], id="one right between them"),
        pytest.param("x b z c y", [3], id="an insertion between the two"),
        pytest.param("z z a b c", [2, 1], id="insertions before the first, a deletion at the end"),
        pytest.param("", [4], id="nothing said"),
    ],
)
def test_insertions_and_deletions_lie_where_they_happen(hypothesis, expected):
    errors, none = segment_errors(aligned(["a b c d"], [hypothesis]), aligned(["a b c d"], ["a b c d"]))
    assert errors.tolist() == expected
    assert not none.any()


def test_segments_end_with_their_utterance():
    references = ["a b", "c d"]
    errors, _ = segment_errors(aligned(references, ["a x", "x d"]), aligned(references, references))
    assert errors.tolist() == [1, 1]


@given(wrongs, st.randoms(use_true_random=False))
def test_z_is_the_mean_over_segments_by_its_standard_error(wrong, chance):
    other = [[chance.random() < 0.4 for _ in row] for row in wrong]
    references, ours = texts(wrong)
    got = matched_pairs(aligned(references, ours), aligned(references, texts(other)[1]))
    rest = np.array([a - b for a, b in segments_by_hand(wrong, other)], dtype=float)
    assert got.segments == len(rest)
    if len(rest) > 1 and rest.std() > 0:
        assert got.z == pytest.approx(rest.mean() / (rest.std(ddof=1) / len(rest) ** 0.5))
        assert got.p == pytest.approx(2 * NormalDist().cdf(-abs(got.z)))
        assert got.difference == pytest.approx(rest.mean())


def test_where_all_segments_differ_alike_the_sign_test_gives_p():
    references, worse = texts([[True], [True], [True]])
    got = matched_pairs(aligned(references, worse), aligned(references, references))
    assert (got.z, got.p) == (math.inf, 0.25)
    back = matched_pairs(aligned(references, references), aligned(references, worse))
    assert (back.z, back.p) == (-math.inf, 0.25)


@pytest.mark.parametrize("wrong", [[[False]], [[True, False], [True]]])
def test_a_model_does_not_differ_from_itself(wrong):
    references, hypotheses = texts(wrong)
    model = aligned(references, hypotheses)
    assert (matched_pairs(model, model).z, matched_pairs(model, model).p) == (0, 1)
    assert paired_bootstrap(model, model, 100).better == 0.5


@given(wrongs, st.integers(0, 99))
def test_the_bootstrap_draws_utterances_and_pools_their_words(wrong, seed):
    references, hypotheses = texts(wrong)
    got = paired_bootstrap(aligned(references, hypotheses), aligned(references, references), 2000, seed)
    chance, rates = random.Random(seed), []
    for _ in range(2000):
        drawn = chance.choices(wrong, k=len(wrong))
        rates.append(sum(map(sum, drawn)) / sum(map(len, drawn)))
    assert got.difference == pytest.approx(sum(map(sum, wrong)) / sum(map(len, wrong)))
    assert (got.low + got.high) / 2 == pytest.approx(sum(np.quantile(rates, [0.025, 0.975])) / 2, abs=0.12)
    assert got.better == pytest.approx(np.mean([rate == 0 for rate in rates]) / 2, abs=0.05)


def test_many_utterances_are_drawn_in_pieces_to_the_same_numbers(monkeypatch):
    references, hypotheses = texts([[True, False], [False], [True, True, False], [False] * 4])
    models = aligned(references, hypotheses), aligned(references, references)
    whole = paired_bootstrap(*models, 500)
    monkeypatch.setattr("specaug.study.stats.mapsswe.CELLS", 28)
    assert paired_bootstrap(*models, 500) == whole


def rows(hypotheses):
    return [
        {"part": "test", "id": f"u{i}", "reference": "a b c", "hypothesis": text}
        for i, text in enumerate(hypotheses)
    ]


def test_each_seed_that_both_have_is_tested_in_whatever_order_its_rows_lie():
    better, worse = rows(["a b c", "a b c", "x b c"]), rows(["a x c", "x x c", "x b c"])
    found = seed_by_seed({0: better, 3: worse, 5: worse}, {0: worse[::-1], 3: better, 4: better}, 100)
    assert [(one.seed, one.sign) for one in found] == [(0, -1), (3, 1)]
    assert [np.sign(one.matched.z) for one in found] == [-1, 1]
    assert found[0].bootstrap.better > 0.5 > found[1].bootstrap.better


@pytest.mark.parametrize(
    ("references", "where"),
    [(["a", "c"], "utterance 2 is the first"), (["a"], "2 and 1 utterances")],
)
def test_other_utterances_are_refused(references, where):
    one, other = aligned(["a", "b"], ["a", "b"]), aligned(references, references)
    with pytest.raises(UserError, match=where):
        matched_pairs(one, other)
    with pytest.raises(UserError, match=where):
        paired_bootstrap(one, other)


def test_an_empty_reference_is_refused():
    with pytest.raises(UserError, match="reference 2 of 2 is empty"):
        aligned(["a", " "], ["a", "b"])


def test_no_utterances_are_refused():
    with pytest.raises(UserError, match="at least one"):
        paired_bootstrap(aligned([], []), aligned([], []))


def kept(root, label, seed, part):
    """The rows of a kept policy and seed over all folds, by id."""
    folders = sorted((root / "docs/results/fsdd").glob(f"{label}-fold-*-seed-{seed}-*"))
    found = [row for folder in folders for row in read_lines(folder) if row["part"] == part]
    return sorted(found, key=lambda row: row["id"])


def told_by_nist(folder, references, one, other):
    """What NIST's sc_stats says: p, and which system it prefers where that is significant."""
    program = {name: shutil.which(name) or str(SCTK / name) for name in ("sclite", "sc_stats")}
    sgml = b""
    for name, texts in (("ref", references), ("one", one), ("other", other)):
        lines = [f"{text} (speaker_{i})\n" for i, text in enumerate(texts)]
        (folder / f"{name}.trn").write_text("".join(lines))
    for name in ("one", "other"):
        files = ["-r", "ref.trn", "trn", "-h", f"{name}.trn", "trn", "-o", "sgml"]
        subprocess.run([program["sclite"], "-i", "rm", *files], cwd=folder, capture_output=True, check=True)
        sgml += (folder / f"{name}.trn.sgml").read_bytes()
    command = [program["sc_stats"], "-p", "-t", "mapsswe", "-v", "-u", "-n", "-"]
    told = subprocess.run(command, input=sgml, cwd=folder, capture_output=True, check=True).stdout.decode()
    preferred, p = re.search(r"one\.trn +\| +\| +(\S+) +<?(\d\.\d+)", told).groups()
    return float(p), preferred


def test_p_is_that_of_nists_sc_stats_on_real_transcripts(root, tmp_path):
    if not (shutil.which("sc_stats") or (SCTK / "sc_stats").is_file()):
        pytest.skip("sc_stats: no such program; Debian has it in the package sctk")
    for seed, part, (label, other) in [
        (0, "unseen", ("LB-x-0.25", "None")),
        (0, "noisy", ("LB-x-0.25", "None")),
        (2, "noisy", ("None", "LD-x-0.25")),
        (4, "unseen", ("LD-x-0.25", "None")),
        (0, "dev", ("LB-x-0.25", "None")),
    ]:
        one, two = kept(root, label, seed, part), kept(root, other, seed, part)
        [ours] = seed_by_seed({seed: one}, {seed: two}, 1)
        texts = [row["reference"] for row in one], *([r["hypothesis"] for r in x] for x in (one, two))
        p, preferred = told_by_nist(tmp_path, *texts)
        assert ours.matched.p == pytest.approx(p, abs=0.011)  # it cuts z to two decimals, and p to three
        if p < 0.04:
            assert preferred == ("one.trn" if ours.matched.z < 0 else "other.trn")


@pytest.mark.slow  # not for its time: CI installs kaldialign (the extra `checks`) after the fast tests
@pytest.mark.parametrize(("label", "part"), [("LB-x-0.25", "noisy"), ("LD-x-0.25", "unseen")])
def test_the_bootstrap_is_that_of_kaldialign_on_real_transcripts(root, label, part):
    kaldialign = pytest.importorskip("kaldialign")
    one, two = kept(root, label, 1, part), kept(root, "None", 1, part)
    [ours] = seed_by_seed({1: one}, {1: two})
    words = [
        [row["reference"].split() for row in one],
        *([r["hypothesis"].split() for r in x] for x in (two, one)),
    ]
    told = kaldialign.bootstrap_wer_ci(*words)
    assert ours.bootstrap.better == pytest.approx(told["p_s2_improv_over_s1"], abs=0.015)
    gain = told["system2"]["wer"] - told["system1"]["wer"]
    assert ours.bootstrap.difference == pytest.approx(gain, abs=5e-4)
