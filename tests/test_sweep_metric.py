"""What a sweep minimises, and that it is told as comparisons tell it: of classes what is right."""

import json
import re
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from classifying import NETWORK, run_of, with_classes
from classifying import study as runs_of_classes
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState, create_trial
from searched import SPACE, plan_of, searched
from test_results import change

from specaug import cli
from specaug.errors import UserError
from specaug.speech.options import Text
from specaug.study.comparing.compare import compare
from specaug.study.places import Places
from specaug.study.recipe import Recipe
from specaug.study.results import read_result
from specaug.study.run import Run
from specaug.study.stats.statistics import Estimate
from specaug.study.sweep import push
from specaug.study.sweep.book import Plan, listing, load_plan
from specaug.study.sweep.diagnosis import said
from specaug.study.sweep.figures import history
from specaug.study.sweep.findings import Findings, drawn, findings
from specaug.study.sweep.metric import MEASURED, METRICS, check_metric, metric_of
from specaug.study.sweep.objective import POLICY, RUNS, early, facts, pooled
from specaug.study.sweep.outcome import Winner, named, outcome, winner
from specaug.study.sweep.page import page
from specaug.study.sweep.progress import Standing, standing
from specaug.study.sweep.scores import Score, scores
from specaug.training.callbacks import Progress

MAP, ACCURACY, WER = (MEASURED[name] for name in ("map", "accuracy", "wer"))
SWEEP = """experiment: ../experiments/tiny.yaml
space: {W: {low: 0, high: 8}}
trials: 2
first: [None]
sampler: random
confirm: {top: 1, seeds: [5, 6, 7], policies: [None]}
"""


@pytest.mark.parametrize(("classes", "known"), [(None, {"wer", "cer"}), ("mood", {"accuracy", "map", "wer"})])
def test_classes_have_accuracy_and_map_and_transcripts_two_error_rates(classes, known):
    for name in METRICS:
        if name in known:
            check_metric(name, classes)
        else:
            with pytest.raises(ValueError, match=f"metric is {name}, and the experiment is of .*; expected"):
                check_metric(name, classes)


def test_the_word_error_rate_of_classes_is_told_as_accuracy():
    assert metric_of("wer", "mood") == metric_of("accuracy", "mood") == ACCURACY
    assert ACCURACY.counts == WER.counts == "wer"
    assert [metric_of(name, None).name for name in ("wer", "cer")] == ["WER", "CER"]
    assert metric_of("map", "mood").name == "mAP"


@pytest.mark.parametrize(
    ("metric", "classes", "told"),
    [
        (
            "map",
            "null",
            "metric is map, and the experiment is of transcripts (without text.classes); expected wer",
        ),
        ("accuracy", "null", "metric is accuracy, and the experiment is of transcripts"),
        (
            "cer",
            "mood",
            "metric is cer, and the experiment is of classes (mood); expected accuracy or map or wer",
        ),
    ],
)
def test_a_metric_that_says_nothing_is_one_line_before_anything_runs(
    laboratory, capsys, metric, classes, told
):
    (laboratory / "sweeps").mkdir()
    path = laboratory / "sweeps" / "s.yaml"
    path.write_text(SWEEP)
    assert cli.main(["sweep", str(path), f"metric={metric}", f"overrides=[text.classes={classes}]"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert not (laboratory / "runs").exists()
    with pytest.raises(UserError, match=r"s\.yaml: metric is"):
        load_plan(path, [f"metric={metric}", f"overrides=[text.classes={classes}]"])


def remembered(folder: Path, metric: str, *given: tuple[int, float, int]) -> list[dict[str, object]]:
    """What a study remembers of runs of these seeds, skills and folds."""
    found = []
    for seed, skill, fold in given:
        there = run_of(folder / f"{seed}-{fold}", "LD", seed, skill, fold)
        rows = ["epoch,dev/wer,dev/cer,dev/map", "1,0.5,0.5,0.75", "2,0.5,0.5,", "3,0.25,0.5,0.875"]
        (there / "curves.csv").write_text("\n".join(rows) + "\n")
        found.append(facts(Run("s", Recipe(), Places.of(folder)), there, "dev", MEASURED[metric]))
    return found


def test_what_is_minimised_is_what_the_mean_map_over_runs_and_folds_lacks(tmp_path):
    told = remembered(tmp_path, "map", (0, 0.3, 0), (0, 0.9, 1), (1, 0.4, 0), (1, 0.5, 1))
    results = [read_result(folder) for folder in sorted(tmp_path.iterdir())]
    assert len({result.parts["dev"].map for result in results}) == 4
    assert pooled(told, MAP) == pytest.approx(1 - fmean(r.parts["dev"].map for r in results))
    right = sum(r.parts["dev"].wer.errors for r in results) / sum(r.parts["dev"].wer.total for r in results)
    assert pooled(told, ACCURACY) == pooled(told, WER) == pytest.approx(right)
    assert [one["curve"] for one in told] == [[[1, 0.25], [3, 0.125]]] * 4


def test_the_curve_is_of_what_is_minimised(tmp_path):
    (told,) = remembered(tmp_path, "accuracy", (0, 0.5, 0))
    assert told["curve"] == [[1, 0.5], [2, 0.5], [3, 0.25]]


def test_a_run_of_transcripts_remembers_no_map(tmp_path):
    folder = run_of(tmp_path / "run", "LD", 0, 0.5)
    result = json.loads((folder / "result.json").read_text())
    for told in result["parts"].values():
        del told["map"]
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "curves.csv").write_text("epoch,dev/wer\n1,0.5\n")
    assert "map" not in facts(Run("s", Recipe(), Places.of(tmp_path)), folder, "dev", WER)


def test_a_run_whose_loss_on_dev_is_infinite_counts_as_any_other(tmp_path):
    told = []
    for name, loss in (("finite", 1.5), ("infinite", None)):
        folder = run_of(tmp_path / name, "LD", 0, 0.5)
        change(folder / "result.json", ("parts", "dev", "loss"), loss)
        (folder / "curves.csv").write_text("epoch,dev/wer\n1,0.5\n")
        told.append(facts(Run("s", Recipe(), Places.of(tmp_path)), folder, "dev", WER))
    assert told[0] == told[1]


def test_what_may_end_a_trial_early_is_what_is_minimised():
    at = Progress(1, 2, 1, 2, 0.5, 0.25, classes=True, map=0.875)
    assert (early(at, MAP), early(at, ACCURACY), early(at, WER)) == (0.125, 0.25, 0.25)
    assert early(replace(at, map=None), MAP) is None


def trial(number: int, value: float, policy: str, runs: list[tuple[int, float]]) -> FrozenTrial:
    told = [
        {"seed": seed, "fold": 0, "map": [wrong, 1], "wer": [100 * wrong, 100], "masked": 0.2}
        for seed, wrong in runs
    ]
    made = create_trial(state=TrialState.COMPLETE, value=value, user_attrs={POLICY: policy, RUNS: told})
    made.number = number
    return made


RATES = st.lists(st.integers(0, 100).map(lambda n: n / 100), min_size=1, max_size=6)


@given(RATES)
def test_a_score_of_what_is_right_is_that_of_the_errors_turned_round(rates):
    one = trial(0, fmean(rates), "a", list(enumerate(rates)))
    right, wrong = Score("a", MAP, [one]), Score("a", WER, [one])
    assert float(re.match(r"mAP (\S+) %", right.said())[1]) == pytest.approx(
        100 - 100 * wrong.value, abs=0.006
    )
    ends = [sorted(map(float, re.findall(r"-?\d+\.\d", score.spread()))) for score in (right, wrong)]
    assert ends[0] == pytest.approx([100 - end for end in reversed(ends[1])], abs=0.11) or max(ends[1]) > 100


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=8, unique=True))
def test_the_best_is_the_highest(thousandths):
    found = scores([trial(n, one / 1000, f"p{n}", []) for n, one in enumerate(thousandths)], MAP)
    told = [float(score.said().split()[1]) for score in found]
    assert told == sorted(told, reverse=True)


def of_classes(metric: str, trials: int = 16) -> Plan:
    return plan_of(trials, synthetic=False, classes="mood", metric=metric)


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> tuple[Findings, Findings]:
    """The same trials, told as mAP and as WER."""
    two = {symbol: SPACE[symbol] for symbol in ("W", "m_F")}
    plans = [
        plan_of(16, False, classes, metric=name, space=two)
        for name, classes in (("map", "mood"), ("wer", None))
    ]
    found = [findings(searched(tmp_path_factory.mktemp("study"), plan), plan) for plan in plans]
    return found[0], found[1]


def test_a_study_knows_in_what_it_is_told(pair, tmp_path):
    assert [one.metric for one in pair] == [MAP, WER]
    plan = listing("a", Recipe(text=Text(classes="mood")))
    assert standing(searched(tmp_path, replace(of_classes("accuracy", 1), name="b"))).metric == ACCURACY
    study = searched(tmp_path, replace(of_classes("wer", 1), name="c"))
    assert standing(study).metric == ACCURACY
    study.set_user_attr("sweep", None)
    study.set_user_attr("experiment", plan.told["experiment"])
    assert standing(study).metric == ACCURACY
    study.set_user_attr("experiment", {})
    assert standing(study).metric == WER


def test_figures_of_what_is_right_are_those_of_the_errors_upside_down(pair):
    right, wrong = (drawn(one) for one in pair)
    assert set(right) == set(wrong)
    for one, other in zip(right["history"].data, wrong["history"].data, strict=True):
        assert list(one.y) == pytest.approx([100 - y for y in other.y])
    low, high = right["history"].layout.yaxis.range
    assert low < min(right["history"].data[1].y) < max(right["history"].data[1].y) < high
    assert right["history"].layout.yaxis.title.text == "mAP on dev, %"
    assert all("mAP" in text for text in right["history"].data[1].text)
    for one, other in zip(*(found.curves for found in pair), strict=True):
        assert one.mean == pytest.approx(100 - other.mean, abs=0.3)
        assert np.all(one.low <= one.mean)
    assert pair[0].important[0].symbol == pair[1].important[0].symbol == "m_F"


def test_the_line_of_the_best_so_far_never_falls(pair):
    best = list(history(pair[0].now.finished, {}, MAP).data[0].y)
    assert best == sorted(best)
    assert best[-1] == 100 - 100 * min(trial.value for trial in pair[0].now.finished)


def test_a_page_of_classes_says_nothing_of_errors(pair):
    right, wrong = (page(one, None, []) for one in pair)
    body = right[right.index("<body>") : right.index("Would pruning")]
    assert "WER" not in body
    assert "<th>maximised</th><td>mAP on dev, mean over seeds 0</td>" in body
    assert "<h2>mAP by each value</h2>" in body
    assert f"<td>{100 - 100 * pair[0].now.scores[0].value:.2f}</td>" in body
    assert "<th>minimised</th><td>WER on dev, pooled over seeds 0</td>" in wrong


def test_whether_pruning_is_safe_is_asked_of_what_is_minimised(pair):
    assert "the mAP on dev orders the trials" in said(pair[0].now.finished, MAP)[0]
    assert "the error rate on dev orders the trials" in said(pair[1].now.finished, WER)[0]
    assert said([], MAP) == [
        "pruning: nothing can be said of fewer than 8 trials whose mAP is measured more than once"
    ]


def test_what_is_pushed_is_what_is_right(tmp_path):
    plan = of_classes("map", 3)
    study = searched(tmp_path, plan)
    values = [row[2] for row in push.rows(study)]
    assert values == sorted(values, reverse=True)
    assert values == pytest.approx([100 - 100 * t.value for t in standing(study).finished], abs=0.006)
    assert push.note(study, []).startswith("Best trials on dev, by mAP")


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory) -> Path:
    return runs_of_classes(tmp_path_factory.mktemp("runs"), {"None": 0.3, "LD": 0.6, "a": 0.5})


@pytest.mark.parametrize("metric", ["map", "accuracy", "wer"])
def test_the_winner_has_the_highest_of_what_is_right(confirmed, tmp_path, metric):
    plan, compared = of_classes(metric, 3), compare([confirmed])
    study = searched(tmp_path, plan)
    measured = standing(study).metric
    shown = {row.label: row.scores["dev"].shown(measured.measure)[0] for row in compared.rows}
    best = max(shown, key=lambda label: shown[label].value)
    told = outcome(study, plan, [confirmed])
    rate = shown[best]
    interval = f"[{100 * rate.low:.2f}, {100 * rate.high:.2f}]"
    name = "mAP" if metric == "map" else "accuracy"
    assert (
        f"winner, by the confirm runs on dev alone: {best}, {name} {100 * rate.value:.2f} % {interval}"
        in told
    )
    row = next(row for row in compare([confirmed], "None").rows if row.label == best)
    difference = row.scores["test"].shown(measured.measure)[1]
    assert difference.value > 0
    assert f"against None on test: {100 * difference.value:+.1f} [" in told
    assert f"  1. {name} " in told


def test_a_winner_by_map_need_not_be_one_by_accuracy(confirmed):
    compared, plan = compare([confirmed]), of_classes("map", 3)
    other = next(row for row in compared.rows if row.label == "None")
    lucky = replace(other.scores["dev"], missed=Estimate(0.0001))
    rows = [replace(row, scores={"dev": lucky}) if row is other else row for row in compared.rows]
    found = replace(compared, rows=rows)
    assert winner(Standing([], MAP), plan, found).label == "None"
    assert winner(Standing([], ACCURACY), plan, found).label == "LD"


@pytest.mark.parametrize(
    ("seen", "told"),
    [(0.15, "saw 85.00 %: too good by 5.00 points"), (0.21, "saw 79.00 %: not too good, 1.00 points below")],
)
def test_the_bias_of_the_search_is_said_in_what_is_right(confirmed, seen, told):
    won = Winner("LD", Estimate(0.2, 0.1, 0.4), seen, [], MAP)
    text = named(won, compare([confirmed]), [confirmed])
    assert told in text
    assert "LD, mAP 80.00 % [60.00, 90.00]" in text


@pytest.mark.slow
def test_a_sweep_of_classes_searches_confirms_and_tells_map(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    lab = with_classes(tmp_path / "laboratory")
    (lab / "sweeps").mkdir()
    path = lab / "sweeps" / "s.yaml"
    path.write_text(SWEEP + f"metric: map\noverrides: ['{NETWORK}', text.classes=mood]\n")
    assert cli.main(["sweep", str(path)]) == 0
    told = capsys.readouterr().out
    assert re.search(r"the best on dev:\n  1\. mAP \d+\.\d\d %", told)
    assert re.search(r"winner, by the confirm runs on dev alone: \S+.*, mAP \d", told)
    assert cli.main(["sweep", "status", "s", "--laboratory", str(lab)]) == 0
    assert "  1. mAP " in capsys.readouterr().out
    results = [read_result(folder.parent) for folder in (lab / "runs" / "s").glob("*/result.json")]
    values = {f"{1 - result.parts['dev'].map:.6f}" for result in results}
    assert cli.main(["sweep", "status", "s", "--laboratory", str(lab), "--format", "tsv"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()[1:]]
    assert {row[2] for row in rows} == values
