"""Sweeps over what a pretraining hides."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from conftest import lay_out
from searched import searched
from test_pretrained_runs import with_recipes
from test_sweep import laid, rows, specaug

from specaug.errors import UserError
from specaug.study.choice import PolicyChoice
from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.recipe import Recipe
from specaug.study.run import Run
from specaug.study.sweep.book import Plan, load_plan, queued
from specaug.study.sweep.findings import drawn, findings
from specaug.study.sweep.objective import Search, Watch, labelled
from specaug.study.sweep.options import Axis, Confirm, Sweep
from specaug.study.sweep.page import head
from specaug.study.sweep.pretext import extremes, own_point, pretrained_at, values_there
from specaug.study.sweep.response import Coder
from specaug.study.sweep.space import first_point, policy_at, suggested
from specaug.study.sweep.worker import AT, Attempt
from specaug.training.callbacks import Progress

SWEEP = """experiment: ../experiments/begun.yaml
space:
  hidden.share: {choices: [0.3, 0.6, 0.8]}
trials: 3
seeds: [0]
first: [None]
sampler: qmc
confirm: {top: 0}
"""
SPACE = {
    "hidden.share": Axis(low=0.2, high=0.9),
    "hidden.c_high": Axis(low=2, high=5),
    "m_F": Axis(low=0, high=2),
    "F": Axis(low=3, high=27, step=3, when="m_F > 0"),
}
NO_CONFIRM = Confirm(top=0)


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Path:
    return with_recipes(lay_out(tmp_path_factory.mktemp("hidden") / "laboratory"))


@pytest.fixture(scope="module")
def recipe(lab) -> Recipe:
    return load(lab / "experiments" / "begun.yaml")


def sweep(**changes: Any) -> Sweep:
    return Sweep(**{"experiment": "e.yaml", "space": SPACE, "confirm": NO_CONFIRM, **changes})


def hidden(recipe: Recipe) -> Mapping[str, Any]:
    assert recipe.network.pretraining is not None
    told: Mapping[str, Any] = recipe.network.pretraining.content["hidden"]
    return told


def test_the_pretraining_at_a_point_has_its_values_and_the_experiment_stays_as_it_is(recipe):
    before = dict(hidden(recipe))
    there = pretrained_at(recipe, {"hidden.share": 0.3, "hidden.c_high": 5, "m_F": 2})
    assert hidden(there) == {"share": 0.3, "number": None, "c_low": 2, "c_high": 5}
    assert hidden(recipe) == before == {"share": 0.6, "number": None, "c_low": 2, "c_high": 3}
    assert replace(there, network=recipe.network) == recipe


def test_a_number_that_is_searched_stands_instead_of_the_share_and_the_other_way_round(recipe):
    there = pretrained_at(recipe, {"hidden.number": 4})
    assert hidden(there) == {"share": None, "number": 4, "c_low": 2, "c_high": 3}
    assert hidden(pretrained_at(there, {"hidden.share": 0.6})) == hidden(recipe)


def test_an_argument_of_the_objective_may_be_searched(recipe):
    there = pretrained_at(recipe, {"objective.arguments.weight": 0.5})
    assert there.network.pretraining.content["objective"]["arguments"] == {"weight": 0.5}


def test_a_point_of_the_policy_alone_leaves_the_experiment_as_it_is(recipe):
    assert pretrained_at(recipe, {"m_F": 2}) is recipe
    assert pretrained_at(Recipe(), {"m_F": 2}) == Recipe()


def test_the_policy_at_a_point_knows_nothing_of_what_is_hidden():
    point = {"hidden.share": 0.3, "hidden.c_high": 2, "m_F": 1, "F": 9}
    assert policy_at(sweep(), point, (), 80) == PolicyChoice(m_F=1, F=9)


def test_a_width_may_follow_beside_what_is_hidden():
    both = sweep(
        space={"hidden.share": SPACE["hidden.share"], "m_F": Axis(low=1, high=2), "F": Axis(hides=0.1)}
    )
    given = {"hidden.share": 0.3, "m_F": 1}
    found, alone = (
        policy_at(one, given, (300,), 80)
        for one in (both, sweep(space={"m_F": Axis(low=1, high=2), "F": Axis(hides=0.1)}))
    )
    assert found == alone


@pytest.mark.parametrize(
    ("share", "known"), [(0.3, {"hidden.share", "hidden.c_high"}), (0.7, {"hidden.share"})]
)
def test_conditions_hold_for_what_is_hidden(share, known):
    space = {
        "hidden.share": SPACE["hidden.share"],
        "hidden.c_high": Axis(low=2, high=5, when="hidden.share < 0.5"),
    }
    values = {"hidden.share": share, "hidden.c_high": 4}
    assert set(suggested(sweep(space=space), lambda symbol, _: values[symbol])) == known


def test_a_condition_on_what_does_not_vary_itself_fails():
    space = {
        "m_F": Axis(low=0, high=2),
        "hidden.c_high": Axis(low=2, high=5, when="m_F > 0"),
        "F": Axis(low=3, high=27, when="hidden.c_high >= 2"),
    }
    values = {"m_F": 0, "hidden.c_high": 4, "F": 3}
    assert suggested(sweep(space=space), lambda symbol, _: values[symbol]) == {"m_F": 0}


def test_first_comes_the_experiments_own_hiding_where_it_lies_in_the_space(recipe):
    known = (PolicyChoice(name="None"), PolicyChoice(name="LB"))
    points, left = queued(Plan("s", recipe, sweep(first=known, trials=3)))
    assert points == [{"m_F": 0, "hidden.share": 0.6, "hidden.c_high": 3}, {}, {}]
    assert left == ["LB x 0.1 lies outside the space and is not tried: W is 8 and not searched"]
    outside = sweep(space={**SPACE, "hidden.share": Axis(low=0.7, high=0.9)})
    assert first_point(outside, recipe, known[0]) == {"m_F": 0, "hidden.c_high": 3}
    later = sweep(space={**SPACE, "hidden.c_high": Axis(low=2, high=5, when="hidden.share > 0.7")})
    assert own_point(recipe, later, {}) == {"hidden.share": 0.6}


def test_a_trial_is_called_by_all_that_is_searched(recipe, lab, tmp_path):
    search = Search(Plan("s", recipe, sweep()), sweep(), Places.of(lab, None, tmp_path))
    point = {"hidden.share": 0.31249, "hidden.c_high": 4, "m_F": 1, "F": 9}
    assert search.policy(point).label == "hidden.share=0.3125 hidden.c_high=4 m_F=1 F=9"
    assert (
        search.policy({"hidden.share": 0.5, "m_F": 0}).label == "hidden.share=0.5 hidden.c_high=3 m_F=0 F=0"
    )
    assert labelled(PolicyChoice(), {"hidden.share": 0}, {"hidden.share": 0.5}).label == "hidden.share=0.5"


def test_a_trial_says_that_it_is_at_its_pretraining_which_is_no_share_of_it(recipe, lab, tmp_path):
    study = optuna.create_study()
    trial = study.ask()
    attempt = Attempt(study, trial)
    attempt.told = -60.0
    run = Run("s", recipe.run(), Places.of(lab, None, tmp_path))
    Watch(trial, attempt, run, 1, 2)(Progress(5, 10, 1, 2, 0.5, None, stage="pretraining"))
    assert study.trials[0].user_attrs[AT] == ["None, seed 0: pretraining, epoch 1 of 2", 0.5]


def test_what_the_experiment_does_not_say_has_no_value(recipe):
    both = sweep(
        space={"hidden.number": Axis(low=1, high=3), "objective.arguments.weight": Axis(low=0.1, high=1.0)}
    )
    assert values_there(recipe, both) == {}
    assert values_there(Recipe(), both) == {}


def test_every_corner_of_what_is_hidden_is_looked_at(recipe):
    found = extremes(recipe, sweep())
    assert list(found) == [
        f"hidden.share={share} hidden.c_high={side}" for share in (0.2, 0.9) for side in (2, 5)
    ]
    assert [hidden(one)["c_high"] for one in found.values()] == [2, 5, 2, 5]
    assert extremes(Recipe(), sweep(space={"m_F": SPACE["m_F"]})) == {"": Recipe()}


@pytest.mark.slow
def test_importance_curves_and_page_have_what_is_hidden(recipe, tmp_path):
    space = {"hidden.share": SPACE["hidden.share"], "m_F": SPACE["m_F"], "F": SPACE["F"]}
    plan = Plan("hidden", recipe, sweep(space=space, sampler="random", trials=16, first=(PolicyChoice(),)))
    study = searched(tmp_path, plan, lambda point: 0.4 - 0.2 * point["hidden.share"], noise=0.001)
    found = findings(study, plan)
    assert found.important[0].symbol == "hidden.share"
    assert found.important[0].seen
    assert [curve.symbol for curve in found.curves] == ["hidden.share", "m_F", "F"]
    assert "response to hidden.share" in drawn(found)
    assert "0.2 to 0.9" in "".join(head(found, None))
    assert found.first == {0: "None"}
    assert found.now.scores[0].policy.startswith("hidden.share=0.")
    assert Coder.of(plan.sweep).rows([{"hidden.share": 0.9, "m_F": 0}])[0][0] == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"experiment: ../experiments/begun": "experiment: ../experiments/tiny"},
            "space has hidden.share, and the experiment no network.pretraining; expected one",
            id="no pretraining",
        ),
        pytest.param(
            {"top: 0": "top: 1"},
            "confirm.top is 1; expected 0 where the space has hidden.share",
            id="confirm",
        ),
        pytest.param(
            {"0.8]": "1.0]"},
            "space, at hidden.share=1.0: network.pretraining: hidden: share is 1.0; expected more than 0",
            id="all",
        ),
        pytest.param(
            {"0.3,": "0.0,"}, "at hidden.share=0.0: network.pretraining: hidden: share is 0.0", id="none"
        ),
        pytest.param(
            {"share: {choices: [0.3, 0.6, 0.8]}": "number: {low: 0, high: 3}"},
            "at hidden.number=0: network.pretraining: hidden: number is 0; expected 1 patch or more",
            id="number",
        ),
        pytest.param(
            {"share: {choices: [0.3, 0.6, 0.8]}": "number: {low: 1.5, high: 3}"},
            "space.hidden.number.low is 1.5; expected a whole number",
            id="half a patch",
        ),
        pytest.param(
            {"trials: 3": "  hidden.c_low: {low: 1, high: 4}\ntrials: 3"},
            "at hidden.share=0.3 hidden.c_low=4: network.pretraining: hidden: c_low is 4, c_high 3",
            id="clusters",
        ),
        pytest.param(
            {"trials: 3": "  hidden.number: {low: 1, high: 4}\ntrials: 3"},
            "space has hidden.share and hidden.number; expected one of the two",
            id="both",
        ),
        pytest.param(
            {"hidden.share": "hidden.shar"},
            "space: unknown field 'hidden.shar'; did you mean 'hidden.share'?",
            id="symbol",
        ),
        pytest.param(
            {"hidden.share": "objective.arguments."},
            "space: unknown field 'objective.arguments.'",
            id="argument",
        ),
        pytest.param(
            {"choices: [0.3, 0.6, 0.8]": "hides: 0.3"},
            "space is empty; expected a range or choices",
            id="hides",
        ),
    ],
)
def test_a_mistake_is_told_as_the_sweep_is_read(laboratory, changes, message):
    with_recipes(laboratory)
    text = SWEEP
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(UserError) as caught:
        load_plan(Path(laid(laboratory, text)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_hides_nothing_of_an_utterance_is_told_before_anything_is_trained(laboratory):
    with_recipes(laboratory)
    path = laid(laboratory, SWEEP.replace("0.3, ", "0.001, "))
    told = specaug("sweep", path, "--workers", "1")
    assert told.status == 2
    assert "share 0.001 hides 0; expected 1 at least, and not all" in told.errors
    assert not list((laboratory / "runs").glob("*/*/recipe.yaml"))
    assert not list((laboratory / "runs").glob("pretraining/*"))


@pytest.mark.slow
def test_a_sweep_over_the_share_makes_a_pretraining_for_each_trial_and_says_the_best(laboratory):
    with_recipes(laboratory)
    recipe = laid(laboratory, SWEEP.replace("{choices: [0.3, 0.6, 0.8]}", "{low: 0.3, high: 0.8}"))
    swept = specaug("sweep", recipe, "--workers", "2")
    assert swept.status == 0, swept.errors
    assert "3 of 3 trials finished; the best on dev:" in swept.table
    table = rows(laboratory)
    assert [row[1] for row in table] == ["complete"] * 3
    assert table[0][4] == "hidden.share=0.6"
    runs = [json.loads(path.read_text()) for path in (laboratory / "runs" / "s").glob("*/result.json")]
    made = {
        one["run"]: one["hidden"]["share"]
        for one in map(
            json.loads, [p.read_text() for p in laboratory.glob("runs/pretraining/tiny/*/result.json")]
        )
    }
    assert len(runs) == 3
    for run in runs:
        share = made.pop(run["network"]["pretraining"]["run"])
        assert run["policy"]["label"] == f"hidden.share={float(f'{share:.4g}')}" in {row[4] for row in table}
        assert run["policy"]["name"] == "None"
    assert not made
    assert not [path for path in laboratory.glob("runs/**/*.s-try-*") if path.is_dir()]
    assert specaug("sweep", recipe, "--workers", "1").table == swept.table
    assert specaug("sweep", "report", "s", "--laboratory", str(laboratory)).status == 0
