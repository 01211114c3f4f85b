"""What an encoder may have heard of what a run tests, asked of the corpora that the options make."""

import importlib.util
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specaug.errors import UserError
from specaug.speech.corpora.heard import at_fault
from specaug.speech.corpora.options import (
    CorpusOptions,
    LibriSpeech,
    Manifests,
    SpeechCommands,
    Spoken,
    Switchboard,
)
from specaug.speech.corpora.spoken import cast, spoken
from specaug.speech.corpus import DEV, TRAIN, Corpus
from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.pretraining.first import pretraining_of
from specaug.study.pretraining.start import require_unheard

ROOT = Path(__file__).parent.parent
WORDS = Spoken(vocabulary="small", utterances="words", voices=2, train=40, dev=6, test=8, test_voices=2)
KNOWN = replace(WORDS, speakers="known", test_voices=16)
SPLITS = [
    WORDS,
    KNOWN,
    replace(KNOWN, train=20),
    replace(KNOWN, train=21),
    replace(KNOWN, dev=4),
    replace(KNOWN, test=16),
    replace(KNOWN, voices=3),
    replace(KNOWN, vocabulary="full"),
    replace(KNOWN, utterances="sentences"),
]
needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="needs pip install -e '.[tts]'"
)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory) -> dict[Spoken, Corpus]:
    cache = tmp_path_factory.mktemp("cache")
    return {options: spoken(options, cache) for options in SPLITS}


def told(corpus: Corpus, *, tested: bool) -> set[tuple[str, str, object]]:
    """By whom, what and how fast, in the test parts of a corpus that is spoken, or in its others."""
    parts = [us for part, us in corpus.parts.items() if (part not in (TRAIN, DEV)) == tested]
    return {(u.speaker, u.text, u.columns["rate"]) for us in parts for u in us}


@needs_espeak
@pytest.mark.parametrize(("heard", "options"), list(product(SPLITS, SPLITS)))
def test_words_are_refused_exactly_where_a_tested_one_was_spoken_before(corpora, heard, options):
    repeated = told(corpora[heard], tested=False) & told(corpora[options], tested=True)
    assert bool(at_fault(heard, options)) == bool(repeated)


def test_some_of_these_words_are_refused_and_some_are_not():
    found = {bool(at_fault(heard, options)) for heard in SPLITS for options in SPLITS if heard != options}
    assert found == {True, False}


COUNTS = st.builds(
    Spoken,
    vocabulary=st.just("small"),
    utterances=st.sampled_from(["sentences", "words"]),
    speakers=st.sampled_from(["disjoint", "known"]),
    voices=st.integers(1, 4),
    train=st.integers(1, 12),
    dev=st.integers(1, 4),
    test=st.integers(1, 8),
)


@given(COUNTS, COUNTS)
def test_nothing_that_is_not_refused_can_have_been_spoken_before(heard, options):
    def said(of: Spoken, *, tested: bool) -> set[tuple[str, str, int]]:
        every = ((role.voice.name, line) for role in cast(of) for line in role.lines)
        return {(n, one.text, one.rate) for n, one in every if (one.part not in (TRAIN, DEV)) == tested}

    repeated = said(heard, tested=False) & said(options, tested=True)
    assert bool(at_fault(heard, options)) == bool(repeated)
    assert not at_fault(options, options)
    if options.speakers == "disjoint":
        assert not repeated


SMALL = {"vocabulary": "small", "voices": 12, "train": 600, "dev": 60, "test": 120}
LIBRI = LibriSpeech(train=("train-clean-100", "test-clean"), dev=("dev-other",))
MINE = Manifests(train="data/all.jsonl", dev="data/dev.jsonl", test=("data/test.jsonl",))


@pytest.mark.parametrize(
    ("heard", "corpus", "faults"),
    [
        pytest.param(
            Spoken(speakers="known", **SMALL),
            Spoken(speakers="known", **{**SMALL, "train": 300}),
            "corpus.train is 300; expected 600",
            id="fewer sentences",
        ),
        pytest.param(
            Spoken(speakers="known", utterances="words", **{**SMALL, "dev": 120, "test": 240}),
            Spoken(speakers="known", utterances="words", **{**SMALL, "train": 300, "dev": 120, "test": 240}),
            "corpus.train is 300; expected 600",
            id="fewer words",
        ),
        pytest.param(
            Spoken(**SMALL),
            Spoken(speakers="known", **SMALL),
            "corpus.speakers is known; expected disjoint",
            id="voices that were trained on",
        ),
        pytest.param(Spoken(speakers="known", **SMALL), Spoken(**SMALL), None, id="voices of their own"),
        pytest.param(
            Spoken(**SMALL), Spoken(**{**SMALL, "train": 300}), None, id="sentences by other voices"
        ),
        pytest.param(
            LIBRI, LibriSpeech(), "corpus.test has test-clean; expected what it did not hear", id="train"
        ),
        pytest.param(
            LIBRI,
            LibriSpeech(test=("dev-other", "test-clean", "test-other")),
            "corpus.test has dev-other, test-clean; expected what it did not hear",
            id="dev and train",
        ),
        pytest.param(LibriSpeech(), LibriSpeech(train=("train-other-500",)), None, id="other parts"),
        pytest.param(
            MINE,
            Manifests(train="data/train.jsonl", dev="data/b.jsonl", test=("data/../data/all.jsonl",)),
            "corpus.test has data/../data/all.jsonl; expected what it did not hear",
            id="a manifest",
        ),
        pytest.param(MINE, MINE, None, id="its own manifests"),
        pytest.param(Switchboard(dev=40), Switchboard(dev=10, repeats=0), None, id="Hub5'00"),
        pytest.param(SpeechCommands(), SpeechCommands(words="ten"), None, id="ten words"),
        pytest.param(LibriSpeech(train=("a",)), MINE, None, id="another corpus"),
        pytest.param(
            Manifests(train="test-clean", dev="b"), LibriSpeech(), None, id="another corpus with such a name"
        ),
    ],
)
def test_a_run_is_refused_with_the_options_that_let_it_test_what_was_heard(
    heard: CorpusOptions, corpus: CorpusOptions, faults: str | None
):
    if faults is None:
        require_unheard("a", heard, corpus)
        return
    with pytest.raises(UserError) as caught:
        require_unheard("a", heard, corpus)
    instead = "or a pretraining on train and dev of this corpus"
    assert str(caught.value) == f"a: pretrained on what is tested here: {faults}, {instead}"


def test_synthetic_speech_that_cannot_be_is_told_before_a_line_is_drawn():
    none = replace(KNOWN, train=0)
    with pytest.raises(UserError, match=r"^corpus spoken: train is 0; expected 1 or more$"):
        at_fault(none, KNOWN)


BEGUN = {
    path.stem: recipe
    for path in sorted((ROOT / "experiments").glob("*.yaml"))
    if (recipe := load(path)).network.pretraining
}


def test_recipes_that_begin_with_a_pretraining_are_there():
    assert {"fsdd-ast-pretrained", "spoken-voices", "spoken-words", "speech-commands"} <= set(BEGUN)


@pytest.mark.parametrize("name", BEGUN)
def test_no_recipe_of_ours_begins_with_what_it_tests(name, tmp_path):
    places = Places(ROOT, tmp_path, tmp_path, tmp_path)
    assert all(pretraining_of(run, places) for run in BEGUN[name].runs())
