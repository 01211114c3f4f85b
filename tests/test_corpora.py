import pytest

from specaug.speech.corpora.options import Manifests, Spoken
from specaug.study.corpora import open_corpus
from specaug.study.places import Places


def test_manifests_are_found_from_the_laboratory_and_leave_no_cache(tiny, tmp_path):
    places = Places(tiny, tmp_path / "data", tmp_path / "cache", tmp_path / "runs")
    options = Manifests(train="data/train.jsonl", dev="data/dev.jsonl", test=("data/test.jsonl",))
    corpus = open_corpus(options, places)
    assert {part: len(utterances) for part, utterances in corpus.parts.items()} == {
        "train": 6,
        "dev": 2,
        "test": 2,
    }
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_synthetic_speech_is_made_in_the_cache_without_a_source(tmp_path):
    places = Places(tmp_path / "lab", tmp_path / "data", tmp_path / "cache", tmp_path / "runs")
    options = Spoken(vocabulary="small", voices=2, train=4, dev=2, test=2, test_voices=2)
    corpus = open_corpus(options, places)
    assert corpus.synthetic
    assert all(u.audio.is_relative_to(tmp_path / "cache") for u in corpus.parts["train"])
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
