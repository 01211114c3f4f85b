import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_scoring import distance_by_hand

from specaug.study.triage.regions import Region, placed, word_errors
from specaug.training.align import Span

WORDS = st.lists(st.sampled_from("abc"), max_size=6)


@given(said=WORDS.filter(bool), written=WORDS)
def test_undoing_the_errors_of_a_hypothesis_gives_the_reference(said, written):
    errors = word_errors(" ".join(said), " ".join(written))
    wrong = {e.written: e for e in errors if e.written is not None}
    right = [word for place, word in enumerate(written) if place not in wrong]
    spoken = {e.said for e in errors if e.said is not None}
    assert right == [word for place, word in enumerate(said) if place not in spoken]
    assert len(errors) == distance_by_hand(tuple(said), tuple(written))


@pytest.mark.parametrize(
    ("hypothesis", "kinds", "notes"),
    [
        pytest.param("one two", [], [], id="right"),
        pytest.param("one free", ["sub"], ["two → free"], id="sub"),
        pytest.param("one", ["del"], ["two →"], id="del"),
        pytest.param("one two six", ["ins"], ["→ six"], id="ins"),
        pytest.param("", ["del", "del"], ["one →", "two →"], id="nothing"),
        pytest.param("six  free", ["sub", "sub"], ["one → six", "two → free"], id="two in a row"),
    ],
)
def test_each_kind_of_error_has_its_words_as_a_note(hypothesis, kinds, notes):
    errors = word_errors("one  two", hypothesis)
    assert ([e.kind for e in errors], [e.note for e in errors]) == (kinds, notes)


def test_what_was_missed_lies_where_it_was_said_and_the_rest_where_it_was_written():
    said, written = [Span(0.0, 1.0), Span(1.0, 2.0)], [Span(5.0, 6.0), Span(6.0, 7.0)]
    missed, wrong = word_errors("one two", "two"), word_errors("one two", "one six")
    assert placed(missed, said, written[:1]) == [Region("del", "one →", said[0])]
    assert placed(wrong, said, written) == [Region("sub", "two → six", written[1])]
    assert placed(word_errors("one", "one six"), said[:1], written) == [Region("ins", "→ six", written[1])]


def test_errors_without_an_alignment_have_no_region():
    errors = word_errors("a b c", "x b")
    assert [r.kind for r in placed(errors, None, [Span(0.0, 1.0), Span(1.0, 2.0)])] == ["sub"]
    assert [r.kind for r in placed(errors, [Span(0.0, 1.0)] * 3, None)] == ["del"]
