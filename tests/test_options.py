import pytest

from specaug.speech.corpora.options import Fsdd, Spoken, content


def test_options_that_came_later_change_no_corpus_made_before():
    assert "dev_voices" not in content(Spoken(), 1)
    assert "dev_speaker" not in content(Fsdd(), 1)
    assert '"speakers"' not in content(Fsdd(), 1)
    assert content(Spoken(dev_voices=2), 1) != content(Spoken(), 1) != content(Spoken(), 2)
    assert content(Fsdd(dev_speaker=True), 1) != content(Fsdd(), 1)
    assert content(Fsdd(speakers="known"), 1) != content(Fsdd(), 1)


@pytest.mark.parametrize("part", ["train", "dev", "test"])
@pytest.mark.parametrize("count", [0, -5])
def test_a_part_of_fsdd_has_a_string_at_least(part, count):
    with pytest.raises(ValueError, match=f"{part} is {count}; expected 1 string or more"):
        Fsdd(**{part: count})
    assert getattr(Fsdd(**{part: 1}), part) == 1


@pytest.mark.parametrize("part", ["train", "dev", "test"])
def test_single_recordings_are_all_taken_and_so_are_not_counted(part):
    with pytest.raises(ValueError, match=f"{part} is 7; expected nothing .*single takes every recording"):
        Fsdd(strings="single", **{part: 7})
    assert Fsdd(strings="single", fold=2, dev_speaker=True).strings == "single"


def test_known_speakers_have_no_folds_and_none_that_is_of_dev_alone():
    with pytest.raises(ValueError, match="fold is 1; expected 0, since speakers: known has no folds"):
        Fsdd(speakers="known", fold=1)
    with pytest.raises(ValueError, match="dev_speaker is true; expected false"):
        Fsdd(speakers="known", dev_speaker=True)
