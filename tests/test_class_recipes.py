"""The recipes of classes at the papers' sizes, and that each trains on a tree of the same layout."""

import json
from pathlib import Path

import pytest
import torch
from trees import esc50_tree, librispeech_tree, speech_commands_tree

from specaug.study.laboratory import on_path
from specaug.study.load import load
from specaug.study.networks import build
from specaug.study.places import Places
from specaug.study.results import read_result
from specaug.study.run import Run, execute

ROOT = Path(__file__).resolve().parent.parent
RECIPES = [ROOT / "experiments" / f"{name}.yaml" for name in ("speech-commands", "esc50")]
SIZES = ["width=24", "depth=1", "heads=2"]
SMALL = [
    *(f"network.arguments.{size}" for size in SIZES),
    "training.batch=4",
    "training.schedule={s_r: 1, s_i: 1, s_f: 2}",
]
BEFORE = [
    *SMALL,
    *(f"hidden.{each}" for each in ("share=0.5", "c_low=1", "c_high=2")),
    "corpus.train=[train-clean-100]",
]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_encoder_is_the_papers_base(path):
    recipe = load(path)
    with on_path(ROOT), torch.device("meta"):
        network = build(recipe.network, recipe.features.mel, 36, ROOT)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(86, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_it_trains_two_steps_on_a_tree_of_the_same_layout(path, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    for tree in (librispeech_tree, speech_commands_tree, esc50_tree):
        tree(tmp_path / "data")
    began = load(path).network.pretraining is not None
    before = [f"network.pretraining.overrides={json.dumps(BEFORE)}"] if began else []
    recipe = next(load(path, [*SMALL, *before]).runs())
    places = Places(ROOT, tmp_path / "data", tmp_path / "cache", tmp_path / "runs")
    result = read_result(execute(Run(path.stem, recipe, places)))
    assert result.steps >= 2
    assert all(part.map is not None for part in result.parts.values())
    assert (tmp_path / "runs" / "pretraining").is_dir() == began
