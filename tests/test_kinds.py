"""Recipes of three kinds, and what is said where one is given for another."""

from dataclasses import fields
from pathlib import Path

import pytest

from specaug import cli
from specaug.errors import UserError
from specaug.study.kinds import KINDS, require_kind
from specaug.study.pretraining.recipe import Pretraining
from specaug.study.recipe import Recipe
from specaug.study.sweep.options import Sweep

ROOT = Path(__file__).resolve().parent.parent
OURS = {
    Recipe: sorted((ROOT / "experiments").glob("*.yaml"))[:3],
    Pretraining: sorted((ROOT / "experiments" / "pretraining").glob("*.yaml")),
    Sweep: sorted((ROOT / "sweeps").glob("*.yaml")),
}
VERB = {Recipe: "ablate", Pretraining: "pretrain", Sweep: "sweep"}
NAME = {Recipe: "an experiment", Pretraining: "a pretraining", Sweep: "a sweep"}


@pytest.mark.parametrize("kind", VERB, ids=lambda kind: kind.__name__)
def test_a_kind_is_known_by_its_keys(kind):
    assert list(KINDS[kind.__name__].keys) == [field.name for field in fields(kind)]


@pytest.mark.parametrize("kind", VERB, ids=lambda kind: kind.__name__)
def test_our_recipes_are_taken_by_their_verb(kind, capsys):
    for path in OURS[kind]:
        assert cli.main([VERB[kind], str(path), "--print-config"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("given", VERB, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("wanted", VERB, ids=lambda kind: kind.__name__)
def test_a_recipe_of_another_kind_is_called_what_it_is(given, wanted, capsys):
    path = OURS[given][0]
    if given is not wanted:
        assert cli.main([VERB[wanted], str(path), "--print-config"]) == 2
        said = f"specaug: {path}: this is {NAME[given]}, which `specaug {VERB[given]}` runs; expected {NAME[wanted]}\n"
        assert capsys.readouterr().err == said


def test_so_is_one_that_is_named_as_the_pretraining_of_another(tiny, capsys):
    path = tiny / "experiments" / "tiny.yaml"
    words = [f"network.pretraining.recipe={path}", "--print-config"]
    assert cli.main(["train", str(path), *words]) == 2
    assert f"{path}: this is an experiment" in capsys.readouterr().err


@pytest.mark.parametrize("raw", [{}, {"sed": 1}, {"corpus": {}, "training": {}}, {"seeds": [1]}], ids=str)
def test_what_could_be_of_this_kind_is_read_as_one(raw):
    for kind in (Recipe, Pretraining):
        require_kind(kind, raw, Path("r.yaml"))


def test_what_has_most_keys_of_another_kind_is_that_whatever_is_amiss_with_it():
    with pytest.raises(UserError, match="this is a sweep"):
        require_kind(Recipe, {"experiment": "e", "space": {}, "trails": 3, "seeds": [1]}, Path("r.yaml"))
    require_kind(Sweep, {"experiment": "e", "space": {}, "policies": ["LD"]}, Path("r.yaml"))
