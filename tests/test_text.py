from itertools import count, groupby, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specaug.speech.options import Text
from specaug.speech.text import BLANK, Alphabet, foreign, frames_needed

ENGLISH = Alphabet(" 'abcdefghijklmnopqrstuvwxyz")
words = st.text("'abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=6)
texts = st.lists(words, max_size=4).map(" ".join)


def spelled_by_hand(path: tuple[int, ...]) -> list[int]:
    """What CTC reads from a path: runs of one label are one label, and blanks are nothing."""
    return [label for label, _ in groupby(path) if label != 0]


def fewest_frames_by_hand(labels: list[int]) -> int:
    """The length of the shortest of all paths that spell `labels`."""
    for frames in count():
        if any(spelled_by_hand(path) == labels for path in product(range(3), repeat=frames)):
            return frames
    raise AssertionError


@given(text=texts)
def test_text_comes_back_from_its_labels(text):
    assert ENGLISH.decode(ENGLISH.encode(text)) == text


@given(text=texts)
def test_every_character_has_one_label_and_none_is_the_blank(text):
    labels = ENGLISH.encode(text)
    assert len(labels) == len(text)
    assert BLANK == 0
    assert all(1 <= label < ENGLISH.size for label in labels)


def test_labels_follow_the_order_of_the_alphabet():
    assert Alphabet("xyz").encode("zxy") == [3, 1, 2]
    assert Alphabet("xyz").decode([3, 1, 2]) == "zxy"
    assert Alphabet("xyz").size == 4


def test_the_spaces_that_a_network_writes_are_tidied():
    assert Alphabet(" ab").decode([1, 2, 1, 1, 3, 1]) == "a b"
    assert Alphabet(" ab").decode([1, 1]) == ""


@given(text=st.text("abÄ!\n", max_size=10))
def test_foreign_characters_are_each_named_once(text):
    strange = foreign(text, "ab")
    assert sorted(strange) == sorted({character for character in text if character in "Ä!\n"})
    if strange:
        with pytest.raises(ValueError, match="not in the alphabet 'ab'") as caught:
            Alphabet("ab").encode(text)
        assert repr(strange) in str(caught.value)


@given(labels=st.lists(st.integers(1, 2), max_size=4))
def test_ctc_needs_as_many_frames_as_its_shortest_path(labels):
    assert frames_needed(labels) == fewest_frames_by_hand(labels)


def test_frames_are_counted_of_text_as_of_its_labels():
    assert frames_needed("aab") == frames_needed([1, 1, 2]) == 4


@pytest.mark.parametrize("alphabet", ["", "aba"])
def test_an_alphabet_has_characters_each_once(alphabet):
    with pytest.raises(ValueError, match=r"alphabet is .*; expected characters, each of them once"):
        Text(alphabet=alphabet)
