from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_ctc import log_probs, merge_by_hand

from specaug.speech.text import Alphabet, frames_needed
from specaug.training.align import MARGIN, label_frames, word_spans

ABC = Alphabet(" abc")


def best_path_by_hand(said: torch.Tensor, labels: list[int]) -> list[int]:
    """Of all paths that spell the labels, the most likely one."""
    paths = [p for p in product(range(said.shape[1]), repeat=len(said)) if merge_by_hand(list(p)) == labels]
    return list(max(paths, key=lambda path: sum(said[frame, label] for frame, label in enumerate(path))))


def spelling(path: list[int], vocab: int = 5) -> torch.Tensor:
    """Log-probabilities whose best path is this one."""
    said = torch.zeros(len(path), vocab)
    said[range(len(path)), path] = 9.0
    return said.log_softmax(dim=-1)


@pytest.mark.parametrize("labels", [[1], [2, 1], [1, 1], [1, 2, 1], [2, 2, 1]], ids=str)
def test_labels_lie_where_the_most_likely_path_that_spells_them_has_them(labels):
    for said in log_probs(4, 5, 3):
        path = best_path_by_hand(said, labels)
        frames = label_frames(said, labels)
        rebuilt = [0] * len(path)
        for label, (start, stop) in zip(labels, frames, strict=True):
            rebuilt[start:stop] = [label] * (stop - start)
        assert rebuilt == path


def test_a_word_reaches_from_its_first_to_its_last_label_and_by_the_margin_beyond():
    path = [0] * 10 + [2, 0, 3, 3] + [0] * 26
    (span,) = word_spans(spelling(path), "ab", ABC, 0.02)
    assert span.start == pytest.approx(0.20 - MARGIN)
    assert span.end == pytest.approx(0.28 + MARGIN)


def test_two_words_that_are_near_share_what_lies_between_them():
    path = [0, 2, 1, 0, 0, 3, 0]
    first, second = word_spans(spelling(path), "a b", ABC, 0.02)
    assert (first.start, second.end) == (0.0, pytest.approx(0.14))
    assert first.end == second.start == pytest.approx((0.04 + 0.10) / 2)


@given(text=st.text(" abc", max_size=12), spare=st.integers(0, 6), step=st.floats(0.01, 0.1))
def test_words_lie_in_the_utterance_one_after_the_other(text, spare, step):
    tidy = " ".join(text.split())
    frames = frames_needed(tidy) + spare
    spans = word_spans(log_probs(1, frames, 5)[0], text, ABC, step)
    edges = [edge for span in spans for edge in (span.start, span.end)]
    assert len(spans) == len(tidy.split())
    assert edges == sorted(edges)
    assert all(0 <= edge <= step * frames + 1e-9 for edge in edges)
    assert all(span.start < span.end for span in spans)


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        pytest.param("abc", 2, id="more labels than frames"),
        pytest.param("aab", 3, id="two alike need a blank between them"),
        pytest.param("abd", 9, id="a character that the network cannot write"),
        pytest.param("a", 0, id="no frames"),
    ],
)
def test_what_does_not_fit_has_no_times(text, frames):
    assert word_spans(log_probs(1, max(1, frames), 5)[0, :frames], text, ABC, 0.04) is None


def test_nothing_written_has_no_words():
    assert word_spans(log_probs(1, 4, 5)[0], "", ABC, 0.04) == []
