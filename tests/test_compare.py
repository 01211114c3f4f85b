import json

import numpy as np
import pytest
from test_results import change, utterance, write_run

from specaug.errors import UserError
from specaug.study.comparing.compare import compare
from specaug.study.stats.statistics import Runs, estimates
from specaug.study.tables.table import as_text

SPEAKERS = ("anna", "bert", "carl", "dora")


def rows(fold=0, rate=0.3, seed=0, speakers=SPEAKERS):
    """In each fold two speakers are unseen; everybody is in dev."""
    chance = np.random.default_rng([fold, seed, round(1000 * rate)])
    found = []
    for part, spoken in (("dev", speakers), ("unseen", speakers[fold::2])):
        for speaker in spoken:
            for i in range(12):
                words = 2 + i % 4
                wrong = int(chance.binomial(words, rate))
                found.append(utterance(part, f"{speaker}-{i:02}", speaker, words, wrong, 0, int(i % 3 == 0)))
    return found


def study(root, policies=("None", "LD"), seeds=3, folds=2, **other):
    """A folder of runs; the rate of errors falls from policy to policy."""
    for i, label in enumerate(policies):
        for seed in range(seeds):
            for fold in range(folds):
                folder = root / f"{label.replace(' ', '')}-{seed}-{fold}"
                write_run(folder, rows(fold, 0.3 * 0.8**i, seed), label, seed, fold, **other)
    return root


def counts(folder, part):
    lines = (folder / "hypotheses.jsonl").read_text(encoding="utf-8").splitlines()
    found = [row for row in map(json.loads, lines) if row["part"] == part]
    errors = sum(row[kind] for row in found for kind in ("substitutions", "deletions", "insertions"))
    return errors, sum(row["words"] for row in found)


def wer_by_hand(root, label, part):
    """The mean over seeds of (errors of all folds) / (words of all folds)."""
    by_seed = []
    for seed in range(3):
        found = [counts(root / f"{label}-{seed}-{fold}", part) for fold in range(2)]
        by_seed.append(sum(e for e, _ in found) / sum(w for _, w in found))
    return sum(by_seed) / len(by_seed)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return study(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def compared(runs):
    return compare([runs])


def test_a_rate_is_the_mean_over_seeds_of_what_all_folds_pool(runs, compared):
    for row in compared.rows:
        for part, score in row.scores.items():
            assert score.wer.value == pytest.approx(wer_by_hand(runs, row.label, part))
            assert sum(score.kinds) == pytest.approx(score.wer.value)
            assert score.wer.low < score.wer.value < score.wer.high


def test_a_character_error_rate_pools_all_characters_of_all_runs(runs, compared):
    for row in compared.rows:
        told = [json.loads(file.read_text()) for file in sorted(runs.glob(f"{row.label}-*/result.json"))]
        found = [facts["parts"]["unseen"]["cer"] for facts in told]
        expected = sum(cer["errors"] for cer in found) / sum(cer["characters"] for cer in found)
        assert row.scores["unseen"].cer == pytest.approx(expected)


def by_speaker(root, label, seed, kinds):
    """Sums over both folds of the unseen part, one for each speaker."""
    found = dict.fromkeys(SPEAKERS, 0.0)
    for fold in range(2):
        lines = (
            (root / f"{label}-{seed}-{fold}" / "hypotheses.jsonl").read_text(encoding="utf-8").splitlines()
        )
        for row in map(json.loads, lines):
            if row["part"] == "unseen":
                found[row["speaker"]] += sum(row[kind] for kind in kinds)
    return list(found.values())


def test_an_interval_is_that_of_each_speaker_s_own_errors(runs, compared):
    words = np.array(by_speaker(runs, "LD", 0, ["words"]))
    kinds = ("substitutions", "deletions", "insertions")
    errors = np.array([by_speaker(runs, "LD", seed, kinds) for seed in range(3)])
    rates, _ = estimates({"LD": Runs((0, 1, 2), errors, words)}, [])
    found = compared.rows[1].scores["unseen"].wer
    assert (found.low, found.high) == pytest.approx((rates["LD"].low, rates["LD"].high))


def test_a_difference_is_to_the_baseline_which_has_none(runs, compared):
    none, masked = compared.rows
    for part in ("dev", "unseen"):
        expected = wer_by_hand(runs, "LD", part) - wer_by_hand(runs, "None", part)
        assert masked.scores[part].difference.value == pytest.approx(expected)
        assert none.scores[part].difference is None


def test_kinds_of_error_come_in_the_order_s_d_i(compared):
    substitutions, deletions, insertions = compared.rows[0].scores["unseen"].kinds
    assert substitutions > insertions > deletions == 0
    assert insertions == pytest.approx(4 / 42)  # 4 of 12 utterances, 42 words


def test_a_part_tells_its_size_over_all_folds_and_what_is_resampled(compared):
    unseen, dev = compared.parts
    assert (unseen.name, unseen.utterances, unseen.words, unseen.units, unseen.unit) == (
        ("unseen", 48, 4 * 42, 4, "speakers")
    )
    assert (dev.name, dev.utterances, dev.units) == ("dev", 96, 4)


def test_where_one_speaker_speaks_utterances_are_resampled(tmp_path):
    for seed in range(3):
        write_run(tmp_path / f"{seed}", rows(0, 0.3, seed, ("anna",)), seed=seed)
    part = compare([tmp_path]).parts[0]
    assert (part.units, part.unit) == (12, "utterances")


def test_a_row_names_its_runs_and_the_mean_of_what_was_masked(runs):
    first = runs / "LD-0-0" / "result.json"
    before = json.loads(first.read_text(encoding="utf-8"))
    change(first, ("masked", "cells"), 0.85)
    row = compare([runs]).rows[1]
    first.write_text(json.dumps(before), encoding="utf-8")
    assert row.masked.cells == pytest.approx((5 * 0.25 + 0.85) / 6)
    assert (row.masked.frames, row.masked.channels) == (0.125, 0.5)
    assert (row.seeds, row.folds, len(row.runs)) == ((0, 1, 2), (0, 1), 6)
    assert before["run"] in row.runs


def test_policies_stand_in_the_order_of_the_paper_then_by_size(tmp_path):
    mixed = ["mine 10", "mine 9", "LD x 0.5", "SS", "LD x 0.25", "LB x 1", "LD", "None", "LB", "SM"]
    study(tmp_path, mixed, seeds=1, folds=1)
    expected = ["None", "LB", "LD", "SM", "SS", "LB x 1", "LD x 0.25", "LD x 0.5", "mine 9", "mine 10"]
    assert [row.label for row in compare([tmp_path]).rows] == expected


def test_a_policy_stands_by_the_name_that_its_label_begins_with_and_by_no_other(tmp_path):
    for label, name in (
        ("LB F=3", "LB"),
        ("LD, from step 9", "LD"),
        ("SpecSub", "None"),
        ("None F=3 m_F=1", "None"),
        ("None", "None"),
    ):
        write_run(tmp_path / label, rows(), label, policy={"label": label, "name": name})
    expected = ["None", "None F=3 m_F=1", "LB F=3", "LD, from step 9", "SpecSub"]
    assert [row.label for row in compare([tmp_path]).rows] == expected


def test_the_baseline_is_none_or_the_first_or_the_one_asked_for(tmp_path, runs, compared):
    study(tmp_path, ["SM", "LB"], seeds=1, folds=1)
    assert compared.baseline == "None"
    assert compare([tmp_path]).baseline == "LB"
    assert compare([runs], baseline="LD").baseline == "LD"
    with pytest.raises(UserError, match=r"no runs of policy 'LX'; did you mean 'LD'\?"):
        compare([runs], baseline="LX")


def test_the_first_word_of_the_baseline_is_enough(tmp_path):
    study(tmp_path, ["LD x 0.25", "LB x 0.25", "LB"], seeds=1, folds=1)
    assert compare([tmp_path], baseline="LD").baseline == "LD x 0.25"
    assert compare([tmp_path], baseline="LB").baseline == "LB"
    with pytest.raises(UserError, match="no runs of policy 'LD x'"):
        compare([tmp_path], baseline="LD x")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        pytest.param(("corpus", "name"), "other", "corpus is 'other'; expected 'toy'", id="corpus"),
        pytest.param(("corpus", "fingerprint"), "x", "corpus of fold 1 is 'x'; expected 'f1'", id="data"),
        pytest.param(("alphabet",), "abc ", "alphabet is 'abc '; expected 'ab '", id="alphabet"),
        pytest.param(
            ("corpus", "synthetic"), True, "corpus.synthetic is True; expected False", id="synthetic"
        ),
        pytest.param(
            ("network", "parameters"), 7, "parameters of models.toy.Toy width=8 is 7; exp", id="parameters"
        ),
        pytest.param(
            ("policy", "F"),
            3,
            r"^policy None: F is 27 in \S+/None-0-0 and 3 in \S+/None-1-1; exp",
            id="policy",
        ),
    ],
)
def test_runs_that_differ_in_more_than_the_policy_are_refused(tmp_path, path, value, said):
    change(study(tmp_path, seeds=2) / "None-1-1" / "result.json", path, value)
    with pytest.raises(UserError, match=said):
        compare([tmp_path])


LM = {"path": "models.language.LSTM"}


@pytest.mark.parametrize(
    ("path", "value", "other", "said"),
    [
        pytest.param(("policy", "strength"), {"start": 5}, None, "None: strength.start is 0 in .* and 5 in ", id="ramp"),
        pytest.param(("policy", "strength"), {"rise": 0.2}, {"rise": 0.1}, "strength.rise is 0.1 in .* and 0.2 in ", id="loop"),
        pytest.param(("decodings",), [{"beam": 4}], [{}], "beam of decoding lm is 4; expected 8", id="beam"),
        pytest.param(("decodings",), [{"lm": LM}], [{}], "lm of decoding lm is {'path': .*}; expected None", id="language model"),
    ],
)  # fmt: skip
def test_runs_whose_recipes_differ_in_what_has_one_name_are_refused(tmp_path, path, value, other, said):
    folder = study(tmp_path, ["None"], seeds=2, folds=1)
    change(folder / "None-1-0" / "recipe.yaml", path, value)
    if other is not None:
        change(folder / "None-0-0" / "recipe.yaml", path, other)
    with pytest.raises(UserError, match=said):
        compare([tmp_path])


def test_runs_whose_recipes_say_the_same_in_other_words_are_compared(tmp_path):
    folder = study(tmp_path, ["None"], seeds=2, folds=1)
    change(
        folder / "None-1-0" / "recipe.yaml", ("policy", "strength"), {"of": "counts"}
    )  # from the first step
    change(folder / "None-1-0" / "recipe.yaml", ("decodings",), [{"label": "beam"}])
    change(folder / "None-0-0" / "recipe.yaml", ("decodings",), [{"label": "lm"}])
    assert compare([tmp_path]).rows[0].seeds == (0, 1)


def test_what_is_done_twice_is_refused(tmp_path):
    study(tmp_path, seeds=1)
    write_run(tmp_path / "twin", rows(1), seed=0, fold=1)
    with pytest.raises(UserError, match="twin: policy None, seed 0, fold 1 is also in"):
        compare([tmp_path])


def test_every_symbol_that_differs_is_named_and_no_other(tmp_path):
    for symbol, value in (("W", 40), ("p", 0.5)):
        change(study(tmp_path / symbol, seeds=2) / "LD-1-1" / "result.json", ("policy", symbol), value)
    change(tmp_path / "W" / "LD-1-1" / "result.json", ("policy", "T"), 9)
    with pytest.raises(UserError, match=r"LD: W is 20 in .* and 40 in .*, T is 25 in .* and 9 in ") as told:
        compare([tmp_path / "W"])
    assert "m_F" not in str(told.value)


def test_runs_with_other_parts_are_refused(tmp_path):
    study(tmp_path, seeds=1)
    noisy = [row | {"part": "noisy"} if row["part"] == "unseen" else row for row in rows()]
    write_run(tmp_path / "odd", noisy, "SM")
    with pytest.raises(UserError, match=r"odd: parts is \['dev', 'noisy'\]; expected \['dev', 'unseen'\]"):
        compare([tmp_path])


@pytest.mark.parametrize(
    ("first", "said"),
    [
        pytest.param(utterance("dev", "zoe-99", "anna", 2), "ids of part dev .*'anna-05'", id="ids"),
        pytest.param(
            utterance("dev", "anna-05", "zoe", 3), "speakers of part dev .*'anna-05'", id="speakers"
        ),
        pytest.param(utterance("dev", "anna-05", "anna", 9), "references .*'anna-05'", id="references"),
    ],
)
def test_runs_with_other_utterances_are_refused_with_the_first(tmp_path, first, said):
    study(tmp_path, seeds=1, folds=1)
    others = [row for row in rows() if (row["part"], row["id"]) != ("dev", "anna-05")]
    write_run(tmp_path / "odd", [first, *others], "SM")
    with pytest.raises(UserError, match=rf"odd: {said}$"):
        compare([tmp_path])


def test_a_seed_without_all_folds_is_left_out_and_named(tmp_path):
    study(tmp_path)
    (tmp_path / "LD-1-0" / "result.json").unlink()
    got = compare([tmp_path])
    assert got.rows[1].seeds == (0, 2)
    assert [folder.name for folder in got.unfinished] == ["LD-1-0"]
    assert got.notes == [
        "LD, seed 1 is left out: no result for fold 0",
        "LD and None are not paired on seed 1; difference over 2 seeds",
    ]
    assert "Note: LD, seed 1 is left out" in as_text(got)
    assert "LD-1-0" in as_text(got)


def test_runs_of_other_lengths_and_skipped_utterances_are_noted(tmp_path):
    study(tmp_path, seeds=1, folds=1)
    change(tmp_path / "LD-0-0" / "result.json", ("epochs",), 7)
    change(tmp_path / "LD-0-0" / "result.json", ("skipped",), ["a", "b"])
    assert compare([tmp_path]).notes == [
        "runs differ in length: 3 to 7 epochs",
        "1 of 2 runs skipped up to 2 utterances",
    ]


def test_nothing_finished_is_a_mistake_of_the_user(tmp_path):
    with pytest.raises(UserError, match="no finished run"):
        compare([tmp_path])
    write_run(tmp_path / "a", rows(0), "None", 0, 0)
    write_run(tmp_path / "b", rows(1), "LD", 0, 1)
    with pytest.raises(UserError, match="no seed of any policy has all 2 folds"):
        compare([tmp_path])
