"""The recipes of the papers' rows: what they build, and that each of them trains on a tree of the same layout."""

from pathlib import Path

import pytest
import torch
from trees import librispeech_tree, switchboard_tree

from specaug.study.laboratory import on_path
from specaug.study.load import load
from specaug.study.networks import build
from specaug.study.places import Places
from specaug.study.results import read_result
from specaug.study.run import Run, execute

ROOT = Path(__file__).resolve().parent.parent
EXPERIMENTS = ROOT / "experiments"
FOLDERS = (EXPERIMENTS / "librispeech-960-las", EXPERIMENTS / "switchboard-300-las")
RECIPES = [
    *(path for folder in FOLDERS for path in sorted(folder.glob("*.yaml")) if path.stem != "base"),
    EXPERIMENTS / "librispeech-100-conformer.yaml",
    EXPERIMENTS / "librispeech-960-transducer.yaml",
]
MILLIONS = {(4, 1024): 191.5, (6, 1024): 241.9, (6, 1280): 356.1}  # LAS-d-w with 16,000 word pieces
SMALL = [  # as a laptop can train it, in two steps
    "text.pieces=40",
    "training.batch=4",
    "training.accumulate=2",
    "training.smooth_until=1",
    "training.schedule={s_r: 1, s_noise: 1, s_i: 1, s_f: 2}",
]
DECODINGS = (
    "decodings=[{label: beam, beam: 2}, {beam: 2, weight: 0.3, lm: {steps: 3, arguments: {width: 8}}}]"
)
NARROW = {  # by a word of the file's name
    "transducer": ["network.arguments={width: 8, depth: 1, front: conv2d, predictor: 8}"],
    "conformer": ["network.arguments={width: 8, depth: 1, front: conv2d}", DECODINGS],
    "las": ["network.arguments.width=8", DECODINGS],
}
TREES = ["corpus.train=[train-clean-100]"]  # the one that the tree has
CALLS = ["corpus.dev=1"]  # of the tree's four conversations


def test_every_row_has_the_parameters_of_its_size():
    with on_path(ROOT), torch.device("meta"):
        for path in RECIPES:
            recipe = load(path)
            network = build(recipe.network, recipe.features.mel, recipe.text.labels, ROOT)
            millions = sum(p.numel() for p in network.parameters()) / 1e6
            size = recipe.network.arguments["depth"], recipe.network.arguments["width"]
            if "conformer" in path.stem:  # S, without the transducer's decoder
                assert millions == pytest.approx(8.9, rel=0.1)
            elif "transducer" in path.stem:  # M
                assert millions == pytest.approx(30.7, rel=0.03)
            elif recipe.text.pieces == 16_000:
                assert millions == pytest.approx(MILLIONS[size], rel=0.01), path
            else:
                assert millions < MILLIONS[size]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    librispeech_tree(folder)
    switchboard_tree(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_row_trains_two_steps_on_a_tree_of_the_same_layout(path, data, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    kind, telephone = next(kind for kind in NARROW if kind in path.stem), "switchboard" in str(path)
    *_, recipe = load(path, [*SMALL, *NARROW[kind], *(CALLS if telephone else TREES)]).runs()
    cache = tmp_path_factory.getbasetemp() / "published-cache"
    run = Run(path.stem, recipe, Places(ROOT, data, cache, tmp_path_factory.mktemp("runs")))
    result = read_result(execute(run))
    assert result.steps >= 2
    tests = ("swbd", "callhome") if telephone else ("test-clean", "test-other")
    decodings = ("", "+beam", "+lm") if recipe.decodings else ("",)
    assert {f"{part}{decoding}" for part in tests for decoding in decodings} < set(result.parts)


@pytest.mark.slow
@pytest.mark.timeout(900)  # two minutes on a core that others use as well
def test_the_largest_network_takes_a_step_as_it_is(data, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    path = EXPERIMENTS / "librispeech-960-las" / "las-6-1280-D-LD.yaml"
    few = ["training.batch=1", "training.accumulate=1", "corpus.test=[test-clean]", "decodings=[]"]
    recipe = next(load(path, [*SMALL, *TREES, *few]).runs())
    run = Run(path.stem, recipe, Places(ROOT, data, tmp_path / "cache", tmp_path / "runs"))
    result = read_result(execute(run))
    assert result.parameters > 250e6
    assert result.steps >= 2
