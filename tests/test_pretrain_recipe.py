from dataclasses import fields, is_dataclass, replace

import pytest
import torch

from specaug.errors import UserError
from specaug.speech.options import Features
from specaug.study.laboratory import on_path
from specaug.study.load import as_yaml, load_as
from specaug.study.networks import known_networks
from specaug.study.pretraining.recipe import Encoder, Hidden, Objective, Pretraining
from specaug.study.pretraining.run import built, hiding_of
from specaug.study.recipe import run_id
from specaug.training.options import Training
from specaug.training.schedule import Schedule

OTHER = {  # a value of each field that is neither its default nor out of range
    Features: {"mel": 64, "window": 0.03, "shift": 0.02, "lowest": 60.0},
    Encoder: {"path": "mine.Encoder", "arguments": {"width": 16}},
    Objective: {"path": "models.maskspec.MaskSpec", "arguments": {"weight": 2}},
    Hidden: {"share": 0.5, "c_high": 4},
    Training: {
        "batch": 8,
        "peak": 0.5,
        "weight_decay": 0.5,
        "clip": 0.5,
        "evaluate_every": 2,
        "report": "best",
        "frames": 4000,
        "accumulate": 2,
        "precision": "bf16",
    },
    Schedule: {"s_r": 100, "s_noise": 10, "s_i": 1000, "s_f": 4000},
    Pretraining: {"on_bad_utterance": "skip", "choose": "retrieval", "seed": 3},
}


def changed(value):
    for field in fields(value):
        inner = getattr(value, field.name)
        if is_dataclass(inner):
            yield from (replace(value, **{field.name: other}) for other in changed(inner))
        elif field.name in OTHER.get(type(value), {}):
            yield replace(value, **{field.name: OTHER[type(value)][field.name]})


@pytest.fixture
def recipe(tmp_path):
    """A way to read a recipe from its text."""

    def read(text: str, *overrides: str) -> Pretraining:
        (tmp_path / "r.yaml").write_text(text, encoding="utf-8")
        return load_as(Pretraining, tmp_path / "r.yaml", overrides)

    return read


def test_every_recipe_that_is_shipped_loads_builds_its_network_and_prints_itself(root, recipe):
    paths = sorted((root / "experiments" / "pretraining").glob("*.yaml"))
    assert paths
    for path in paths:
        found = load_as(Pretraining, path)
        with on_path(root), torch.device("meta"):
            network = built(found, root)
        assert hiding_of(found, network.encoder).count(200, found.features.mel) > 0
        again = recipe(as_yaml(found))
        assert again == found
        assert [run_id(run) for run in again.runs()] == [run_id(run) for run in found.runs()]


def test_the_id_of_a_run_changes_with_every_field():
    variants = [Pretraining(), *changed(Pretraining())]
    assert len(variants) == 1 + sum(len(names) for names in OTHER.values())
    assert len({run_id(variant.run()) for variant in variants}) == len(variants)


def test_the_runs_are_the_seeds_or_else_the_seed_and_their_ids_know_of_no_others():
    several = list(Pretraining(seed=9, seeds=(0, 4)).runs())
    assert [run.seed for run in several] == [0, 4]
    (alone,) = Pretraining(seed=4).runs()
    assert run_id(alone) == run_id(several[1])


def test_a_child_lies_over_its_parent_and_overrides_lie_over_both(recipe, tmp_path):
    (tmp_path / "parent.yaml").write_text("{choose: contrastive, training: {batch: 3}}")
    found = recipe("{extends: parent.yaml, seed: 2}", "seeds=5", "hidden.share=0.25", "corpus=fsdd")
    assert (found.choose, found.training.batch, found.seed, found.seeds) == ("contrastive", 3, 2, (5,))
    assert (found.hidden.share, found.corpus.name) == (0.25, "fsdd")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{polici: LD}", "unknown key 'polici'", id="key"),
        pytest.param("{objectiv: {}}", "unknown key 'objectiv'; did you mean 'objective'?", id="near"),
        pytest.param("{hidden: {shar: 1}}", "unknown key 'hidden.shar'; did you mean 'share'?", id="deep"),
        pytest.param("{network: {init: x}}", "unknown key 'network.init'", id="init"),
        pytest.param("{hidden: {share: 1.0}}", "hidden: share is 1.0; expected more than 0", id="all"),
        pytest.param("{hidden: {share: 0.0}}", "hidden: share is 0.0; expected more than 0", id="none"),
        pytest.param("{hidden: {number: 0}}", "hidden: number is 0; expected 1 patch or more", id="number"),
        pytest.param(
            "{hidden: {c_low: 2}}", "hidden: share is None, number None; expected one", id="nothing"
        ),
        pytest.param("{hidden: {share: 0.5, number: 3}}", "share is 0.5, number 3; expected one", id="both"),
        pytest.param("{hidden: {share: 0.5, c_low: 3}}", "c_low is 3, c_high 1; expected 1 <=", id="cluster"),
        pytest.param(
            "{choose: wer}", "choose is 'wer'; input should be 'loss', 'reconstruction'", id="choose"
        ),
        pytest.param("{seeds: [1, 1]}", "seeds hold 1 twice; expected each once", id="seed twice"),
        pytest.param("{seed: -1}", "seeds are (-1,); expected whole numbers, 0 or more", id="seed"),
        pytest.param(
            "{training: {devices: 2}}", "training.devices is 2; expected 1: pretraining", id="devices"
        ),
        pytest.param(
            "{training: {label_smoothing: 0.1}}", "training.label_smoothing is 0.1; expected 0.0", id="labels"
        ),
        pytest.param("{corpus: fsd}", "unknown corpus 'fsd'; did you mean 'fsdd'?", id="corpus"),
    ],
)
def test_a_mistake_is_one_line_with_the_file_and_the_key(recipe, tmp_path, text, message):
    with pytest.raises(UserError) as caught:
        recipe(text)
    assert str(caught.value).startswith(f"{tmp_path / 'r.yaml'}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_encoders_and_objectives_of_the_laboratory_are_known(root):
    assert known_networks(root, "encoder") == ["models.ast.AST"]
    told = ["models.ssast.Generative", "models.ssast.Discriminative", "models.ssast.SSAST"]
    assert known_networks(root, "objective") == ["models.maskspec.MaskSpec", *told]
    assert "models.ast.ASTCTC" in known_networks(root)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        pytest.param(
            "objective.path=models.ssast.SAST",
            "unknown objective 'models.ssast.SAST'; did you mean 'models.ssast.SSAST'?",
            id="objective",
        ),
        pytest.param(
            "network.path=models.ast.AS",
            "unknown encoder 'models.ast.AS'; did you mean 'models.ast.AST'?",
            id="encoder",
        ),
        pytest.param(
            "objective.arguments={weigth: 2}",
            "SSAST: unknown argument 'weigth'; did you mean 'w",
            id="argument",
        ),
        pytest.param(
            "objective.arguments={weight: 0.0}", "SSAST: weight is 0.0; expected a number", id="weight"
        ),
        pytest.param(
            "network.arguments={f: 33}", "encoder models.ast.AST: mel is 80; expected a mu", id="mel"
        ),
        pytest.param(
            "network.arguments={stride_t: 8}",
            "objective models.ssast.SSAST: the encoder's patches",
            id="overlap",
        ),
        pytest.param(
            "network={path: models.subsampling.Subsampling, arguments: {width: 8}}",
            "encoder models.subsampling.Subsampling has no attribute 'cut'; expected what says how large",
            id="no patches",
        ),
        pytest.param(
            "network.path=torch.nn.Flatten", "encoder torch.nn.Flatten: TypeError: ", id="another's class"
        ),
    ],
)
def test_a_network_that_cannot_be_built_says_why(root, recipe, override, message):
    with on_path(root), pytest.raises(UserError) as caught:
        built(recipe("{}", override), root)
    assert message in str(caught.value)


def test_an_objective_that_does_not_hold_its_encoder_is_refused(tmp_path, root, recipe):
    (tmp_path / "loose_objective.py").write_text(
        "from torch import nn\n"
        "class Loose(nn.Module):\n"
        "    def __init__(self, encoder): super().__init__()\n"
        "    def loss(self): ...\n"
        "    def reconstruction(self): ...\n"
    )
    with on_path(root), pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        with pytest.raises(
            UserError, match=r"objective loose_objective\.Loose has no attribute 'encoder'; expected"
        ):
            built(recipe("{}", "objective.path=loose_objective.Loose"), root)
