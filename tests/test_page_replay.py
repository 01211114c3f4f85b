import json

import pytest
from pages import EPOCHS, finished, places

from specaug.augment.policy import NONE
from specaug.study.comparing.compare import compared
from specaug.study.comparing.reading import read_runs
from specaug.study.load import load
from specaug.study.page.curves import WER, read_curves
from specaug.study.page.hidden import expected, frames_of, hidden, rows
from specaug.study.page.replay import policy_at
from specaug.study.page.sounds import Voices, voices
from specaug.study.places import Places
from specaug.study.results import find_runs, read_result
from specaug.study.run import Run, execute
from specaug.training.strength import weakened


def run(tiny, tmp_path, strength):
    folder = finished(
        tiny,
        tmp_path,
        seeds=(1,),
        overrides=[f"policies=[None, {{name: LD, label: LD x 0.1, strength: {strength}}}]"],
    )
    (result,) = (r for r in find_runs([folder]).finished if r.label != "None")
    recipe = load(result.folder / "recipe.yaml").run()
    return recipe, result, recipe.policy.policy()


def test_a_policy_of_constant_strength_is_itself(tiny, tmp_path):
    recipe, result, policy = run(tiny, tmp_path, "{}")
    assert [policy_at(recipe, result)(epoch) for epoch in range(EPOCHS)] == [policy] * EPOCHS


def test_a_ramp_is_where_it_was_at_the_first_step_of_the_epoch(tiny, tmp_path):
    recipe, result, policy = run(tiny, tmp_path, "{start: 3, end: 9}")  # three steps an epoch
    at = policy_at(recipe, result)
    assert [at(epoch) for epoch in range(EPOCHS)] == [
        NONE,
        weakened(policy, 0.0),
        weakened(policy, 0.5),
        policy,
    ]


@pytest.mark.parametrize(
    ("start", "strengths"),
    [(0, [0, 0, 0.5, 0.5, 1]), (6, [0, 0, 0.5, 0.5, 1]), (7, [0, 0, 0, 0, 0.5])],
    ids=["from the first step", "from a pass over dev", "after a pass over dev"],
)
def test_a_closed_loop_hears_the_error_rates_before_the_epoch(tiny, tmp_path, start, strengths):
    recipe, result, policy = run(tiny, tmp_path, f"{{rise: 0.5, start: {start}}}")
    rates = read_curves(result.folder)[WER]
    assert sorted(rates) == [2, 4]
    assert rates[2] > rates[4]
    at = policy_at(recipe, result)
    assert [at(epoch) for epoch in range(5)] == [weakened(policy, float(share)) for share in strengths]


@pytest.mark.slow
def test_the_policies_replayed_are_those_that_training_had_in_force(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    overrides = ["policy={name: LD, strength: {rise: 0.25, start: 4}}", "training.schedule.s_f=18"]
    recipe = load(tiny / "experiments" / "tiny.yaml", overrides).run()
    result = read_result(execute(Run("tiny", recipe, Places.of(tiny, runs=tmp_path))))
    changes = json.loads((result.folder / "result.json").read_text())["in_force"]
    at = policy_at(recipe, result)
    steps = range(0, result.steps, result.steps // result.epochs)
    in_force = [[policy for since, policy in changes if since <= step][-1] for step in steps]
    assert [str(at(epoch)) for epoch in range(result.epochs)] == in_force
    assert in_force[:2] == ["nothing", "nothing"] != in_force[2:4]


@pytest.fixture
def comparison(tiny, tmp_path):
    folder = finished(tiny, tmp_path)
    found = read_runs([folder])
    return compared(found), [entry.results for entry in found.entries]


def test_what_was_expected_is_calculated_where_the_runs_do_not_say(tiny, tmp_path, comparison):
    compared, runs = comparison
    opened = voices([r for one in runs for r in one], places(tiny, tmp_path), lambda *_: None)
    none, masked = hidden(compared, ["a", "b"], runs, opened)
    recipe = load(runs[1][0].folder / "recipe.yaml").run()
    frames = [1 + int((u.duration - 0.025 + 1e-9) / 0.01) for u in opened.corpora[0].parts["train"]]
    exact = recipe.policy.policy().coverage(frames, 32)
    assert (none.expected.cells, masked.expected.frames) == (0.0, pytest.approx(exact.frames, rel=0.02))
    assert masked.expected.cells == pytest.approx(exact.cells, rel=0.02)
    assert rows([masked])[1][:3] == ["b", "25.0", f"{100 * masked.expected.cells:.1f}"]


@pytest.mark.parametrize("told", [True, False], ids=["an older result says it", "nothing is said"])
def test_nothing_is_expected_where_the_strength_changes(tiny, tmp_path, told):
    _, result, _ = run(tiny, tmp_path, "{start: 3}")
    if told:
        result = tell(result.folder)
    opened = voices([result], places(tiny, tmp_path), lambda *_: None)
    assert expected(result, {0: frames_of(opened, 0)}) is None


def tell(folder):
    file = folder / "result.json"
    told = '"expected": {"cells": 0.5, "frames": 0.25, "channels": 0.125}, "run"'
    file.write_text(file.read_text().replace('"run"', told, 1))
    return read_result(folder)


def test_what_the_runs_say_comes_first(comparison):
    compared, runs = comparison
    runs = [runs[0], [tell(one.folder) for one in runs[1]]]
    none, masked = hidden(compared, ["a", "<b>"], runs, Voices({}, {}))
    assert none.expected is None
    assert (masked.expected.cells, masked.expected.frames, masked.expected.channels) == (0.5, 0.25, 0.125)
    assert rows([none, masked])[1:] == [
        ["a", "25.0", "-", "12.5", "-", "50.0", "-"],
        ["&lt;b&gt;", "25.0", "50.0", "12.5", "25.0", "50.0", "12.5"],
    ]
