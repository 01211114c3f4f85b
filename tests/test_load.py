import dataclasses
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.policy import LD, NAMED
from specaug.errors import UserError
from specaug.study.choice import PolicyChoice
from specaug.study.laboratory import on_path
from specaug.study.load import as_yaml, load
from specaug.study.networks import build
from specaug.study.recipe import CORPORA, Recipe, run_id

EXPERIMENTS = sorted(
    path
    for path in (Path(__file__).parent.parent / "experiments").rglob("*.yaml")
    if path.parent.name != "pretraining"  # see test_pretrain_recipe.py
)


@pytest.fixture
def recipe(tmp_path):
    """A way to write a recipe: its text, under a name."""

    def write(text: str, name: str = "r.yaml") -> Path:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_loads_and_prints_a_recipe_with_the_same_runs(path, recipe):
    first = load(path)
    again = load(recipe(as_yaml(first)))
    assert again == first
    assert [run_id(run) for run in again.runs()] == [run_id(run) for run in first.runs()] != []


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_a_run_of_each_policy_of_an_experiment_prints_a_recipe_of_that_run(path, recipe):
    for run in {run.policy.label: run for run in load(path).runs()}.values():
        assert run_id(load(recipe(as_yaml(run))).run()) == run_id(run)


def test_every_experiment_builds_its_network(root):
    with on_path(root), torch.device("meta"):  # hundreds of millions of parameters, some of them
        for path in EXPERIMENTS:
            recipe = load(path)
            assert build(recipe.network, recipe.features.mel, recipe.text.labels, root).loss, path


@given(
    name=st.sampled_from(sorted(NAMED)),
    scale=st.sampled_from([None, 0.1, 0.25, 1.0, 2.0]),
    width=st.none() | st.integers(0, 80),
    share=st.none() | st.floats(0, 1),
    options=st.sampled_from([{}, {"bounds": "lingvo", "fill": "noise"}, {"p_S": 0.05, "fill": -1.5}]),
    operations=st.sampled_from([(), ({"SpecSub": {}},), ({"SpliceOut": {"N": 1}}, {"TimeMask": {"T": 3}})]),
    seed=st.integers(0, 2**62),
)
def test_what_is_printed_is_read_back(tmp_path_factory, name, scale, width, share, options, operations, seed):
    path = tmp_path_factory.getbasetemp() / "printed.yaml"
    choice = PolicyChoice(name=name, scale=scale, F=width, p=share, operations=operations, **options)
    recipe = Recipe(policy=choice, seed=seed)
    path.write_text(as_yaml(recipe), encoding="utf-8")
    assert load(path) == recipe


def test_an_empty_mapping_is_the_recipe_of_all_defaults(recipe):
    assert load(recipe("{}")) == Recipe()


def test_what_is_printed_holds_every_field(recipe):
    printed = yaml.safe_load(as_yaml(load(recipe("{}"))))
    assert list(printed) == [f.name for f in dataclasses.fields(Recipe)]
    assert list(printed["training"]["schedule"]) == ["s_r", "s_noise", "s_i", "s_f"]


def test_a_child_lies_over_its_parent(recipe):
    recipe("{seed: 7, training: {batch: 3, peak: 0.5}, seeds: [1, 2]}", "base/parent.yaml")
    child = recipe("{extends: base/parent.yaml, training: {peak: 0.25}, seeds: [9]}")
    loaded = load(child)
    assert (loaded.seed, loaded.training.batch, loaded.training.peak, loaded.seeds) == (7, 3, 0.25, (9,))


def test_a_parent_is_looked_for_beside_the_file_that_names_it(recipe):
    recipe("{seed: 7}", "a/b/grandparent.yaml")
    recipe("{extends: b/grandparent.yaml}", "a/parent.yaml")
    assert load(recipe("{extends: a/parent.yaml}")).seed == 7


def test_a_child_with_another_corpus_takes_nothing_of_the_parents(recipe):
    recipe("{corpus: {name: fsdd, fold: 2}}", "parent.yaml")
    assert load(recipe("{extends: parent.yaml, corpus: {name: spoken, voices: 3}}")).corpus.voices == 3
    assert load(recipe("{extends: parent.yaml, corpus: {train: 5}}")).corpus.fold == 2


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        pytest.param(["policy=LD"], lambda r: r.policy.policy() == LD, id="name"),
        pytest.param(
            ["policy=LD", "policy.F=15"], lambda r: r.policy == PolicyChoice(name="LD", F=15), id="field"
        ),
        pytest.param(["policy.F=15"], lambda r: r.policy == PolicyChoice(name="LB", F=15), id="of the file"),
        pytest.param(["seeds=0,1"], lambda r: r.seeds == (0, 1), id="list"),
        pytest.param(["seeds=[4, 5]"], lambda r: r.seeds == (4, 5), id="YAML list"),
        pytest.param(["seeds=3"], lambda r: r.seeds == (3,), id="list of one"),
        pytest.param(["policies=SM"], lambda r: r.policies == (PolicyChoice(name="SM"),), id="one policy"),
        pytest.param(
            ["policies=None,LD"], lambda r: [p.name for p in r.policies] == ["None", "LD"], id="policies"
        ),
        pytest.param(["training.schedule.s_f=9999"], lambda r: r.training.schedule.s_f == 9999, id="nested"),
        pytest.param(
            ["network.arguments.width=8"], lambda r: r.network.arguments == {"width": 8}, id="argument"
        ),
        pytest.param(["seed=1", "seed=2"], lambda r: r.seed == 2, id="the last counts"),
        pytest.param(["corpus=fsdd", "corpus.fold=1"], lambda r: r.corpus.fold == 1, id="corpus"),
        pytest.param(["training.peak=3e-3"], lambda r: r.training.peak == 0.003, id="3e-3, text in YAML 1.1"),
    ],
)
def test_overrides_lie_over_the_file(recipe, overrides, expected):
    assert expected(load(recipe("{policy: LB, seeds: [8]}"), overrides))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{sed: 1}", "unknown key 'sed'; did you mean 'seed'?", id="top"),
        pytest.param(
            "{training: {batc: 1}}", "unknown key 'training.batc'; did you mean 'batch'?", id="nested"
        ),
        pytest.param(
            "{training: {schedule: {s_q: 1}}}",
            "unknown key 'training.schedule.s_q'; did you mean 's_",
            id="deep",
        ),
        pytest.param("{policy: {FF: 1}}", "unknown key 'policy.FF'; did you mean 'F'?", id="policy's"),
        pytest.param(
            "{policies: [LD, {lable: x}]}",
            "unknown key 'policies.1.lable'; did you mean 'label'?",
            id="in list",
        ),
        pytest.param(
            "{corpus: {name: fsdd, flod: 1}}",
            "unknown key 'corpus.flod'; did you mean 'fold'?",
            id="corpus's",
        ),
        pytest.param("{policy: LDD}", "policy: unknown policy 'LDD'; did you mean 'LD'?", id="policy"),
        pytest.param(
            "{policies: [LB, XX]}", "policies.1: unknown policy 'XX'; known: None, LB", id="policies"
        ),
        pytest.param("{corpus: {name: fsd}}", "unknown corpus 'fsd'; did you mean 'fsdd'?", id="corpus"),
        pytest.param("{corpus: fsd}", "unknown corpus 'fsd'; did you mean 'fsdd'?", id="corpus by name"),
        pytest.param("{corpus: {fold: 1}}", "unknown corpus ''; known: fsdd, spoken", id="no corpus"),
        pytest.param("{seed: many}", "seed is 'many'; input should be a valid integer", id="type"),
        pytest.param("{seed: -1}", "seeds are (-1, 0, 1, 2, 3, 4); expected whole numbers", id="range"),
        pytest.param(
            "{training: {batch: 0}}", "training: batch is 0; expected more than 0", id="nested range"
        ),
        pytest.param("{training: {peak: .nan}}", "training: peak is nan; expected more than 0", id="NaN"),
        pytest.param("{policy: {name: LD, p: 1.5}}", "policy: p (TimeMask) is 1.5; expected a share", id="p"),
        pytest.param(
            "{policy: {m_F: -1}}", "policy: m_F (FrequencyMask) is -1; expected a whole number", id="m_F"
        ),
        pytest.param(
            "{policy: LD, features: {mel: 20}}",
            "policy LD: F is 27; expected at most the 20 mel channels of the features",
            id="F",
        ),
        pytest.param(
            "{policy: {operations: [SpecSubb]}}",
            "policy: unknown operation 'SpecSubb'; did you mean 'SpecSub'?",
            id="operation",
        ),
        pytest.param(
            "{policies: [LD, {operations: [{SpecSub: {tmax: 3}}]}]}",
            "policies.1: unknown symbol 'tmax' of SpecSub; did you mean 't_max'?",
            id="symbol",
        ),
        pytest.param("{policy: {operations: 3}}", "policy.operations is 3; expected a list", id="no list"),
        pytest.param("{policies: [3]}", "policies.0 is 3; expected a name or a mapping", id="no policy"),
        pytest.param("{training: 3}", "training is 3; expected a mapping", id="no mapping"),
        pytest.param("{network: {arguments: 3}}", "network.arguments is 3; expected a mapping", id="no dict"),
        pytest.param("{scale: -1}", "scale is -1.0; expected a factor above 0", id="scale"),
        pytest.param("{policy: {scale: .nan}}", "policy: scale is nan; expected a factor", id="own scale"),
        pytest.param("{corpus: fsdd, folds: [0, 7]}", "fold is 7; expected 0, 1 or 2", id="fold"),
        pytest.param("{corpus: {name: fsdd, dev: 0}}", "corpus: dev is 0; expected 1 string or", id="none"),
        pytest.param("{features: {lowest: -1}}", "features: lowest is -1.0; expected 0 Hz or more", id="Hz"),
        pytest.param(
            "{training: {report: bset}}", "training.report is 'bset'; input should be 'last' or", id="choice"
        ),
        pytest.param(
            "{training: {schedule: {s_r: 9, s_i: 3}}}", "expected 0 <= s_r <= s_i < s_f", id="schedule"
        ),
        pytest.param("[1, 2]", "a list; expected a mapping", id="list"),
        pytest.param("", "a NoneType; expected a mapping", id="empty"),
        pytest.param("seed: 1\nseeds: [1\n", ":3: not YAML", id="not YAML"),
        pytest.param("caption: 2024-02-30", ": not YAML (day is out of range for month)", id="no day"),
        pytest.param("{extends: r.yaml}", "extends goes 9 parents deep; expected no circle", id="circle"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_file_and_the_key(recipe, text, message):
    path = recipe(text)
    with pytest.raises(UserError) as caught:
        load(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        pytest.param("policy", "override 'policy': expected key=value", id="no value"),
        pytest.param("=LD", "override '=LD': expected key=value", id="no key"),
        pytest.param("seed=[", "override 'seed=[': the value is not YAML", id="not YAML"),
        pytest.param(
            "policy.label=2024-02-30",
            "override 'policy.label=2024-02-30': the value is not YAML",
            id="no day",
        ),
        pytest.param("seed.x=1", "override 'seed.x=1': seed holds 3; it has no fields", id="no fields"),
        pytest.param("sedes=0,1", "unknown key 'sedes'; did you mean 'seeds'?", id="unknown"),
    ],
)
def test_a_mistake_in_an_override_is_named(recipe, override, message):
    with pytest.raises(UserError) as caught:
        load(recipe("{seed: 3}"), [override])
    assert message in str(caught.value)


@pytest.mark.parametrize("name", CORPORA)
@pytest.mark.parametrize("parent", ["", "training.", "corpus."])
def test_an_unknown_key_may_be_called_as_a_corpus_is(recipe, parent, name):
    with pytest.raises(UserError) as caught:
        load(recipe("{corpus: spoken}"), [f"{parent}{name}=1"])
    assert f"r.yaml: unknown key '{parent}{name}'" in str(caught.value)


def test_a_missing_recipe_is_named_with_its_nearest_neighbour(recipe):
    path = recipe("{}", "fsdd.yaml").with_name("fsd.yaml")
    with pytest.raises(UserError, match=r"fsd.yaml: no such recipe; did you mean 'fsdd.yaml'\?"):
        load(path)


def test_files_that_are_hidden_are_no_recipes(recipe, tmp_path):
    hidden, path = recipe("{}", ".fsdd.yaml"), tmp_path / "fsdd.yaml"
    assert hidden.is_file()
    with pytest.raises(UserError, match=r"fsdd.yaml: no such recipe; expected a YAML file"):
        load(path)


@pytest.mark.parametrize(
    ("names", "known"), [((), "$"), (("b.yaml", "a.yaml", ".c.yaml"), r" in it: a\.yaml, b\.yaml$")]
)
def test_a_folder_is_no_recipe_and_those_in_it_are_named(tmp_path, names, known):
    folder = tmp_path / "experiments"
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    with pytest.raises(UserError, match=rf"experiments: a folder; expected a recipe{known}"):
        load(folder)


def test_a_missing_parent_is_named(recipe):
    with pytest.raises(UserError, match=r"base.yaml: no such recipe"):
        load(recipe("{extends: base.yaml}"))


def test_a_recipe_that_is_no_text_is_named(tmp_path):
    (tmp_path / "r.yaml").write_bytes(b"seed: \xff\n")
    with pytest.raises(UserError, match=r"r.yaml: not UTF-8 text \(byte 6"):
        load(tmp_path / "r.yaml")


def test_yaml_makes_no_objects(recipe):
    with pytest.raises(UserError, match="not YAML"):
        load(recipe("seed: !!python/object/apply:os.getpid []"))
