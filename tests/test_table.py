import re
import subprocess
import sys
from dataclasses import replace

import pytest
from test_compare import study

from specaug.study.comparing.compare import Comparison, PartFacts, PartScore, Row, compare
from specaug.study.comparing.systems import System
from specaug.study.results import Masked
from specaug.study.stats.statistics import BETTER, NO_DIFFERENCE, WORSE, Difference, Estimate
from specaug.study.tables.table import FORMATS, as_markdown, as_text

RULE = "bold is the lowest rate of its part, where it is told apart from None"  # what would be bold


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return study(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def compared(runs):
    return compare([runs])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("seeds", [1, 2])
def test_below_three_seeds_no_policy_is_called_better(tmp_path, form, seeds):
    shown = FORMATS[form](compare([study(tmp_path, seeds=seeds)]))
    assert not re.search(r"\b(better|worse|significant|no difference)\b|textbf", shown.replace(RULE, ""))
    assert "oo few " in shown or form == "csv"  # which has no remarks


def test_from_three_seeds_on_nothing_is_refused(compared):
    assert "oo few to say" not in as_text(compared)


@pytest.mark.parametrize("form", FORMATS)
def test_every_rendering_of_synthetic_speech_says_so(tmp_path, form):
    facts = {"name": "tts", "title": "Robots", "synthetic": True, "fingerprint": "f"}
    lines = FORMATS[form](compare([study(tmp_path, seeds=1, folds=1, corpus=facts)])).splitlines()
    told = {"csv": lines[1:], "latex": [line for line in lines if r"\caption" in line]}.get(form, lines[:1])
    assert told
    assert all("Robots (synthetic speech)" in line for line in told)


def test_every_verdict_and_number_of_the_comparison_is_in_the_text(compared):
    shown = as_text(compared)
    score = compared.rows[1].scores["unseen"]
    assert f"{100 * score.wer.value:.2f} [{100 * score.wer.low:.2f}, {100 * score.wer.high:.2f}]" in shown
    assert f"{100 * score.difference.low:+.2f}, {100 * score.difference.high:+.2f}]" in shown
    assert score.difference.verdict in shown
    assert "3 seeds together with 4 speakers (unseen), 4 speakers (dev)" in shown
    assert "Network: models.toy.Toy width=8, 1,234,567 parameters; trained with s_r=" in shown
    assert all(run[:8] in shown for row in compared.rows for run in row.runs)


def by_hand():
    """A comparison of three policies on one part, with numbers that are easy to find again."""
    found = [
        None,
        Difference(-0.05, -0.09, -0.02, 0.004, 0.008, 0.045, 0.06, BETTER),
        Difference(0.06, 0.03, 0.08, 0.0001, 0.0002, 0.031, 0.04, WORSE),
        Difference(0.01, -0.01, 0.02, 0.2, 0.2, 0.025, 0.03, NO_DIFFERENCE),
    ]
    scores = [PartScore(Estimate(0.3, 0.25, 0.375), (0.2, 0.06, 0.04), d) for d in found]
    rows = [
        Row(label, (0, 1, 2), (0,), (f"{label}234567890ab",), Masked(0.1, 0.2, 0.3), {"unseen": score}, "Toy")
        for label, score in zip("ABCD", scores, strict=True)
    ]
    part = PartFacts("unseen", 48, 168, 4, "speakers")
    system = System("Toy", "", "models.toy.Toy", {"width": 8}, 1234567, {"s_f": 9, "batch": 2})
    return Comparison("Toy", "A", [part], rows, [], [], [system])


@pytest.mark.parametrize("form", ["text", "markdown", "tsv", "latex"])
def test_one_network_is_told_with_its_arguments_and_its_schedule(form):
    told = "Network: models.toy.Toy width=8, 1,234,567 parameters; trained with s_f=9 batch=2."
    assert told in FORMATS[form](by_hand()).replace("\\", "")


def test_one_of_something_is_no_plural_and_nothing_is_not_counted(tmp_path):
    compared = compare([study(tmp_path, seeds=1, folds=1)])
    for form in FORMATS.values():
        assert not re.search(r"\b1 (seeds|words|utterances)\b|for the [01] that", form(compared))
    assert "mean over 1 seed;" in FORMATS["latex"](compared)


def test_where_one_pair_alone_has_too_few_seeds_that_is_said():
    shown = as_text(with_last(Difference(0.01)))
    assert re.search(r"\nD .* too few to say\n", shown)
    assert "Too few to say: an interval and a verdict take 3 seeds that both policies have" in shown


def with_last(difference):
    """The comparison by hand, D having another difference."""
    *rows, last = by_hand().rows
    score = replace(last.scores["unseen"], difference=difference)
    return replace(by_hand(), rows=[*rows, replace(last, scores={"unseen": score})])


@pytest.mark.parametrize(("others", "replicates"), [(3, "10,000"), (125, "10,000"), (150, "12,000")])
def test_the_text_says_how_many_replicates_there_are_for_so_many_policies(others, replicates):
    first, *rows = by_hand().rows
    many = [replace(rows[0], label=f"B{i}") for i in range(others)]
    assert f" {replicates} replicates, stretched" in as_text(replace(by_hand(), rows=[first, *many]))


SAME = Difference(0.0, p=1.0, adjusted=1.0)


@pytest.mark.parametrize("form", FORMATS)
def test_where_two_policies_make_the_same_errors_nothing_is_claimed(form):
    shown = FORMATS[form](with_last(SAME))
    assert "+0.00 [" not in shown
    assert "(± 0.00)" not in shown
    assert "no difference" not in shown
    if form in ("text", "markdown"):
        assert re.search(r"D .*\+0\.00  .*too few to say|D .*\| \+0\.00 \| too few to say", shown)
    if form != "csv":
        told = " ".join(shown.split())
        assert "Too few to say: where a difference is 0 in every seed and every speaker" in told
        assert "take 3 seeds" not in told
        assert "corrected (Holm) for the 3 that" in told


def test_what_would_be_seen_is_the_median_over_pairs_that_vary():
    would = "Smallest true difference that 8 of 10 such comparisons would see"
    assert f"{would}: 5.00 (unseen)." in as_text(with_last(SAME))  # of 4 and 6
    first = by_hand().rows[0]
    rows = [first, *(replace(row, scores=with_last(SAME).rows[3].scores) for row in by_hand().rows[1:])]
    assert "Smallest true" not in as_text(replace(by_hand(), rows=rows))


def test_a_line_of_the_table_is_as_written_by_hand():
    lines = [re.split("  +", line) for line in as_text(by_hand()).splitlines()]
    assert lines[2] == ["policy", "seeds", "folds", "runs", "masked %: cells", "frames", "channels"]
    assert lines[3] == ["A", "3", "1", "1", "10.0", "20.0", "30.0"]
    rate = ["30.00 [25.00, 37.50]", "20.0/6.0/4.0"]
    assert lines[9:14] == [
        ["policy", "WER [95 %]", "S/D/I", "minus A [95 %]", "verdict"],
        ["A", *rate],
        ["B", "30.00 [25.00, 37.50]*", rate[1], "-5.00 [-9.00, -2.00]", "better (p = 0.008)"],
        ["C", *rate, "+6.00 [+3.00, +8.00]", "worse (p < 0.001)"],
        ["D", *rate, "+1.00 [-1.00, +2.00]", "no difference seen (± 2.50)"],
    ]
    assert ["Smallest true difference that 8 of 10 such comparisons would see: 4.00 (unseen)."] in lines


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


def test_text_from_the_data_cannot_break_a_table_or_a_terminal(tmp_path):
    facts = {"name": "t", "title": "<b>\x1b[31m*T*\n# H", "synthetic": False, "fingerprint": "f"}
    study(tmp_path, ["a|b\tc\n| d"], seeds=1, folds=1, corpus=facts)
    got = compare([tmp_path])
    shown = as_markdown(got)
    assert "| a\\|b\ufffdc\ufffd\\| d |" in shown
    assert "&lt;b&gt;\ufffd[31m\\*T\\*\ufffd# H" in shown
    for form, render in FORMATS.items():
        text = render(got)
        assert all(
            c.isprintable() or c in {"text": "\n", "csv": "\r\n", "tsv": "\t\n"}.get(form, "\n") for c in text
        )


def extended(label="B", chances=(0.5, 0.004, 0.997)):
    """The comparison by hand with the columns that need not be there, B being called `label`."""
    rows = []
    for row, chance in zip(by_hand().rows, (None, *chances), strict=True):
        score = row.scores["unseen"]
        told = score.difference and replace(score.difference, better=chance)
        scores = {"unseen": replace(score, cer=0.1234, difference=told)}
        rows.append(replace(row, label=label if row.label == "B" else row.label, scores=scores))
    return replace(by_hand(), rows=rows)


def test_characters_and_chances_stand_beside_the_words():
    lines = [re.split("  +", line) for line in as_text(extended()).splitlines()]
    assert lines[9] == ["policy", "WER [95 %]", "CER", "S/D/I", "minus A [95 %]", "P(<)", "verdict"]
    assert [line[2] for line in lines[10:14]] == ["12.34"] * 4
    assert [line[5] for line in lines[11:14]] == ["0.50", "<.01", ">.99"]


def test_markdown_has_the_characters_the_chances_and_what_they_are():
    shown = as_markdown(extended())
    assert "| policy | WER [95 %] | CER | S/D/I | minus A [95 %] | P(&lt;) | verdict |" in shown
    assert shown.count(" | 12.34 | ") == 4
    assert "- CER: character error rate, mean over seeds; P(&lt;): how confident" in shown


def test_they_are_left_out_and_not_explained_where_they_do_not_fit():
    seen = set()
    for length in range(1, 50):
        text = as_text(extended("B" * length))
        header = text.splitlines()[9]
        told = "CER" in header, "P(<)" in header
        left = " and ".join(name for name, there in zip(("CER", "P(<)"), told, strict=True) if not there)
        said = f"Left out for want of room: {left}; `specaug compare --format markdown` (or tsv) prints"
        assert (said in " ".join(text.split())) == ("Left out" in text) == (not all(told))
        assert told == ("CER: character error rate" in text, "P(<): how confident" in text)
        if any(told):
            assert max(map(len, text.splitlines())) <= 110
        seen.add(told)
    assert seen == {(True, True), (True, False), (False, False)}


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("form", ["text", "markdown", "tsv"])
def test_a_policy_alone_is_not_said_to_be_compared(tmp_path, form, seeds):
    shown = FORMATS[form](compare([study(tmp_path, ["LD"], seeds=seeds)]))
    assert not re.search("minus|[Tt]oo few to say", shown)
    assert form == "tsv" or "verdict" not in shown
    if form == "text":
        assert re.search(r"\npolicy +WER \[95 %\] +CER +S/D/I\nLD ", shown)


def test_a_system_without_the_baseline_has_no_columns_for_it():
    first, second = by_hand(), System("Other", "", "models.toy.Other", {}, 1, {})
    alone = replace(first.rows[0], label="Z", system="Other")
    both = replace(first, rows=[*first.rows, alone], systems=[*first.systems, second])
    assert as_markdown(both).count("| minus A [95 %] |") == 1
    assert as_markdown(both).count("| policy | WER [95 %] | S/D/I |\n") == 1


@pytest.mark.parametrize("form", ["text", "markdown", "tsv", "latex"])
def test_the_order_of_the_rows_is_said_where_there_are_more_than_two(tmp_path, form):
    said = "Rows: None, LB, LD, SM, SS in this order, then their variants, then other policies by name."
    two = compare([study(tmp_path / "two", ["None", "a"], seeds=1, folds=1)])
    assert "Rows: " not in FORMATS[form](two)
    labels = ["b", "LB x 0.5", "SS", "a", "LB x 0.25", "None"]
    many = compare([study(tmp_path / "many", labels, seeds=1, folds=1)])
    assert said in FORMATS[form](many)
    assert [row.label for row in many.rows] == ["None", "SS", "LB x 0.25", "LB x 0.5", "a", "b"]


def test_comparing_imports_nothing_heavy():
    heavy = "[n for n in ('torch', 'lightning', 'wandb', 'scipy.stats', 'optuna') if n in sys.modules]"
    code = f"import sys, specaug.study.tables.table; sys.exit(str({heavy} or ''))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
