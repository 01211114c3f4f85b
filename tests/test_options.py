import pytest

from specaug.speech.corpora.options import Fsdd, Spoken, content


def test_options_that_came_later_change_no_corpus_made_before():
    assert "dev_voices" not in content(Spoken(), 1)
    assert "dev_speaker" not in content(Fsdd(), 1)
    assert content(Spoken(dev_voices=2), 1) != content(Spoken(), 1) != content(Spoken(), 2)
    assert content(Fsdd(dev_speaker=True), 1) != content(Fsdd(), 1)


@pytest.mark.parametrize("part", ["train", "dev", "test"])
@pytest.mark.parametrize("count", [0, -5])
def test_a_part_of_fsdd_has_a_string_at_least(part, count):
    with pytest.raises(ValueError, match=f"{part} is {count}; expected 1 string or more"):
        Fsdd(**{part: count})
    assert getattr(Fsdd(**{part: 1}), part) == 1
