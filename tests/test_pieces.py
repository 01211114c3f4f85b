import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specaug.errors import UserError
from specaug.speech.pieces import Pieces, trained_pieces

DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEXTS = [" ".join(random.Random(line).choices(DIGITS, k=6)) for line in range(60)]
PIECES = trained_pieces(TEXTS, 40)
LETTERS = sorted(set("".join(TEXTS)) - {" "})


@given(st.lists(st.text(LETTERS, min_size=1, max_size=8), min_size=1, max_size=5).map(" ".join))
def test_whatever_is_written_in_known_characters_comes_back(text):
    labels = PIECES.encode(text)
    assert PIECES.decode(labels) == text
    assert all(1 <= label < PIECES.size for label in labels)


def test_there_are_as_many_pieces_as_were_asked_for_beside_label_0():
    assert PIECES.size == 41


def test_more_pieces_write_a_text_in_fewer_labels():
    few, many = trained_pieces(TEXTS, 18), trained_pieces(TEXTS, 60)
    text = " ".join(DIGITS)
    assert len(many.encode(text)) < len(PIECES.encode(text)) < len(few.encode(text))


def test_the_same_texts_in_any_order_give_the_same_pieces():
    assert trained_pieces(TEXTS[::-1], 40) == PIECES


def test_pieces_are_what_their_model_says():
    assert Pieces(PIECES.model).encode("seven two") == PIECES.encode("seven two")


def test_a_character_that_no_piece_has_is_named():
    with pytest.raises(ValueError, match="characters '!q' are in none of the 40 pieces"):
        PIECES.encode("q one!")


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (4, "text.pieces is 4; the transcripts have more characters than that; expected at least"),
        (5000, r"text.pieces is 5000; the transcripts have \d+ at the most; expected no more"),
    ],
)
def test_a_number_of_pieces_that_does_not_fit_the_texts_is_refused(count, said):
    with pytest.raises(UserError, match=said):
        trained_pieces(TEXTS, count)


def test_the_most_pieces_that_are_named_can_be_had():
    with pytest.raises(UserError) as refused:
        trained_pieces(TEXTS, 5000)
    most = int(str(refused.value).split(" at the most")[0].split()[-1])
    assert trained_pieces(TEXTS, most).size == most + 1
    with pytest.raises(UserError, match=f"{most} at the most"):
        trained_pieces(TEXTS, most + 1)
