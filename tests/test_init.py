import hashlib
import json
import shutil
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import lay_out
from pretexts import small
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from standins import MEL, Plan
from torch import nn
from trees import esc50_tree

from models.ast import AST, ASTCTC
from models.bilstm import BiLSTMCTC
from specaug import cli
from specaug.errors import UserError
from specaug.speech.corpora import fsdd
from specaug.speech.corpora.options import CorpusOptions, Esc50, Fsdd, Spoken
from specaug.speech.corpus import DEV, TRAIN
from specaug.speech.options import Features
from specaug.study.comparing.systems import systems
from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.pretraining.kept import keep, opened
from specaug.study.pretraining.recipe import Encoder, Pretraining
from specaug.study.pretraining.start import require_heard, require_unheard, same_start, start_from, start_of
from specaug.study.recipe import Network
from specaug.study.results import read_result
from specaug.study.run import Run
from specaug.training.fit import train

SIZES = {"width": 12, "depth": 2, "heads": 2, "t": 2, "f": 16, "frames": 64}


def network(mel: int = MEL, seed: int = 1, **changes: Any) -> ASTCTC:
    torch.manual_seed(seed)
    return ASTCTC(mel, 6, **{**SIZES, **changes})


def kept(
    path: Path,
    mel: int = MEL,
    heard: Mapping[str, Any] = {},
    rate: int | None = 8000,
    corpus: CorpusOptions = Spoken(),  # noqa: B008 (frozen)
    **changes: Any,
) -> Path:
    """An encoder as a pretraining leaves it."""
    torch.manual_seed(7)
    encoder = AST(mel, **{**SIZES, **changes})
    features, network = Features(mel=mel, **heard), Encoder(arguments={**SIZES, **changes})
    recipe = Pretraining(corpus=corpus, features=features, network=network)
    keep(encoder, recipe, rate, path)
    return path


def begun(built: nn.Module, path: Path, **options: Any) -> nn.Module:
    start_from(
        Network(path="models.ast.ASTCTC", init=path.name, **options), built, Features(mel=MEL), path.parent
    )
    return built


def state(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def alike(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in one)


def test_the_encoder_starts_with_the_weights_of_the_file_and_the_rest_with_its_own(tmp_path):
    path, fresh = kept(tmp_path / "encoder.safetensors"), network()
    built = begun(network(), path)
    assert alike(state(built.encoder), load_file(path))
    assert not alike(state(built.encoder), state(fresh.encoder))
    assert alike(state(built.output), state(fresh.output))
    assert all(p.requires_grad for p in built.parameters())


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"frames": 100}, id="more frames"),
        pytest.param({"stride_t": 1}, id="overlapping patches"),
        pytest.param({"stride_t": 1, "frames": 33}, id="overlapping patches, as many rows"),
        pytest.param({"dropout": 0.3}, id="dropout"),
    ],
)
def test_positions_are_fitted_and_what_has_no_weights_may_differ(tmp_path, changes):
    path = kept(tmp_path / "encoder.safetensors")
    built, before = network(**changes), load_file(path)
    begun(built, path)
    by_hand = AST(MEL, **{**SIZES, **changes})
    by_hand.load_pretrained(before)
    assert alike(state(built.encoder), state(by_hand))


@pytest.mark.parametrize(
    ("file", "changes", "differs"),
    [
        pytest.param({"t": 4}, {}, "frames of a patch (t) 4, expected 2", id="t"),
        pytest.param({"f": 8}, {}, "channels of a patch (f) 8, expected 16", id="f"),
        pytest.param(
            {"t": 4, "f": 8, "width": 8},
            {},
            "frames of a patch (t) 4, expected 2; channels of a patch (f) 8, expected 16; width 8, expected 12",
            id="patch and width",
        ),
        pytest.param(
            {"mel": 32}, {"mel": 16}, "mel channels 32, expected 16", id="mel count, though patches are alike"
        ),
        pytest.param({"heads": 3}, {}, "heads 3, expected 2", id="heads, which no weight tells"),
        pytest.param({"slope": 0.5}, {}, "slope 0.5, expected 0.0", id="slope, which no weight tells"),
        pytest.param({"depth": 1}, {}, "depth 1, expected 2", id="too shallow"),
        pytest.param({"depth": 3, "frames": 64}, {}, "depth 3, expected 2", id="too deep, and longer"),
    ],
)
def test_weights_of_another_encoder_are_refused_with_what_differs_and_nothing_is_loaded(
    tmp_path, file, changes, differs
):
    path, built = kept(tmp_path / "encoder.safetensors", **file), network(**changes)
    before = state(built)
    with pytest.raises(UserError) as caught:
        begun(built, path)
    assert str(caught.value) == f"network.init: {path}: of another encoder: {differs}"
    assert alike(state(built), before)


@pytest.mark.parametrize(
    ("heard", "differs"),
    [
        pytest.param({"window": 0.05}, "features.window is 0.025 s; expected 0.05 s", id="window"),
        pytest.param({"shift": 0.02}, "features.shift is 0.01 s; expected 0.02 s", id="shift"),
        pytest.param({"lowest": 300.0}, "features.lowest is 20 Hz; expected 300 Hz", id="lowest"),
        pytest.param(
            {"floor": 60.0, "shift": 0.02},
            "features.shift is 0.01 s; expected 0.02 s, features.floor is null; expected 60 dB",
            id="floor and shift",
        ),
    ],
)
def test_weights_of_other_features_are_refused_with_what_differs(tmp_path, heard, differs):
    path, built = kept(tmp_path / "encoder.safetensors", heard=heard), network()
    before = state(built)
    with pytest.raises(UserError) as caught:
        begun(built, path)
    assert str(caught.value) == f"network.init: {path}: pretrained on other features: {differs}"
    assert alike(state(built), before)


@pytest.mark.parametrize(
    ("before", "now", "differs"),
    [
        pytest.param((None, 8000), (None, 8000), None, id="one rate"),
        pytest.param((3500.0, 22050), (3500.0, 8000), None, id="one highest frequency"),
        pytest.param((4000.0, 22050), (None, 8000), None, id="half the rate by name"),
        pytest.param((None, None), (None, 8000), None, id="features, of no known rate"),
        pytest.param((None, 22050), (None, None), None, id="then features"),
        pytest.param((None, 22050), (None, 8000), "is 4000 Hz; expected 11025 Hz", id="another rate"),
        pytest.param((None, 8000), (3500.0, 8000), "is 3500 Hz; expected 4000 Hz", id="lower"),
    ],
)
def test_the_topmost_band_is_compared_in_hertz(tmp_path, before, now, differs):
    path = kept(tmp_path / "encoder.safetensors", heard={"highest": before[0]}, rate=before[1])
    features = Features(mel=MEL, highest=now[0])
    if differs is None:
        require_heard(opened(path), features, now[1])
        return
    with pytest.raises(UserError, match=rf"other features: features\.highest {differs}$"):
        require_heard(opened(path), features, now[1])


def takes(options: Fsdd, *, tested: bool) -> set[tuple[str, int]]:
    """The recordings of each digit, by speaker and number, of the parts that are tested, or of those that are not."""
    plan = (fsdd._known if options.speakers == "known" else fsdd._disjoint)(options)
    shares = [share for part, share in plan.items() if (part not in (TRAIN, DEV)) == tested]
    return {one for share in shares for one in product(share.speakers, share.takes)}


SPLITS = [
    Fsdd(speakers="known"),
    Fsdd(speakers="known", strings="single"),
    *(Fsdd(fold=fold, dev_speaker=apart) for fold in range(3) for apart in (False, True)),
    Fsdd(strings="single", fold=1),
]


@pytest.mark.parametrize("heard", SPLITS)
@pytest.mark.parametrize("corpus", SPLITS)
def test_an_encoder_is_refused_exactly_where_it_may_have_heard_what_is_tested(heard, corpus):
    if takes(heard, tested=False) & takes(corpus, tested=True):
        with pytest.raises(UserError, match=r"^a: pretrained on what is tested here: corpus\."):
            require_unheard("a", heard, corpus)
    else:
        require_unheard("a", heard, corpus)


@pytest.mark.parametrize(
    ("heard", "corpus", "differs"),
    [
        pytest.param(Fsdd(), Fsdd(fold=2), "corpus.fold is 2; expected 0", id="fold"),
        pytest.param(Esc50(fold=3), Esc50(), "corpus.fold is 0; expected 3", id="ESC-50"),
        pytest.param(Esc50(fold=3), Esc50(fold=3, only_10=True), None, id="ESC-10"),
        pytest.param(
            Fsdd(speakers="known"),
            Fsdd(fold=1),
            "corpus.speakers is disjoint; expected known, corpus.fold is 1; expected 0",
            id="all speakers",
        ),
        pytest.param(
            Fsdd(), Fsdd(speakers="known"), "corpus.speakers is known; expected disjoint", id="dev is tested"
        ),
        pytest.param(Spoken(), Fsdd(fold=1), None, id="another corpus"),
        pytest.param(Esc50(fold=1), Fsdd(fold=2), None, id="folds of another corpus"),
        pytest.param(Spoken(speakers="known"), Spoken(), None, id="no folds"),
    ],
)
def test_a_file_says_what_it_has_heard(tmp_path, heard, corpus, differs):
    file = opened(kept(tmp_path / "a", corpus=heard))
    assert file.corpus == heard
    if differs is None:
        require_unheard(file.where, file.corpus, corpus)
        return
    with pytest.raises(UserError) as caught:
        require_unheard(file.where, file.corpus, corpus)
    instead = "or network.pretraining, of this split: each fold makes its own"
    assert str(caught.value) == f"{file.where}: pretrained on what is tested here: {differs}, {instead}"


def with_corpus(path: Path, **told: Any) -> Path:
    """The same file, with another corpus in its header; with none where nothing is told of it."""
    with safe_open(path, "pt") as file:
        recipe = json.loads(file.metadata()["recipe"])
    del recipe["corpus"]
    save_file(load_file(path), path, {"recipe": json.dumps({**recipe, **({"corpus": told} if told else {})})})
    return path


@pytest.mark.parametrize(
    ("told", "corpus"),
    [
        pytest.param({"name": "fsdd", "fold": 2}, Fsdd(fold=2), id="of before there were others"),
        pytest.param({"name": "mine", "fold": 2}, None, id="of another's"),
        pytest.param({}, None, id="none"),
    ],
)
def test_what_a_header_does_not_say_of_its_corpus_is_as_it_was_or_unknown(tmp_path, told, corpus):
    file = opened(with_corpus(kept(tmp_path / "a"), **told))
    assert (file.corpus, file.shape["mel"]) == (corpus, MEL)
    require_unheard(file.where, file.corpus, Fsdd(fold=2))


def test_a_file_of_before_there_was_a_slope_is_of_an_encoder_without_one(tmp_path):
    path = kept(tmp_path / "encoder.safetensors")
    with safe_open(path, "pt") as file:
        recipe = json.loads(file.metadata()["recipe"])
    del recipe["network"]["arguments"]["slope"]
    save_file(load_file(path), path, {"recipe": json.dumps(recipe)})
    assert opened(path).shape["slope"] == 0.0
    with pytest.raises(UserError, match=r"of another encoder: slope 0\.0, expected 1\.0"):
        begun(network(slope=1.0), path)


def test_without_a_recipe_in_the_file_the_shapes_of_the_weights_tell(tmp_path):
    path = tmp_path / "mine.safetensors"
    save_file(load_file(kept(tmp_path / "encoder.safetensors", t=4)), path)
    with pytest.raises(
        UserError, match=r"of another encoder: embedding\.weight is 12 x 64; expected 12 x 32"
    ):
        begun(network(), path)
    save_file(load_file(kept(tmp_path / "encoder.safetensors")), path)
    assert alike(state(begun(network(), path).encoder), load_file(path))


@pytest.mark.parametrize("header", ["[]", "{", '{"features": 3}', "null", '{"network": {"arguments": []}}'])
def test_a_header_of_another_kind_says_nothing(tmp_path, header):
    path = tmp_path / "mine.safetensors"
    save_file(load_file(kept(tmp_path / "encoder.safetensors")), path, {"recipe": header})
    assert opened(path).shape == {}
    begun(network(), path)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"some text, long enough for a header", id="text"),
        pytest.param(b"\x80\x02}q\x00.", id="a pickle"),
        pytest.param(b"\x02\0\0\0\0\0\0\0[]", id="a list"),
    ],
)
def test_a_file_that_is_no_safetensors_is_refused(tmp_path, content):
    path, built = tmp_path / "encoder.safetensors", network()
    path.write_bytes(content)
    before = state(built)
    with pytest.raises(
        UserError, match=f"^network.init: {path}: no safetensors .*; expected the encoder.safe"
    ):
        begun(built, path)
    assert alike(state(built), before)


def test_a_file_that_is_cut_short_is_refused(tmp_path):
    path = kept(tmp_path / "encoder.safetensors")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UserError, match="no safetensors"):
        begun(network(), path)


def test_a_checkpoint_of_a_run_is_no_safetensors_either(tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": small().state_dict()}, path)
    with pytest.raises(UserError, match="no safetensors"):
        begun(network(), path)


@pytest.mark.parametrize(("path", "what"), [("gone.safetensors", "No such file"), (".", "Is a directory")])
def test_a_file_that_is_not_there_is_told(tmp_path, path, what):
    with pytest.raises(UserError, match=f"^network.init: .*: {what}.*; expected the encoder.safetensors of"):
        start_from(Network(init=path), network(), Features(), tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"init": "a"}, "network.init is a; expected a network that has an encoder, and mine.LSTM has none"),
        (
            {"freeze": "encoder"},
            "network.freeze is encoder; expected a network that has an encoder, and mine",
        ),
    ],
)
def test_a_network_without_an_encoder_is_refused(tmp_path, options, message):
    with pytest.raises(UserError) as caught:
        start_from(
            Network(path="mine.LSTM", **options), BiLSTMCTC(MEL, 6, width=4, depth=1), Features(), tmp_path
        )
    assert str(caught.value).startswith(message)


def test_without_init_and_freeze_nothing_is_asked_of_a_network(tmp_path):
    start_from(Network(), BiLSTMCTC(MEL, 6, width=4, depth=1), Features(), tmp_path)


def test_what_the_recipe_leaves_to_the_encoders_defaults_is_known_of_the_file(tmp_path):
    recipe = Pretraining(features=Features(mel=32), network=Encoder(arguments={"depth": 1}))
    keep(AST(32, depth=1), recipe, None, tmp_path / "a")
    told = {"mel": 32, "t": 16, "f": 16, "width": 192, "depth": 1, "heads": 3, "slope": 0.0}
    assert opened(tmp_path / "a").shape == told


def test_the_file_has_the_same_bytes_whenever_it_is_written(tmp_path):
    one, other = (kept(tmp_path / name).read_bytes() for name in ("a", "b"))
    assert one == other
    assert opened(tmp_path / "a").digest == hashlib.sha256(one).hexdigest()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]  # nothing is left beside them


def test_a_frozen_encoder_stays_as_it_is_to_the_bit_without_gradient_or_dropout(tone_corpus, tmp_path):
    path = kept(tmp_path / "encoder.safetensors")
    built = begun(network(dropout=0.5), path, freeze="encoder")
    modes: list[tuple[bool, bool]] = []
    built.encoder.register_forward_pre_hook(lambda inner, _: modes.append((built.training, inner.training)))
    before, output = state(built.encoder), state(built.output)
    dropouts = [module for module in built.encoder.modules() if isinstance(module, nn.Dropout)]
    train(Plan(folder=tmp_path / "run", prepared=tone_corpus, network=built).job())
    assert {mode for mode in modes if mode[0]} == {
        (True, False)
    }  # in training, after each evaluation as well
    assert len([mode for mode in modes if mode[0]]) == 12
    assert dropouts
    assert alike(state(built.encoder), before)
    assert not alike(state(built.output), output)
    assert all(p.grad is None for p in built.encoder.parameters())


def test_without_freeze_the_encoder_is_trained(tone_corpus, tmp_path):
    built = begun(network(), kept(tmp_path / "encoder.safetensors"))
    before = state(built.encoder)
    train(Plan(folder=tmp_path / "run", prepared=tone_corpus, network=built).job())
    assert not alike(state(built.encoder), before)


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Path:
    """A laboratory with an encoder in it, of 32 channels."""
    folder = lay_out(tmp_path_factory.mktemp("begun") / "laboratory")
    kept(folder / "encoder.safetensors", mel=32, f=32)
    return folder


def command(lab: Path, runs: Path, *overrides: str) -> list[str]:
    network = "network={path: models.ast.ASTCTC, arguments: {width: 12, depth: 2, heads: 2, frames: 64}}"
    recipe = str(lab / "experiments" / "tiny.yaml")
    return ["train", recipe, network, *overrides, "--runs", str(runs), "--logger", "none"]


def result_of(runs: Path) -> tuple[Path, dict[str, Any]]:
    (folder,) = runs.glob("tiny/*")
    return folder, json.loads((folder / "result.json").read_text())


def encoder_of(checkpoint: Path) -> dict[str, torch.Tensor]:
    weights = torch.load(checkpoint, weights_only=True)["state_dict"]
    prefix = "network.encoder."
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def run(lab: Path, runs: Path, *overrides: str) -> Path:
    """The runs folder of a finished run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        assert cli.main(command(lab, runs, *overrides)) == 0
    return runs


@pytest.fixture(scope="module")
def frozen(lab, tmp_path_factory) -> Path:
    start = ("network.init=encoder.safetensors", "network.freeze=encoder")
    return run(lab, tmp_path_factory.mktemp("frozen"), *start)


@pytest.fixture(scope="module")
def plain(lab, tmp_path_factory) -> Path:
    return run(lab, tmp_path_factory.mktemp("plain"))


def test_a_recipe_that_says_so_starts_from_the_encoder_and_its_result_says_which(lab, frozen):
    folder, result = result_of(frozen)
    file = lab / "encoder.safetensors"
    assert result["network"]["init"] == "encoder.safetensors"
    assert result["network"]["freeze"] == "encoder"
    assert result["network"]["init_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert alike(encoder_of(folder / "last.ckpt"), load_file(file))


def test_a_recipe_without_it_has_no_such_field(plain):
    folder, result = result_of(plain)
    assert "init_sha256" not in result["network"]
    assert not (folder / "init.sha256").exists()


def test_runs_with_and_without_pretraining_are_two_systems_of_one_comparison(frozen, plain):
    found = systems([read_result(result_of(runs)[0]) for runs in (frozen, plain)])
    told = [system.told for system, _ in found]
    assert len(told) == 2
    assert {word for words in told for word in words.split()} in (
        {"init=none", "init=encoder.safetensors"},
        {"freeze=none", "freeze=encoder"},  # either tells them apart
    )


def test_what_is_wrong_with_the_file_is_one_line_before_anything_is_written(lab, tmp_path, capsys):
    (lab / "text.safetensors").write_text("no weights")
    assert cli.main(command(lab, tmp_path / "runs", "network.init=text.safetensors")) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"specaug: network.init: {lab / 'text.safetensors'}: no safetensors (")
    assert not list((tmp_path / "runs").glob("tiny/*"))


CLASSES = """corpus: esc50
text: {classes: text}
features: {mel: 32}
network:
  path: models.classifier.ASTClassifier
  arguments: {width: 12, depth: 2, heads: 2, t: 2, f: 32, frames: 64}
  init: encoder.safetensors
training: {batch: 4, schedule: {s_r: 1, s_i: 1, s_f: 2}}
policies: [None]
seeds: [0]
folds: [3, 0]
"""
SEARCHED = """experiment: ../experiments/sounds.yaml
space: {m_F: {low: 0, high: 1}}
metric: accuracy
trials: 1
first: [None]
confirm: {top: 0}
"""


@pytest.mark.parametrize("verb", ["train", "ablate", "sweep"])
def test_whatever_trains_refuses_an_encoder_that_has_heard_a_fold_before_it_trains_another(
    tmp_path, monkeypatch, capsys, verb
):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    esc50_tree(tmp_path / "data")
    lab = tmp_path / "laboratory"
    shutil.copytree(Path(__file__).resolve().parent.parent / "models", lab / "models")
    for name, text in (("experiments", CLASSES), ("sweeps", SEARCHED)):
        (lab / name).mkdir()
        (lab / name / "sounds.yaml").write_text(text)
    kept(lab / "encoder.safetensors", 32, rate=44100, corpus=Esc50(fold=3), f=32)
    recipe = lab / ("sweeps" if verb == "sweep" else "experiments") / "sounds.yaml"
    words = ["corpus.fold=0"] if verb == "train" else ["--workers", "1"]
    folders = [word for name in ("data", "runs") for word in (f"--{name}", str(tmp_path / name))]
    assert cli.main([verb, str(recipe), *words, *folders, "--logger", "none"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert (
        f"{lab / 'encoder.safetensors'}: pretrained on what is tested here: corpus.fold is 0; expected 3, or"
        in said
    )
    assert not list((tmp_path / "runs").glob("sounds/*/*"))


def test_a_run_does_not_go_on_from_a_checkpoint_that_was_begun_with_other_weights(tmp_path):
    path, folder, options = kept(tmp_path / "a"), tmp_path / "run", Network(init="a")
    folder.mkdir()
    same_start(folder, options, tmp_path)
    before = start_of(folder)
    assert before == {"init_sha256": opened(path).digest}
    kept(tmp_path / "a", frames=100)
    same_start(folder, options, tmp_path)  # nothing was trained yet
    assert start_of(folder) != before
    (folder / "last.ckpt").touch()
    same_start(folder, options, tmp_path)
    kept(tmp_path / "a")
    with pytest.raises(UserError, match=f"^{folder}: begun with other weights than {path} holds now"):
        same_start(folder, options, tmp_path)


def test_a_run_that_was_finished_before_there_was_such_a_key_is_found_again(lab, plain, tmp_path):
    shutil.copytree(plain, tmp_path / "runs")
    folder, result = result_of(tmp_path / "runs")
    recipe = (folder / "recipe.yaml").read_text()
    keys = ("  init", "  freeze")
    older = "".join(line for line in recipe.splitlines(keepends=True) if line.split(":")[0] not in keys)
    assert len(older.splitlines()) == len(recipe.splitlines()) - 2
    (folder / "recipe.yaml").write_text(older)
    folder.rename(folder.with_name("None-seed-0-0123456789ab"))
    words = command(lab, tmp_path / "runs")
    again = Run("tiny", load(Path(words[1]), words[2:3]).run(), Places.of(lab, runs=tmp_path / "runs"))
    assert again.folder.name == "None-seed-0-0123456789ab"
    assert again.id == result["run"]
