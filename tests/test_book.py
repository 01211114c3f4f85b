from dataclasses import replace

import optuna
import pytest
from optuna.pruners import HyperbandPruner, NopPruner

from specaug.errors import UserError
from specaug.study.choice import PolicyChoice
from specaug.study.recipe import Recipe
from specaug.study.sweep.book import EXPERIMENT, SWEEP, Plan, differences, listing, opened, remembered
from specaug.study.sweep.options import Axis, Confirm, Sweep
from specaug.study.sweep.slots import STOP, slots
from specaug.study.sweep.storage import open_storage

PLAN = Plan("widths", Recipe(), Sweep(experiment="e.yaml", space={"W": Axis(low=0, high=80)}, trials=7))


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path / 'study.db'}"


def made(plan: Plan, url: str) -> tuple[optuna.Study, list[str]]:
    return opened(plan, open_storage(url), url)


def test_a_study_remembers_its_plan(url):
    made(PLAN, url)
    _, plan = remembered("widths", open_storage(url), url)
    assert plan == PLAN


@pytest.mark.parametrize(("name", "kind"), [("none", NopPruner), ("hyperband", HyperbandPruner)])
def test_nothing_is_pruned_unless_asked_for(url, name, kind):
    plan = replace(PLAN, sweep=replace(PLAN.sweep, pruner=name))
    storage = open_storage(url)
    assert isinstance(opened(plan, storage, url)[0].pruner, kind)
    assert isinstance(remembered(PLAN.name, storage, url)[0].pruner, kind)


def test_a_study_that_is_taken_up_again_gets_no_new_slots_and_goes_on(url):
    study, _ = made(PLAN, url)
    study.set_user_attr(STOP, True)
    again, _ = made(PLAN, url)
    assert len(slots(again)) == 7
    assert not again.user_attrs[STOP]


def test_a_study_can_have_more_trials_than_it_had(url):
    made(PLAN, url)
    more = replace(PLAN, sweep=replace(PLAN.sweep, trials=9))
    study, _ = made(more, url)
    assert len(slots(study)) == 9
    assert study.user_attrs[SWEEP]["trials"] == 9


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        (replace(PLAN, sweep=replace(PLAN.sweep, trials=6)), r"trials was 7 and is 6"),
        (
            replace(PLAN, sweep=replace(PLAN.sweep, space={"W": Axis(low=0, high=40)}, trials=9)),
            r"sweep\.space\.W\.high was 80 and is 40",
        ),
        (replace(PLAN, sweep=replace(PLAN.sweep, seed=1)), r"sweep\.seed was 0 and is 1"),
        (replace(PLAN, sweep=replace(PLAN.sweep, seeds=(1,))), r"sweep\.seeds was \[0\] and is \[1\]"),
        (replace(PLAN, recipe=Recipe(scale=0.5)), r"experiment\.scale was 1\.0 and is 0\.5"),
    ],
)
def test_a_study_whose_recipe_has_changed_is_refused_with_what_differs(url, changed, what):
    made(PLAN, url)
    with pytest.raises(
        UserError, match=rf"^study widths at sqlite:.* searches something else: .*{what}.*--study"
    ):
        made(changed, url)
    assert len(slots(made(PLAN, url)[0])) == 7


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(replace(PLAN, recipe=Recipe(caption="What it shows.")), id="caption"),
        pytest.param(replace(PLAN, recipe=Recipe(seed=3, seeds=(7, 8))), id="seeds"),
        pytest.param(
            replace(
                PLAN, recipe=Recipe(policy=PolicyChoice(name="LD"), policies=(PolicyChoice(F=3, m_F=1),))
            ),
            id="policies",
        ),
        pytest.param(replace(PLAN, sweep=replace(PLAN.sweep, confirm=Confirm(top=1))), id="confirm"),
        pytest.param(
            replace(PLAN, sweep=replace(PLAN.sweep, confirm=Confirm(top=1), trials=9)),
            id="confirm and trials",
        ),
        pytest.param(
            replace(PLAN, sweep=replace(PLAN.sweep, experiment="f.yaml", overrides=("scale=1.0",))),
            id="the same experiment by other words",
        ),
    ],
)
def test_what_no_trial_depends_on_may_change_and_is_remembered(url, changed):
    made(PLAN, url)
    study, _ = made(changed, url)
    assert study.user_attrs[SWEEP] == changed.told[SWEEP]
    assert study.user_attrs[EXPERIMENT] == changed.told[EXPERIMENT]
    assert len(slots(study)) == changed.trials
    assert remembered("widths", open_storage(url), url)[1] == changed


def test_a_listing_depends_on_all_that_its_experiment_says(url):
    plan = listing("e", Recipe(seeds=(0, 1)))
    made(plan, url)
    with pytest.raises(UserError, match=r"searches something else: experiment\.seeds was \[0, 1\]"):
        made(replace(plan, recipe=Recipe(seeds=(0, 2))), url)


def test_what_a_pruner_risks_is_said_when_its_study_is_opened(url):
    _, said = made(replace(PLAN, sweep=replace(PLAN.sweep, pruner="hyperband", first=())), url)
    assert [line.split(" ends")[0] for line in said] == ["warning: pruner hyperband"]


def test_first_policies_outside_the_space_are_named(url):
    _, left = made(PLAN, url)
    assert [line.split(":")[0] for line in left] == [
        f"{name} lies outside the space and is not tried" for name in ("LB", "LD", "SM", "SS")
    ]


def test_an_unknown_study_is_refused_with_the_nearest(url):
    made(PLAN, url)
    with pytest.raises(UserError, match=r"no study 'width' at sqlite:.*did you mean 'widths'"):
        remembered("width", open_storage(url), url)


def test_somebody_elses_study_is_refused(url):
    storage = open_storage(url)
    optuna.create_study(storage=storage, study_name="theirs")
    with pytest.raises(UserError, match=r"study theirs at .* was not made by"):
        remembered("theirs", storage, url)


def test_an_experiment_has_a_slot_for_each_run_and_another_recipe_is_another_study(url):
    plan = listing("e", Recipe(seeds=(0, 1)))
    study, _ = made(plan, url)
    assert len(slots(study)) == 6
    assert listing("e", Recipe(seeds=(0, 2))).name != plan.name
    assert remembered(plan.name, open_storage(url), url)[1] == plan


def test_differences_are_named_by_their_keys():
    there, here = {"a": {"b": 1, "c": [1]}, "d": 2}, {"a": {"b": 3, "c": [1]}, "e": 2}
    assert list(differences(there, here)) == [
        "a.b was 1 and is 3",
        "d was 2 and is 'missing'",
        "e was 'missing' and is 2",
    ]
