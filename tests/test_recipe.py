import dataclasses
import itertools
import json
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specaug.augment.policy import LB, LD, NAMED
from specaug.speech.corpora.options import CorpusOptions, Fsdd, Manifests
from specaug.speech.options import Features, Text
from specaug.study.choice import PolicyChoice
from specaug.study.recipe import Network, Pretrained, Recipe, run_id
from specaug.training.decoding import Decoding
from specaug.training.options import Training
from specaug.training.schedule import Schedule
from specaug.training.strength import Strength

OTHER = {  # a value of each field that is neither its default nor out of range
    PolicyChoice: {
        "name": "LD",
        "label": "mine",
        "scale": 0.5,
        "W": 9,
        "F": 7,
        "m_F": 1,
        "T": 8,
        "p": 0.3,
        "m_T": 1,
        "p_S": 0.1,
        "p_M": 0.2,
        "warp": "sparse",
        "bounds": "paper",
        "fill": "mean",
        "operations": ({"SpecSub": {}},),
    },
    Features: {"mel": 64, "window": 0.03, "shift": 0.02, "lowest": 60.0, "highest": 3800.0, "floor": 50.0},
    Text: {
        "alphabet": "abc",
        "pieces": 40,
        "classes": "speaker",
        "labelled": 0.1,
        "on_bad_utterance": "skip",
    },
    Network: {
        "path": "models.conformer.ConformerCTC",
        "arguments": {"width": 16},
        "init": "a",
        "pretraining": Pretrained(recipe="p", content={"seed": 0}),
        "freeze": "encoder",
    },
    Training: {
        "batch": 8,
        "peak": 0.5,
        "weight_decay": 0.5,
        "clip": 0.5,
        "evaluate_every": 2,
        "report": "best",
        "devices": 2,
        "frames": 4000,
        "accumulate": 2,
        "weight_noise": 0.1,
        "label_smoothing": 0.1,
        "smooth_until": 7,
        "precision": "bf16",
    },
    Strength: {
        "of": "counts",
        "start": 5,
        "end": 9,
        "epochs": ((1, 0.5),),
        "rise": 0.1,
        "patience": 2,
    },
    Schedule: {"s_r": 100, "s_noise": 10, "s_i": 1000, "s_f": 4000},
}
FSDD = {
    "strings": "long",
    "fold": 2,
    "train": 7,
    "dev": 7,
    "test": 7,
    "dev_speaker": True,
    "speakers": "known",
}
SPOKEN = {
    "vocabulary": "small",
    "voices": 3,
    "train": 7,
    "dev": 7,
    "test": 7,
    "test_voices": 3,
    "dev_voices": 2,
    "utterances": "words",
    "speakers": "known",
}
LIBRISPEECH = {"train": ("a",), "dev": ("b",), "test": ("c",)}
MANIFESTS = {"train": "a", "dev": "b", "test": ("c",), "title": "d", "synthetic": True}
SWITCHBOARD = {"dev": 7, "repeats": 7, "test": ("swbd",)}
CLIPS = ({"words": "ten"}, {"fold": 2, "only_10": True})  # speech_commands, esc50
OTHERS = (FSDD, SPOKEN, LIBRISPEECH, MANIFESTS, SWITCHBOARD, *CLIPS)
CORPORA = dict(zip(get_args(CorpusOptions), OTHERS, strict=True))
WIDE = PolicyChoice(name="LD", F=81)
NAN, INF = float("nan"), float("inf")
STUDY = ("policies", "seeds", "folds", "caption")  # which runs there are, and not what a run is


def changed(value):
    """(path, `value` with the one field at that path changed) for every field below `value`."""
    for f in fields(value):
        inner, others = getattr(value, f.name), (OTHER | CORPORA).get(type(value), {})
        if is_dataclass(inner):
            for path, other in changed(inner):
                yield (f.name, *path), replace(value, **{f.name: other})
        elif f.name in others:
            assert others[f.name] != inner, f"{f.name}: no change"
            yield (f.name,), replace(value, **{f.name: others[f.name]})


def leaves(kind):
    """The paths of all fields below a value, those of the study left out."""
    for f in fields(kind):
        inner = getattr(kind, f.name)
        if is_dataclass(inner):
            yield from ((f.name, *path) for path in leaves(inner))
        elif f.name not in (*STUDY, "name") or isinstance(kind, PolicyChoice):
            yield (f.name,)


@pytest.mark.parametrize("corpus", CORPORA, ids=lambda kind: kind.name)
def test_the_id_of_a_run_changes_with_every_field(corpus):
    base = Recipe(corpus=corpus())
    variants = dict(changed(base))
    variants |= {("seed",): replace(base, seed=3), ("scale",): replace(base, scale=0.25)}
    variants[("decodings",)] = replace(base, decodings=(Decoding(),))
    assert set(variants) == set(leaves(base))
    ids = {path: run_id(recipe.run()) for path, recipe in variants.items()}
    assert len({run_id(base.run()), *ids.values()}) == len(ids) + 1


@pytest.mark.parametrize(
    "change",
    [{"policies": ()}, {"seeds": (7,)}, {"caption": "seen"}, {"corpus": Fsdd(), "folds": (1,)}],
    ids=str,
)
def test_the_id_of_a_run_does_not_depend_on_which_others_there_are(change):
    base = Recipe(corpus=Fsdd())
    assert run_id(replace(base, **change).run()) == run_id(base.run())


def test_the_id_does_not_depend_on_the_order_of_a_networks_arguments():
    one, two = ({"width": 8, "depth": 1}, {"depth": 1, "width": 8})
    ids = {run_id(Recipe(network=Network(arguments=arguments)).run()) for arguments in (one, two)}
    assert len(ids) == 1


def test_the_id_is_of_defaults_written_out():
    """Typed again: SHA-256 over the JSON of all fields, so a changed default is another run."""
    run = Recipe().run()
    assert json.loads(json.dumps(dataclasses.asdict(run)))["training"]["batch"] == 16
    assert run_id(run) == run_id(replace(run, training=Training(batch=16)))
    assert len(run_id(run)) == 12


def test_a_run_of_a_run_is_itself():
    run = Recipe(policy=PolicyChoice(name="LD", F=20), scale=0.25).run()
    assert run.run() == run


@settings(max_examples=12)
@given(
    policies=st.lists(st.sampled_from(sorted(NAMED)), min_size=1, unique=True),
    seeds=st.lists(st.integers(0, 50), min_size=1, max_size=2, unique=True),
    folds=st.lists(st.integers(0, 2), max_size=3, unique=True),
)
def test_runs_are_policies_times_seeds_times_folds(policies, seeds, folds):
    choices = tuple(PolicyChoice(name=name) for name in policies)
    recipe = Recipe(corpus=Fsdd(), policies=choices, seeds=tuple(seeds), folds=tuple(folds))
    runs = [(run.seed, run.corpus.fold, run.policy.name) for run in recipe.runs()]
    assert runs == list(itertools.product(seeds, folds or [0], policies))
    assert len({run_id(run) for run in recipe.runs()}) == len(runs)


@pytest.mark.parametrize(
    ("choice", "title"),
    [
        pytest.param(PolicyChoice(name="LD"), "LD", id="name"),
        pytest.param(PolicyChoice(name="LD", scale=0.25), "LD x 0.25", id="scale"),
        pytest.param(PolicyChoice(name="LD", scale=0.25, p=0.2), "LD x 0.25 p=0.2", id="field"),
        pytest.param(PolicyChoice(name="LD", F=27), "LD", id="the field that it has"),
        pytest.param(PolicyChoice(scale=0.25), "None", id="nothing to scale"),
    ],
)
def test_a_policy_is_called_by_what_tells_it_from_its_name(choice, title):
    assert choice.title() == title == choice.resolved().label


def test_the_scale_multiplies_w_and_t_and_leaves_given_fields():
    assert PolicyChoice(name="LD", scale=0.25).policy() == LD.replaced(W=20, T=25)
    assert PolicyChoice(name="LB", scale=0.25, T=7).policy() == LB.replaced(W=20, T=7)


def test_the_scale_of_a_recipe_is_every_policys_that_has_none_of_its_own():
    policies = (PolicyChoice(name="LB"), *(PolicyChoice(name="LB", scale=own) for own in (0.5, 1.0)))
    recipe = Recipe(policies=policies, seeds=(0,), scale=0.1)
    assert [run.policy.T for run in recipe.runs()] == [10, 50, 100]
    assert [run.policy.scale for run in recipe.runs()] == [0.1, 0.5, 1.0]


def test_a_run_says_its_scale_as_a_number_so_that_its_id_is_what_it_was():
    ids = {run_id(Recipe(policy=PolicyChoice(name="LD", scale=own)).run()) for own in (None, 1.0)}
    assert len(ids) == 1
    assert Recipe(policy=PolicyChoice(name="LD")).run().policy.scale == 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda: Recipe(seed=-1), "seeds are .*-1.*expected whole numbers, 0 or more", id="seed"),
        pytest.param(lambda: Recipe(seeds=(0, -2)), "-2.*expected whole numbers, 0 or more", id="seeds"),
        pytest.param(lambda: Recipe(seed=2**63), "below 9223372036854775808", id="seed too large"),
        pytest.param(lambda: Recipe(seeds=(1, 1)), "seeds hold 1 twice", id="seed twice"),
        pytest.param(
            lambda: Recipe(policies=(PolicyChoice(),) * 2), "policies hold None twice", id="policy twice"
        ),
        pytest.param(lambda: Recipe(folds=(0,)), "folds are .*spoken has none", id="folds"),
        pytest.param(lambda: Recipe(policy=WIDE), "F is 81; expected at most the 80 mel channels", id="F"),
        pytest.param(
            lambda: Recipe(policies=(WIDE,)), "policy LD F=81: F is 81; expected at most the 80", id="Fs"
        ),
        pytest.param(lambda: PolicyChoice(name="XX"), "unknown policy 'XX'; known: None, LB", id="policy"),
        pytest.param(lambda: PolicyChoice(p=1.5), "p .*is 1.5; expected a share", id="p"),
        pytest.param(lambda: PolicyChoice(m_T=-1), "m_T .*is -1; expected a whole number", id="m_T"),
        *(
            pytest.param(partial(kind, scale=value), f"scale is {value}; expected a factor above 0", id=what)
            for kind in (PolicyChoice, partial(Recipe, policies=()))
            for value, what in ((0.0, "no scale"), (-1.0, "scale"), (NAN, "scale NaN"), (INF, "scale inf"))
        ),
        pytest.param(
            lambda: Recipe(corpus=Fsdd(), folds=(0, 7)), "fold is 7; expected 0, 1 or 2", id="no such fold"
        ),
        pytest.param(
            lambda: Recipe(policies=(PolicyChoice(name="LD"), PolicyChoice(name="LD", scale=0.5)), scale=0.5),
            "policies hold LD x 0.5 twice",
            id="policy twice, once by its own scale",
        ),
        pytest.param(lambda: Training(weight_decay=float("nan")), "weight_decay is nan; expected", id="NaN"),
    ],
)
def test_a_value_out_of_range_names_itself_and_what_was_expected(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_manifests_have_no_folds():
    with pytest.raises(ValueError, match="the corpus manifests has none"):
        Recipe(corpus=Manifests(), folds=(0,))
