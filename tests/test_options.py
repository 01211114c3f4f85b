from specaug.speech.corpora.options import Fsdd, Spoken, content


def test_options_that_came_later_change_no_corpus_made_before():
    assert "dev_voices" not in content(Spoken(), 1)
    assert "dev_speaker" not in content(Fsdd(), 1)
    assert content(Spoken(dev_voices=2), 1) != content(Spoken(), 1) != content(Spoken(), 2)
    assert content(Fsdd(dev_speaker=True), 1) != content(Fsdd(), 1)
