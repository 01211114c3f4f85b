"""Accuracy and mAP in every table: what is counted is errors, what is told is what is right."""

import csv
import io
import json
import math
import re

import numpy as np
import pytest
from classifying import SPEAKERS, run_of, study
from test_compare_systems import holm_by_hand
from test_results import change, write_run

from specaug import cli
from specaug.errors import UserError
from specaug.study.comparing.compare import compare
from specaug.study.comparing.gathered import gathered
from specaug.study.comparing.measures import ACCURACY, MAP, WER, measures_of
from specaug.study.comparing.pairs import paired
from specaug.study.comparing.reading import read_runs
from specaug.study.page.curves import Band
from specaug.study.page.figures import differences, shown_as
from specaug.study.page.rates import tables
from specaug.study.results import find_runs, read_result, read_utterances
from specaug.study.stats.statistics import BETTER, WORSE, Difference, Estimate, Runs, estimates
from specaug.study.tables import groups_table, pairs_table, plain_table
from specaug.study.tables.cells import earned, scores
from specaug.study.tables.flat import COLUMNS
from specaug.study.tables.table import as_csv, as_latex, as_markdown, as_text, as_tsv

SKILLS = {"None": 0.35, "LB": 0.0, "LD": 1.0}
SEEDS = 6


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three policies of which LD is better than None, and LB is worse."""
    return study(tmp_path_factory.mktemp("runs"), SKILLS, SEEDS)


@pytest.fixture(scope="module")
def compared(runs):
    return compare([runs])


def rows_in(folder, part):
    lines = (folder / "hypotheses.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["part"] == part]


def row(compared, label):
    return next(row for row in compared.rows if row.label == label)


def test_runs_of_classes_are_told_in_accuracy_and_map_and_others_in_wer(compared, tmp_path):
    assert compared.measures == (ACCURACY, MAP)
    write_run(tmp_path / "one")
    assert compare([tmp_path]).measures == (WER,)


def test_without_the_map_of_one_run_there_is_accuracy_alone(tmp_path):
    study(tmp_path, {"None": 0.4, "LD": 0.9})
    change(tmp_path / "LD-0-0" / "result.json", ["parts", "dev", "map"], None)
    compared = compare([tmp_path])
    assert compared.measures == (ACCURACY,)
    assert compared.rows[0].scores["test"].missed is None
    assert "mAP" not in as_text(compared)
    assert measures_of(find_runs([tmp_path]).finished) == (ACCURACY,)


def test_accuracy_is_the_share_that_is_right_and_100_less_the_error_rate(runs, compared):
    for label in SKILLS:
        found = [rows_in(runs / f"{label}-{seed}-0", "test") for seed in range(SEEDS)]
        right = [r["reference"] == r["hypothesis"] for rows in found for r in rows]
        score = row(compared, label).scores["test"]
        assert score.shown(ACCURACY)[0].value == pytest.approx(np.mean(right))
        assert score.shown(ACCURACY)[0].value + score.wer.value == pytest.approx(1)


def test_map_is_the_mean_over_seeds_of_what_the_results_say(runs, compared):
    for label in SKILLS:
        told = [read_result(runs / f"{label}-{seed}-0").parts["test"].map for seed in range(SEEDS)]
        assert row(compared, label).scores["test"].shown(MAP)[0].value == pytest.approx(np.mean(told))


def test_map_over_folds_is_the_mean_of_that_of_each(tmp_path):
    study(tmp_path, {"None": 0.3}, folds=2)
    told = [result.parts["test"].map for result in find_runs([tmp_path]).finished]
    assert compare([tmp_path]).rows[0].scores["test"].shown(MAP)[0].value == pytest.approx(np.mean(told))


def test_map_is_resampled_and_judged_as_rates_are(runs, compared):
    """By the same function, of what the utterances of each speaker missed, each class counting alike."""
    found = {}
    for label in SKILLS:
        wrong, counted = np.zeros((SEEDS, 8)), np.zeros(8)
        for seed in range(SEEDS):
            rows = rows_in(runs / f"{label}-{seed}-0", "test")
            names = [r["reference"] for r in rows]
            for r in rows:
                w = 1 / (3 * names.count(r["reference"]))
                wrong[seed, SPEAKERS.index(r["speaker"])] += r["missed"] / len(rows)
                counted[SPEAKERS.index(r["speaker"])] += w / SEEDS
        found[label] = Runs(tuple(range(SEEDS)), wrong, counted)
    rates, minus = estimates(found, [("LB", "None"), ("LD", "None")])
    for label in SKILLS:
        score = row(compared, label).scores["test"]
        assert (score.missed.value, score.missed.low, score.missed.high) == pytest.approx(
            (rates[label].value, rates[label].low, rates[label].high)
        )
    for label in ("LB", "LD"):
        told, expected = row(compared, label).scores["test"].missed_difference, minus[label, "None"]
        assert (told.value, told.p, told.adjusted) == pytest.approx(
            (expected.value, expected.p, expected.adjusted)
        )


def test_a_measure_turns_values_intervals_and_signs_and_leaves_chances_and_verdicts():
    given = Difference(-0.05, -0.09, -0.02, 0.004, 0.008, 0.045, 0.06, BETTER, 0.99)
    told = ACCURACY.difference(given)
    assert (told.value, told.low, told.high) == (0.05, 0.02, 0.09)
    assert (told.p, told.adjusted, told.margin, told.verdict, told.better) == (
        0.004,
        0.008,
        0.045,
        BETTER,
        0.99,
    )
    assert ACCURACY.rate(Estimate(0.25, 0.125, 1.5)) == Estimate(0.75, 0.0, 0.875)
    assert ACCURACY.rate(Estimate(0.25)) == Estimate(0.75)
    assert WER.difference(given) is given
    assert WER.rate(Estimate(0.25, 0.1, 0.3)) == Estimate(0.25, 0.1, 0.3)
    assert f"{ACCURACY.difference(Difference(0.0)).value:+.2f}" == "+0.00"


@pytest.mark.parametrize("measure", [ACCURACY, MAP], ids=lambda measure: measure.name)
def test_the_better_policy_has_a_higher_value_a_plus_and_a_high_chance(compared, measure):
    assert row(compared, "LD").scores["test"].counted(measure)[1].verdict == BETTER
    header, *lines = scores(compared, compared.parts[0], None, ["P(<)", "CER"], measure)
    assert header == ["policy", f"{measure.name} [95 %]", "minus None [95 %]", "P(>)", "verdict"]
    told = {line[0]: line for line in lines}
    values = {label: float(line[1].split()[0]) for label, line in told.items()}
    assert values["LB"] < values["None"] < values["LD"]
    for label, sign, chance, verdict in (("LB", "-", "<.01", WORSE), ("LD", "+", ">.99", BETTER)):
        assert told[label][2].startswith(sign)
        assert float(told[label][2].split()[0]) == pytest.approx(values[label] - values["None"], abs=0.011)
        low, high = (float(end) for end in re.findall(r"[-+][\d.]+", told[label][2])[1:])
        assert low <= float(told[label][2].split()[0]) <= high
        if measure == ACCURACY:
            assert told[label][3] == chance
            assert told[label][4].startswith(verdict)


def test_the_highest_value_that_is_told_apart_is_bold_in_either_measure(compared):
    best = [row.label for row in compared.rows].index("LD")
    assert earned(compared) == {(best, 0), (best, 1)}
    assert as_markdown(compared).count("**") == 2 * (1 + 2)  # the title, and one cell in either table
    assert as_latex(compared).count(r"\textbf") == 2


def test_every_format_speaks_of_accuracy_and_map_and_of_no_words(compared):
    for form in (as_text, as_markdown, as_tsv, as_latex):
        told = form(compared)
        assert "accuracy and mean average precision" in told
        assert "mAP" in told
        assert "above 0 is better" in told
        for other in ("WER", "word error", "S/D/I", "fewer errors", "CER"):
            assert other not in told, form
    assert "test, accuracy: 88 utterances" in as_text(compared)
    assert "policy & accuracy & mAP" in as_latex(compared)
    assert r"\multicolumn{2}{c}{test}" in as_latex(compared)


def test_a_file_for_programs_has_the_columns_of_all_runs_and_those_of_classes_after_them(compared):
    table = list(csv.DictReader(io.StringIO(as_csv(compared))))
    assert list(table[0])[: len(COLUMNS.split())] == COLUMNS.split()
    (line,) = [line for line in table if (line["part"], line["policy"]) == ("test", "LD")]
    assert float(line["accuracy"]) == pytest.approx(100 - float(line["wer"]), abs=1e-3)
    assert float(line["accuracy_difference"]) == pytest.approx(-float(line["difference"]), abs=1e-3)
    assert float(line["accuracy_low"]) == pytest.approx(max(0, 100 - float(line["wer_high"])), abs=1e-3)
    assert (line["accuracy_verdict"], line["map_verdict"]) == (BETTER, BETTER)
    score = row(compared, "LD").scores["test"]
    assert float(line["map"]) == pytest.approx(100 * score.shown(MAP)[0].value, rel=1e-5)
    assert float(line["map_difference_high"]) == pytest.approx(-100 * score.missed_difference.low, rel=1e-5)


def test_groups_are_told_in_accuracy_as_well(tmp_path):
    runs = study(tmp_path, {"None": 0.4, "LD": 0.9})
    report = groups_table.Report.of(gathered([runs]), ["speaker"])
    told = groups_table.as_text(report)
    assert "accuracy by speaker, in percent" in told
    assert "accuracy [95 %]" in told
    assert "WER" not in told
    assert "fewer errors" not in told
    assert "mAP is not told by group" in told
    lines = [line.split() for line in told.splitlines() if line.startswith("(all)")]
    whole = compare([runs]).rows[0].scores["test"].shown(ACCURACY)[0]
    assert any(f"{100 * whole.value:.2f}" in line for line in lines)
    header, *values = list(csv.reader(io.StringIO(groups_table.as_csv(report))))
    for line in values:
        cells = dict(zip(header, line, strict=True))
        if cells["group"] != "(gap)":
            assert float(cells["accuracy"]) == pytest.approx(100 - float(cells["wer"]))


def test_pairs_are_told_in_accuracy_and_in_map(runs):
    found = paired(read_runs([runs]))
    told = plain_table.as_text(pairs_table.plain(found))
    assert "policies in pairs, points of accuracy and mAP" in told
    assert "P(>)" in told
    assert "WER" not in told
    assert "the accuracy or mAP of a policy minus that of the other" in " ".join(told.split())
    header, *rows = pairs_table.plain(found).table
    assert header[:4] == ["part", "measure", "policy", "minus"]
    assert [(row[0], row[1], row[2], row[3]) for row in rows] == [
        (p.part, p.measure.name, p.one, p.other) for p in found.pairs
    ]
    for row, pair in zip(rows, found.pairs, strict=True):
        assert row[header.index("difference")] == f"{-100 * pair.difference.value:+.2f}"


def test_a_pair_with_the_baseline_is_what_the_comparison_says_by_either_measure(runs, compared):
    found = paired(read_runs([runs]))
    mine = [pair for pair in found.pairs if pair.other == compared.baseline]
    assert {pair.measure for pair in mine} == {ACCURACY, MAP}
    for pair in mine:
        told = row(compared, pair.one).scores[pair.part].counted(pair.measure)[1]
        ours = pair.difference
        assert (ours.value, ours.low, ours.high, ours.p) == (told.value, told.low, told.high, told.p)


def test_pairs_are_corrected_by_each_measure_alone(runs):
    found = paired(read_runs([runs]))
    for measure in (ACCURACY, MAP):
        mine = {
            (p.one, p.other): p.difference for p in found.pairs if (p.part, p.measure) == ("test", measure)
        }
        expected = holm_by_hand({name: difference.p for name, difference in mine.items()})
        assert {name: difference.adjusted for name, difference in mine.items()} == pytest.approx(expected)
        assert found.family == len(mine)


def test_pairs_without_the_map_of_one_run_are_told_in_accuracy(tmp_path):
    study(tmp_path, {"None": 0.4, "LD": 0.9})
    change(tmp_path / "LD-0-0" / "result.json", ["parts", "dev", "map"], None)
    told = pairs_table.plain(paired(read_runs([tmp_path])))
    assert "measure" not in told.table[0]
    assert "points of accuracy" in told.headline
    assert "mAP" not in plain_table.as_text(told)


def test_the_page_has_both_tables_and_draws_what_is_better_to_the_right(compared):
    html = "".join(tables(compared))
    assert "test, accuracy" in html
    assert "test, mAP" in html
    for measure in (ACCURACY, MAP):
        figure = differences(compared, measure)
        assert figure.layout.xaxis.title.text == f"{measure.name} minus None's, points"
        drawn = {trace.text[0].split(":")[0]: trace for trace in figure.data}
        better, worse = drawn["test, LD"], drawn["test, LB"]
        assert worse.x[0] < 0 < better.x[0]
        assert better.marker.color != worse.marker.color
    assert shown_as(Band((1,), (0.25,), (0.125,), (0.5,)), ACCURACY) == Band((1,), (0.75,), (0.5,), (0.875,))
    assert shown_as(Band((1,), (0.25,), (0.125,), (0.5,)), WER).middle == (0.25,)


def test_runs_of_classes_and_of_transcripts_are_not_compared(tmp_path, capsys):
    write_run(tmp_path / "other", seed=9)
    run_of(tmp_path / "one", "None", 0, 0.4)
    assert cli.main(["compare", str(tmp_path)]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "text.classes is None; expected 'mood' as in" in said


def test_runs_of_other_classes_are_not_compared(tmp_path):
    run_of(tmp_path / "one", "None", 0, 0.4)
    run_of(tmp_path / "two", "None", 1, 0.4, classes="speaker")
    with pytest.raises(UserError, match=r"text\.classes is 'speaker'; expected 'mood'"):
        compare([tmp_path])


def test_runs_on_a_share_of_the_labels_are_a_system_of_their_own(tmp_path):
    run_of(tmp_path / "one", "None", 0, 0.4)
    run_of(tmp_path / "two", "None", 0, 0.2, labelled=0.1)
    assert {system.told for system in compare([tmp_path]).systems} == {"labelled=0.1", "labelled=1.0"}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (math.inf, r"missed of '0-00' is inf; expected a finite number"),
        (None, r"missed of '0-00' is None; expected a finite number"),
        ("high", r"missed of '0-00' is 'high'; expected a finite number"),
        (0.123, r"the mean average precision is 0\.\d+; result\.json says 0\.\d+"),
    ],
)
def test_a_share_that_cannot_be_is_refused(tmp_path, value, told):
    folder = run_of(tmp_path / "one", "None", 0, 0.4)
    rows = [json.loads(line) for line in (folder / "hypotheses.jsonl").read_text().splitlines()]
    rows[0]["missed"] = value
    (folder / "hypotheses.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with pytest.raises(UserError, match=f"hypotheses.jsonl: part dev: {told}"):
        read_utterances(read_result(folder))


def test_a_map_that_is_no_share_is_refused(tmp_path):
    folder = run_of(tmp_path / "one", "None", 0, 0.4)
    change(folder / "result.json", ["parts", "dev", "map"], 1.2)
    with pytest.raises(UserError, match=r"parts\.dev\.map is 1\.2; expected a share in \[0, 1\]"):
        read_result(folder)


def test_what_is_missed_is_no_group_of_utterances_where_there_are_classes_and_a_column_where_there_are_none(
    tmp_path,
):
    folder = run_of(tmp_path / "one", "None", 0, 0.4)
    assert "missed" not in read_utterances(read_result(folder))["test"].columns
    for part in ("dev", "test"):
        change(folder / "result.json", ["parts", part, "map"], None)
    found = read_utterances(read_result(folder))["test"]
    assert found.missed is None
    assert "missed" in found.columns
