import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from standins import ALPHABET, OneLayer, Plan

from specaug.cli import main
from specaug.errors import UserError
from specaug.study import decoders
from specaug.study.laboratory import on_path
from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.results import read_lines, read_result
from specaug.study.run import Run, check, execute, prepared_run
from specaug.training import language
from specaug.training.decoding import Decoding, LanguageModel
from specaug.training.fit import Decoder, train
from specaug.training.language import perplexity_of

LM = "lm: {arguments: {width: 8}, steps: 20}"


@pytest.fixture(autouse=True)
def _without_wandb(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")


def run_of(laboratory: Path, runs: Path, decodings: str, *overrides: str) -> Run:
    recipe = load(laboratory / "experiments" / "tiny.yaml", [f"decodings={decodings}", *overrides]).run()
    return Run("tiny", recipe, Places.of(laboratory, runs=runs))


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory) -> Run:
    decodings = f"[{{label: beam, beam: 3}}, {{label: lm, beam: 2, weight: [0.2, 0.9], {LM}}}]"
    run = run_of(tiny, tmp_path_factory.mktemp("runs"), decodings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        execute(run)
    return run


def checked(laboratory: Path, places: Places, decodings: str) -> None:
    check(Run("tiny", run_of(laboratory, places.runs, decodings).recipe, places))


def test_every_part_is_written_in_every_way(finished):
    parts = {part for name in ("dev", "test") for part in (name, f"{name}+beam", f"{name}+lm")}
    assert set(read_result(finished.folder).parts) == parts
    rows = read_lines(finished.folder)
    for part in parts:
        name = part.partition("+")[0]
        assert [(r["id"], r["speaker"]) for r in rows if r["part"] == part] == [
            (r["id"], r["speaker"]) for r in rows if r["part"] == name
        ]


def test_what_was_chosen_on_dev_is_told(finished):
    told = json.loads((finished.folder / "result.json").read_text())["decodings"]
    assert told["beam"] == {"beam": 3}
    assert set(told["lm"]) == {"beam", "weight", "perplexity"}
    assert told["lm"]["beam"] == 2
    assert told["lm"]["weight"] in (0.2, 0.9)


def test_how_perplexed_a_language_model_is_by_dev_is_stored_and_said_once(tiny, tmp_path):
    """By the transcripts of dev: where these are others it is measured again, with the same weights."""
    data, said, kept = tmp_path / "data", [], []
    data.mkdir()
    for path in (tiny / "data").iterdir():
        (data / path.name).symlink_to(path)
    places = Places(tiny, data, tmp_path / "cache", tmp_path / "runs")
    for dev in ("data/dev.jsonl", "data/dev.jsonl", "data/test.jsonl"):
        recipe = run_of(tiny, tmp_path, f"[{{weight: 0.5, {LM}}}]", f"corpus.dev={dev}").recipe
        recipe = replace(recipe, corpus=replace(recipe.corpus, test=()))
        with on_path(tiny):
            _, prepared, (decoder,) = prepared_run(Run("tiny", recipe, places), say=said.append)
        network = decoder.candidates[0]["lm"]
        expected = perplexity_of(network, prepared.parts["dev"].labels, 3)
        assert decoder.facts["perplexity"] == pytest.approx(expected)
        kept.append(decoder.facts["perplexity"])
    assert kept[0] == kept[1] != kept[2]
    assert said == [f"language model: perplexity {value:.4g} a label on dev" for value in (kept[0], kept[2])]
    assert len(list(places.cache.glob("language-*/language.pt"))) == 1
    assert list(places.cache.glob("language-*.ckpt")) == []


def test_a_killed_language_model_goes_on_and_its_checkpoint_goes(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(language, "EVERY", 5)
    run = run_of(tiny, tmp_path / "runs", f"[{{weight: 0.5, {LM}}}]")
    places, steps = replace(run.places, cache=tmp_path / "cache"), []

    def dies(what: str, done: int, _: int) -> None:
        if what == "language model":
            steps.append(done)
            if len(steps) == 12:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(replace(run, places=places), dies)
    assert len(list(places.cache.glob("language-*.ckpt"))) == 1
    check(replace(run, places=places), dies)
    assert steps[12:] == list(range(11, 21))
    assert list(places.cache.glob("language-*.ckpt")) == []


def test_a_language_model_is_made_once(finished, tmp_path):
    made = list(finished.places.cache.glob("language-*"))
    again = run_of(finished.places.laboratory, tmp_path, f"[{{weight: 0.2, {LM}}}]", "policy=LD", "seed=1")
    again = Run("tiny", again.recipe, finished.places)
    check(again)
    assert [path for path in made if path.is_dir()] == [
        path for path in finished.places.cache.glob("language-*") if path.is_dir()
    ]


class Asked(OneLayer):
    """Is right with the weight 0.5 on dev, and only there with 0.9."""

    def transcribe(self, features, lengths, weight=0.0):
        right = weight == 0.5
        return [ALPHABET.encode("a" if right else "b")] * len(lengths)


@pytest.mark.parametrize(
    ("weights", "chosen"), [((0.1, 0.5, 0.9), 0.5), ((0.9, 0.5), 0.5), ((0.1, 0.9), 0.1), ((0.9, 0.1), 0.9)]
)
def test_the_values_are_those_with_the_fewest_errors_on_dev_the_first_of_equals(tmp_path, weights, chosen):
    from standins import tones

    prepared = tones(tmp_path, {"train": ["ab", "ba", "a b"], "dev": ["a", "a"], "test": ["b"]})
    plan = Plan(folder=tmp_path / "run", prepared=prepared, network=Asked())
    job = plan.job()
    candidates = [{"weight": weight} for weight in weights]
    outcome = train(type(job)(**{**vars(job), "decoders": [Decoder("w", candidates)]}))
    assert outcome.decoded == {"w": {"weight": chosen}}
    assert outcome.parts["dev+w"].words.rate == (0 if chosen == 0.5 else 1)
    assert outcome.parts["test+w"].words.rate == (1 if chosen == 0.5 else 0)
    assert outcome.parts["dev"].words.rate == 1


def test_candidates_are_every_weight_with_every_coverage():
    decoding = Decoding(weight=(0.0, 0.3), coverage=(0.0, 0.05), lm=LanguageModel())
    assert list(decoding.candidates()) == [
        {"beam": 8},
        {"beam": 8, "coverage": 0.05},
        {"beam": 8, "weight": 0.3},
        {"beam": 8, "weight": 0.3, "coverage": 0.05},
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"label": "a+b"}, r"label is 'a\+b'; expected letters, digits"),
        ({"beam": 0}, "beam is 0; expected 1 or more"),
        ({"weight": ()}, r"weight is \[\]; expected numbers, 0 or more"),
        ({"coverage": (-0.1,)}, r"coverage is \[-0.1\]; expected numbers, 0 or more"),
        ({"weight": (0.3,)}, r"weight is \[0.3\]; expected a language model"),
    ],
)
def test_a_decoding_that_cannot_be_is_refused(values, words):
    with pytest.raises(ValueError, match=words):
        Decoding(**values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"steps": 0}, "steps is 0; expected more than 0"),
        ({"peak": -1.0}, "peak is -1.0; expected more than 0"),
        ({"ngrams": "a", "text": "b"}, "ngrams is 'a' and text is 'b'; expected one of them"),
    ],
)
def test_a_language_model_that_cannot_be_is_refused(values, words):
    with pytest.raises(ValueError, match=words):
        LanguageModel(**values)


@pytest.mark.parametrize(
    ("decodings", "words"),
    [
        ("[{label: a}, {label: a}]", "decodings hold a twice; expected each once"),
        ("[{coverage: 0.1}]", "decoding lm: BiLSTMCTC.transcribe has no coverage"),
        ("[{weight: 1, lm: {ngrams: no.arpa}}]", "no.arpa: no such file; expected n-grams"),
        ("[{weight: 1, lm: {text: no.txt}}]", "no.txt: cannot be read as text"),
        ("[{weight: 1, lm: {text: strange.txt}}]", "strange.txt:2: characters 'ß' are not in the alphabet"),
        ("[{weight: 1, lm: {path: models.language.LSTM}}]", "unknown network 'models.language.LSTM'"),
        ("[{weight: 1, lm: {arguments: {widht: 3}}}]", "unknown argument 'widht'; did you mean 'width'"),
    ],
)
def test_a_recipe_whose_decoding_does_not_fit_is_refused_in_one_line(tiny, tmp_path, decodings, words):
    data = tmp_path / "data"
    data.mkdir()
    (data / "strange.txt").write_text("a b\nmaß\n")
    for path in (tiny / "data").iterdir():
        (data / path.name).symlink_to(path)
    with pytest.raises(UserError) as caught:
        checked(tiny, Places.of(tiny, data, tmp_path / "runs"), decodings)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


BEAMLESS = """from models.bilstm import BiLSTMCTC


class Beamless(BiLSTMCTC):
    def transcribe(self, features, lengths, beam=1):
        if beam > 1:
            raise NotImplementedError("no beam yet")
        return super().transcribe(features, lengths)
"""


def test_a_decoding_that_fails_is_found_before_training(laboratory, tmp_path):
    (laboratory / "models" / "beamless.py").write_text(BEAMLESS)
    run = run_of(laboratory, tmp_path, "[{label: wide, beam: 2}]", "network.path=models.beamless.Beamless")
    with pytest.raises(UserError, match=r"network Beamless: decoding wide fails on .*: no beam yet$"):
        execute(run)
    assert not run.folder.exists()


def test_without_kenlm_the_error_says_what_to_install(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "kenlm", None)
    (tmp_path / "some.arpa").touch()
    data = check(run_of(tiny, tmp_path, "[]"))
    with on_path(tiny), pytest.raises(UserError) as caught:
        decoders.ngrams(tmp_path / "some.arpa", data)
    how = "pip install -e '.[lm]' in the checkout; it takes cmake and a C++ compiler"
    assert str(caught.value) == f"kenlm is not installed ({how}); expected it for n-grams"


def test_one_value_may_be_written_without_a_list(tiny):
    recipe = load(tiny / "experiments" / "tiny.yaml", ["decodings=[{weight: 0.5, lm: {}}]"])
    assert recipe.decodings == (Decoding(weight=(0.5,), lm=LanguageModel()),)
    assert json.loads(json.dumps(asdict(recipe)))["decodings"][0]["weight"] == [0.5]


def test_a_file_of_sentences_changes_the_language_model(tiny, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for path in (tiny / "data").iterdir():
        (data / path.name).symlink_to(path)
    (data / "more.txt").write_text("abc  cab\n\ncab\n")
    cache = tmp_path / "cache"
    for text in ("''", "more.txt"):
        run = run_of(
            tiny, tmp_path, f"[{{weight: 1, lm: {{text: {text}, steps: 5, arguments: {{width: 8}}}}}}]"
        )
        check(Run("tiny", run.recipe, Places(tiny, data, cache, tmp_path / "runs")))
    weights = [torch.load(path, weights_only=True) for path in cache.glob("language-*/language.pt")]
    assert len(weights) == 2
    assert not torch.equal(weights[0]["output.weight"], weights[1]["output.weight"])


@pytest.mark.slow
def test_a_table_shows_both_ways(finished, capsys):
    assert main(["compare", str(finished.folder.parent)]) == 0
    shown = capsys.readouterr().out
    assert "test+lm" in shown or "with LM" in shown
