import pytest
import yaml
from test_results import change, write_run

from specaug.errors import UserError
from specaug.study.comparing.systems import systems
from specaug.study.results import read_result

SHORT = {"s_r": 10, "s_i": 20, "s_f": 30}


def run(folder, training, **network):
    """A run's result, whose recipe tells `training`."""
    facts = {"path": "models.toy.Toy", "arguments": {"width": 8}, "parameters": 1000} | network
    write_run(folder, network=facts)
    (folder / "recipe.yaml").write_text(yaml.safe_dump({"training": training}), encoding="utf-8")
    return read_result(folder)


def names(root, *given):
    """The names of the systems of runs, each of which is trained as `given`."""
    return [system.name for system, _ in systems([run(root / f"{i}", one) for i, one in enumerate(given)])]


def test_one_way_of_training_needs_no_name(tmp_path):
    assert names(tmp_path, {"schedule": SHORT}, {"schedule": SHORT}) == ["Toy"]


def test_what_a_recipe_leaves_out_is_its_default(tmp_path):
    assert names(tmp_path, {}, {"batch": 16}, {"schedule": {"s_f": 3000}}) == ["Toy"]


def test_schedules_are_named_by_the_fewest_settings_and_the_shorter_comes_first(tmp_path):
    longer = {"s_r": 11, "s_i": 21, "s_f": 31}
    found = names(tmp_path, {"schedule": longer, "batch": 4}, {"schedule": SHORT, "batch": 8})
    assert found == ["Toy, s_f=30", "Toy, s_f=31"]


def test_where_one_setting_is_not_enough_two_are_named(tmp_path):
    given = [{"schedule": SHORT | {"s_f": s_f}, "peak": peak} for s_f in (30, 40) for peak in (0.1, 0.2)]
    assert names(tmp_path, *given) == [
        f"Toy, s_f={s_f} peak={peak}" for s_f in (30, 40) for peak in (0.1, 0.2)
    ]


@pytest.mark.parametrize("setting", [{"peak": 0.5}, {"batch": 3}, {"clip": 2.0}, {"weight_decay": 0.5}])
def test_any_setting_of_training_makes_another_system(tmp_path, setting):
    (key, value), default = setting.popitem(), {"peak": 0.001, "batch": 16, "clip": 1.0, "weight_decay": 0.01}
    assert sorted(names(tmp_path, {}, {key: value})) == sorted(
        f"Toy, {key}={told}" for told in (default[key], value)
    )


def test_how_often_dev_is_measured_matters_only_where_the_best_is_reported(tmp_path):
    often = [{"evaluate_every": 1}, {"evaluate_every": 2}]
    assert names(tmp_path / "last", *often) == ["Toy"]
    assert names(tmp_path / "best", *({"report": "best", **one} for one in often)) == [
        "Toy, evaluate_every=1",
        "Toy, evaluate_every=2",
    ]


def test_systems_are_told_apart_by_settings_that_all_of_them_have(tmp_path):
    best = [{"report": "best", "evaluate_every": every} for every in (1, 2)]
    assert names(tmp_path / "two", best[0], {}) == ["Toy, report=best", "Toy, report=last"]
    other = run(tmp_path / "other", {}, path="b.Other")
    found = systems([run(tmp_path / f"{i}", one) for i, one in enumerate(best)] + [other])
    assert "Other" in {system.name for system, _ in found}


def test_two_networks_of_one_name_are_told_apart_by_their_paths(tmp_path):
    given = [run(tmp_path / path, {}, path=path) for path in ("a.Toy", "b.Toy", "b.Other")]
    assert {system.name for system, _ in systems(given)} == ({"a.Toy", "b.Toy", "Other"})


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param([{"width": 8, "depth": 2}, {"width": 8, "depth": 3}], ["depth=2", "depth=3"], id="one"),
        pytest.param([{"width": 8}, {"width": 8, "ctc": 0.3}], ["", "ctc=0.3"], id="left out of one"),
        pytest.param(
            [{"width": 8}, {"width": 8, "init": None}], ["", "init=None"], id="none, beside left out"
        ),
        pytest.param([{"depth": 1, "width": 8}, {"width": 8, "depth": 1}], [""], id="another order"),
        pytest.param([{"size": [3, 5]}, {"size": [3, 6]}], ["size=[3, 5]", "size=[3, 6]"], id="a list"),
    ],
)
def test_of_the_arguments_those_are_named_that_not_all_networks_of_the_class_share(
    tmp_path, arguments, expected
):
    given = [run(tmp_path / f"{i}", {}, arguments=each) for i, each in enumerate(arguments)]
    other = run(tmp_path / "other", {}, path="b.Other", arguments={"depth": 7})
    assert {system.name for system, _ in systems([*given, other])} == (
        {f"Toy {told}".strip() for told in expected} | {"Other"}
    )


def test_every_run_is_in_the_system_that_has_its_network(tmp_path):
    given = [run(tmp_path / f"{i}", {}, arguments={"width": i % 2}) for i in range(5)]
    for system, runs in systems(given):
        assert {tuple(r.arguments.items()) for r in runs} == {tuple(system.arguments.items())}
    assert sorted(r.folder for _, runs in systems(given) for r in runs) == [r.folder for r in given]


def test_networks_with_other_numbers_of_parameters_are_not_one_network(tmp_path):
    run(tmp_path / "a", {})
    change((tmp_path / "a" / "result.json"), ("network", "parameters"), 7)
    with pytest.raises(
        UserError, match=r"b: parameters of models.toy.Toy width=8 is 1000; expected 7 as in .*a"
    ):
        systems([read_result(tmp_path / "a"), run(tmp_path / "b", {})])


def test_arguments_that_print_alike_are_refused(tmp_path):
    given = [run(tmp_path / f"{width!r}", {}, arguments={"width": width}) for width in (1, "1")]
    with pytest.raises(UserError, match="two networks are both called Toy width=1; expected"):
        systems(given)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("training: [", r"recipe\.yaml:1: not YAML", id="no YAML"),
        pytest.param("- a", "a list; expected a mapping", id="a list"),
        pytest.param("training: {bach: 3}", "unknown key 'training.bach'; did you mean 'batch'?", id="key"),
        pytest.param("training: {batch: 0}", "batch is 0; expected more than 0", id="value"),
        pytest.param("training: 3", "training is 3", id="no mapping"),
    ],
)
def test_a_damaged_recipe_is_named(tmp_path, text, said):
    write_run(tmp_path / "a")
    (tmp_path / "a" / "recipe.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said.replace("?", r"\?")):
        systems([read_result(tmp_path / "a")])
