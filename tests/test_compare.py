import json
import re
import subprocess
import sys

import numpy as np
import pytest
from test_results import change, utterance, write_run

from specaug.errors import UserError
from specaug.study.compare import compare
from specaug.study.table import FORMATS, as_markdown, as_text, as_tsv, keep_run, refresh, results_table

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


def test_the_baseline_is_none_or_the_first_or_the_one_asked_for(tmp_path, runs, compared):
    study(tmp_path, ["SM", "LB"], seeds=1, folds=1)
    assert compared.baseline == "None"
    assert compare([tmp_path]).baseline == "LB"
    assert compare([runs], baseline="LD").baseline == "LD"
    with pytest.raises(UserError, match="baseline is 'LX'; expected one of None, LD"):
        compare([runs], baseline="LX")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        pytest.param(("corpus", "name"), "other", "corpus is 'other'; expected 'toy'", id="corpus"),
        pytest.param(("corpus", "fingerprint"), "x", "corpus of fold 1 is 'x'; expected 'f1'", id="data"),
        pytest.param(("alphabet",), "abc ", "alphabet is 'abc '; expected 'ab '", id="alphabet"),
        pytest.param(("network", "path"), "m.N", "network is 'm.N'; expected 'models.toy.Toy'", id="network"),
        pytest.param(("network", "arguments"), {}, "network arguments is {}", id="arguments"),
        pytest.param(("policy", "F"), 3, "policy None is {.*'F': 3", id="policy"),
        pytest.param(("seed",), 0, "policy None, seed 0, fold 1 is also in", id="twin"),
    ],
)
def test_runs_that_differ_in_more_than_the_policy_are_refused(tmp_path, path, value, said):
    change(study(tmp_path, seeds=2) / "None-1-1" / "result.json", path, value)
    with pytest.raises(UserError, match=said):
        compare([tmp_path])


def test_runs_with_other_parts_are_refused(tmp_path):
    study(tmp_path, seeds=1)
    noisy = [row | {"part": "noisy"} if row["part"] == "unseen" else row for row in rows()]
    write_run(tmp_path / "odd", noisy, "SM")
    with pytest.raises(UserError, match=r"odd: parts is \['dev', 'noisy'\]; expected \['dev', 'unseen'\]"):
        compare([tmp_path])


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        pytest.param({"id": "zoe-99"}, "ids of part dev", id="other utterances"),
        pytest.param({"speaker": "zoe"}, "speakers of part dev", id="other speakers"),
        pytest.param({"words": 99}, "words of part dev", id="other references"),
    ],
)
def test_runs_with_other_utterances_are_refused(tmp_path, edit, said):
    study(tmp_path, seeds=1, folds=1)
    changed = rows()
    changed[0] |= edit
    write_run(tmp_path / "odd", changed, "SM")
    with pytest.raises(UserError, match=said):
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
        "1 of 2 runs skipped up to 2 utterances in training",
    ]


def test_nothing_finished_is_a_mistake_of_the_user(tmp_path):
    with pytest.raises(UserError, match="no finished run"):
        compare([tmp_path])
    write_run(tmp_path / "a", rows(0), "None", 0, 0)
    write_run(tmp_path / "b", rows(1), "LD", 0, 1)
    with pytest.raises(UserError, match="no seed of any policy has all 2 folds"):
        compare([tmp_path])


@pytest.mark.parametrize("form", FORMATS)
def test_below_three_seeds_no_policy_is_called_better(tmp_path, form):
    shown = FORMATS[form](compare([study(tmp_path, seeds=2)]))
    assert not re.search("better|worse|significant|no difference", shown)
    assert "Too few to say: an interval and a verdict take 3 seeds" in shown


def test_from_three_seeds_on_nothing_is_refused(compared):
    assert "oo few to say" not in as_text(compared)


@pytest.mark.parametrize("form", FORMATS)
def test_every_rendering_of_synthetic_speech_says_so_in_its_title(tmp_path, form):
    facts = {"name": "tts", "title": "Robots", "synthetic": True, "fingerprint": "f"}
    shown = FORMATS[form](compare([study(tmp_path, seeds=1, folds=1, corpus=facts)]))
    assert "Robots (synthetic speech)" in shown.splitlines()[0]


def test_every_verdict_and_number_of_the_comparison_is_in_the_text(compared):
    shown = as_text(compared)
    score = compared.rows[1].scores["unseen"]
    assert f"{100 * score.wer.value:.2f} [{100 * score.wer.low:.2f}, {100 * score.wer.high:.2f}]" in shown
    assert f"{100 * score.difference.low:+.2f}, {100 * score.difference.high:+.2f}]" in shown
    assert score.difference.verdict in shown
    assert "3 seeds together with 4 speakers (unseen), 4 speakers (dev)" in shown
    assert "models.toy.Toy, 1,234,567 parameters" in shown
    assert all(run[:8] in shown for row in compared.rows for run in row.runs)


def test_the_part_on_which_everything_is_chosen_is_marked_and_last(compared):
    headings = [
        line for line in as_text(compared).splitlines() if "utterances" in line and " words in " in line
    ]
    assert headings == [
        "unseen: 168 words in 48 utterances",
        "dev (used for choosing, not for reporting): 336 words in 96 utterances",
    ]


def test_text_fits_in_110_columns_and_its_columns_are_aligned(tmp_path):
    shown = as_text(compare([study(tmp_path, ["None", "LD x 0.25", "SM x 0.125"], seeds=4)]))
    assert max(map(len, shown.splitlines())) <= 110
    lines = shown.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("policy") and "WER" in line)
    edges = {line.index("]") for line in lines[start : start + 4]}
    assert len(edges) == 1


def test_tab_separated_values_read_back_as_the_comparison(compared):
    lines = [line for line in as_tsv(compared).splitlines() if not line.startswith("#")]
    header, *found = [line.split("\t") for line in lines]
    assert len(found) == 4
    read = {(row[0], row[1]): dict(zip(header, row, strict=True)) for row in found}
    for row in compared.rows:
        for part, score in row.scores.items():
            told = read[part, row.label]
            shares = [score.wer.value, score.wer.low, score.wer.high, *score.kinds, row.masked.frames]
            names = [
                "wer",
                "wer_low",
                "wer_high",
                "substitutions",
                "deletions",
                "insertions",
                "masked_frames",
            ]
            assert [float(told[name]) for name in names] == pytest.approx([100 * s for s in shares], rel=1e-4)
    difference = compared.rows[1].scores["dev"].difference
    told = read["dev", "LD"]
    assert float(told["difference_low"]) == pytest.approx(100 * difference.low, rel=1e-4)
    assert float(told["p_holm"]) == pytest.approx(difference.adjusted, rel=1e-4)
    assert told["verdict"] == difference.verdict
    assert read["dev", "None"]["difference"] == ""


def test_text_from_the_data_cannot_break_a_table_or_a_terminal(tmp_path):
    facts = {"name": "t", "title": "<b>\x1b[31m*T*", "synthetic": False, "fingerprint": "f"}
    study(tmp_path, ["a|b\tc"], seeds=1, folds=1, corpus=facts)
    got = compare([tmp_path])
    assert r"| a\|b" in as_markdown(got)
    assert r"&lt;b&gt;" in as_markdown(got)
    assert r"\*T\*" in as_markdown(got)
    for render in FORMATS.values():
        assert "\x1b" not in render(got)
    assert {len(line.split("\t")) for line in as_tsv(got).splitlines() if line[0] != "#"} == {20}


def test_a_kept_run_gives_the_table_of_the_run_itself(tmp_path, runs):
    for folder in sorted(runs.iterdir()):
        kept = keep_run(folder, tmp_path / "kept")
        assert sorted(file.name for file in kept.iterdir()) == ["hypotheses.jsonl.xz", "result.json"]
    assert results_table(tmp_path / "kept") == results_table(runs)


def test_keeping_a_run_twice_gives_the_same_bytes(tmp_path, runs):
    one, two = (keep_run(runs / "LD-0-0", tmp_path / name) / "hypotheses.jsonl.xz" for name in "ab")
    assert one.read_bytes() == two.read_bytes()


def test_a_document_is_refreshed_once_and_then_current(tmp_path, runs):
    document = tmp_path / "results.md"
    text = "# Results\n\n<!-- table: {} -->\nold\n<!-- end -->\n\nAfter.\n"
    document.write_text(text.format(runs.name), encoding="utf-8")
    before = document.read_bytes()
    assert not refresh(document, runs.parent, check=True)
    assert document.read_bytes() == before
    assert not refresh(document, runs.parent, check=False)
    shown = document.read_text(encoding="utf-8")
    assert shown == text.format(runs.name).replace("old\n", f"\n{results_table(runs)}\n")
    assert refresh(document, runs.parent, check=True)
    document.write_text(shown.replace("LD", "LX"), encoding="utf-8")
    assert not refresh(document, runs.parent, check=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("<!-- table: a -->\n", r"d\.md:1: the table has no end", id="no end"),
        pytest.param(
            "\n<!-- table: a -->\n<!-- table: b -->\n<!-- end -->\n", r"d\.md:2: the t", id="nested"
        ),
        pytest.param(
            "<!-- table: gone -->\n<!-- end -->\n", r"d\.md:1: .*gone: no such folder", id="no folder"
        ),
    ],
)
def test_a_wrong_marker_is_named_and_the_document_is_left_alone(tmp_path, text, said):
    document = tmp_path / "d.md"
    document.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        refresh(document, tmp_path, check=False)
    assert document.read_text(encoding="utf-8") == text


def test_comparing_imports_nothing_heavy():
    heavy = "[n for n in ('torch', 'lightning', 'wandb', 'scipy', 'optuna') if n in sys.modules]"
    code = f"import sys, specaug.study.table; sys.exit(str({heavy} or ''))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
