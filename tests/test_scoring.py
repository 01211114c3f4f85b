from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specaug.speech.scoring import Errors, add, character_errors, word_errors

words = st.lists(st.sampled_from(["one", "two", "six", "o"]), max_size=6)


def distance_by_hand(reference: tuple[str, ...], hypothesis: tuple[str, ...]) -> int:
    """The fewest substitutions, deletions and insertions, by the recursive definition."""

    @cache
    def distance(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        changed = distance(i - 1, j - 1) + (reference[i - 1] != hypothesis[j - 1])
        return min(changed, distance(i - 1, j) + 1, distance(i, j - 1) + 1)

    return distance(len(reference), len(hypothesis))


@given(reference=words.filter(bool), hypothesis=words)
def test_word_errors_are_the_edit_distance_of_the_words(reference, hypothesis):
    got = word_errors(" ".join(reference), " ".join(hypothesis))
    assert got.errors == distance_by_hand(tuple(reference), tuple(hypothesis))
    assert got.total == len(reference)
    assert got.total - got.deletions == len(hypothesis) - got.insertions


@given(reference=words.filter(bool), hypothesis=words)
def test_character_errors_are_the_edit_distance_of_the_characters_and_spaces(reference, hypothesis):
    said, written = " ".join(reference), " ".join(hypothesis)
    got = character_errors(said, written)
    assert got.errors == distance_by_hand(tuple(said), tuple(written))
    assert got.total == len(said)
    assert got.total - got.deletions == len(written) - got.insertions


@pytest.mark.parametrize(
    ("hypothesis", "counts"),
    [
        pytest.param("one two three", (0, 0, 0, 3), id="the same"),
        pytest.param("one six three", (1, 0, 0, 3), id="substitution"),
        pytest.param("one three", (0, 1, 0, 3), id="deletion"),
        pytest.param("one two o three", (0, 0, 1, 3), id="insertion"),
        pytest.param("", (0, 3, 0, 3), id="nothing written"),
    ],
)
def test_each_kind_of_error_is_counted_as_itself(hypothesis, counts):
    assert word_errors("one two three", hypothesis) == Errors(*counts)


@pytest.mark.parametrize("reference", [" one two", "one two ", "one  two", "one\ttwo\n"])
def test_the_space_around_and_between_the_words_of_a_reference_is_one_space(reference):
    assert word_errors(reference, "one two") == Errors(0, 0, 0, 2)
    assert character_errors(reference, "one two") == Errors(0, 0, 0, 7)


counts = st.builds(Errors, *[st.integers(0, 50)] * 4)


@given(rows=st.lists(counts, max_size=5))
def test_errors_add_up_and_their_rate_is_pooled(rows):
    got = add(iter(rows))
    assert (got.substitutions, got.deletions, got.insertions, got.total) == (
        sum(e.substitutions for e in rows),
        sum(e.deletions for e in rows),
        sum(e.insertions for e in rows),
        sum(e.total for e in rows),
    )
    total = sum(e.total for e in rows)
    wrong = sum(e.substitutions + e.deletions + e.insertions for e in rows)
    assert got.rate == (wrong / total if total else wrong)
