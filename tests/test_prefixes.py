import math
import random
from itertools import pairwise, product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_ctc import likelihood_by_hand
from test_search import remembering, score_by_hand, start, told

from models.prefixes import BLANK, Knowledge, Mass, following, go_on, search_prefixes, transcribed
from models.search import Found

VOCAB = 3  # the blank and two labels
SEEDS = st.integers(0, 10**6)


def emissions(seed: int, frames: int) -> torch.Tensor:
    chance = random.Random(seed)
    weights = [[chance.gammavariate(0.7, 1) + 1e-3 for _ in range(VOCAB)] for _ in range(frames)]
    return torch.tensor([[math.log(w / sum(row)) for w in row] for row in weights])


def ctc_by_hand(rows: torch.Tensor, labels: tuple[int, ...]) -> float:
    likelihood = likelihood_by_hand(rows.exp().tolist(), list(labels))
    return math.log(likelihood) if likelihood > 0 else -math.inf


def found_in(rows: torch.Tensor, beam: int, *lm) -> Found:
    (found,) = search_prefixes([rows], beam, *lm)
    return found


def spellable(frames: int):
    for size in range(frames + 1):
        yield from product(range(1, VOCAB), repeat=size)


@given(SEEDS, st.integers(1, 4))
def test_a_beam_wide_enough_finds_the_likeliest_labels_over_all_paths(seed, frames):
    rows = emissions(seed, frames)
    best = max(spellable(frames), key=lambda labels: ctc_by_hand(rows, labels))
    found = found_in(rows, 40)
    assert tuple(found.labels) == best
    assert found.score == pytest.approx(ctc_by_hand(rows, best), abs=1e-4)


@given(SEEDS, st.integers(1, 4), st.sampled_from([0.0, 0.5, 2.0]))
def test_a_language_model_adds_its_weight_of_every_label_and_the_end(seed, frames, weight):
    rows, writer = emissions(seed, frames), seed % 97

    def score(labels: tuple[int, ...]) -> float:
        return ctc_by_hand(rows, labels) + weight * score_by_hand(writer, labels)

    found = found_in(rows, 40, remembering, start([writer]), weight)
    best = max(spellable(frames), key=score)
    assert tuple(found.labels) == best
    assert found.score == pytest.approx(score(best), abs=1e-4)


@given(SEEDS, st.integers(1, 4))
def test_a_wider_beam_never_ends_in_a_worse_score(seed, frames):
    rows = emissions(seed, frames)
    scores = [found_in(rows, beam, remembering, start([5]), 1.0).score for beam in range(1, 7)]
    assert all(b >= a - 1e-4 for a, b in pairwise(scores))


@given(SEEDS, st.integers(1, 5))
def test_the_mass_of_a_prefix_is_that_of_all_paths_that_spell_it(seed, frames):
    rows = emissions(seed, frames)
    pool = {(): Mass(blank=0.0)}
    for row in rows.tolist():
        before, pool = pool, {}
        for prefix, mass in before.items():
            go_on(pool, prefix, mass, row, [label for label in range(VOCAB) if label != BLANK])
    for labels in spellable(frames):
        expected = ctc_by_hand(rows, labels)
        assert pool.get(labels, Mass()).total == pytest.approx(expected, abs=1e-4)


def test_prefixes_are_chosen_by_what_was_heard_and_what_the_model_knows_together():
    """Label 1 is heard better, but the model, weighed a hundredfold, expects the other."""
    (writer,) = [seed for seed in range(50) if told(seed, ())[2] > told(seed, ())[1] + 1][:1]
    known = Knowledge(remembering, start([writer]), 100.0)
    row = [math.log(0.2), math.log(0.5), math.log(0.3)]
    places = following([((), Mass(blank=0.0))], row, [1, 2], 3, known)
    assert [prefix for prefix, _ in places] == [(), (2,), (1,)]
    heard = following([((), Mass(blank=0.0))], row, [1, 2], 3, Knowledge(None, (), 0.0))
    assert [prefix for prefix, _ in heard] == [(1,), (2,), ()]


def test_labels_that_are_alike_need_a_blank_between_them():
    rows = torch.tensor([[0.05, 0.9, 0.05], [0.9, 0.05, 0.05], [0.05, 0.9, 0.05]]).log()
    assert found_in(rows, 4).labels == [1, 1]
    assert found_in(rows[[0, 0, 0]], 4).labels == [1]


def test_many_paths_that_spell_the_same_outweigh_the_best_path():
    """Frame by frame the blank is the likeliest, and yet (1,) is likelier than nothing: 0.64 against 0.36."""
    rows = torch.tensor([[0.6, 0.4, 0.0], [0.6, 0.4, 0.0]]).clamp(min=1e-9).log()
    assert rows.argmax(dim=1).tolist() == [0, 0]
    assert found_in(rows, 4).labels == [1]


def test_utterances_of_a_batch_are_searched_within_their_frames():
    rows = torch.stack([emissions(1, 4), emissions(2, 4)])
    expected = [found_in(rows[0, :4], 8).labels, found_in(rows[1, :2], 8).labels]
    assert transcribed(rows, torch.tensor([4, 2]), 8) == expected


class Counting:
    """The model, and how many hypotheses it was asked of in each call."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, label, state):
        self.calls.append(len(label))
        return remembering(label, state)


@given(SEEDS, st.lists(st.integers(0, 5), min_size=1, max_size=4), st.integers(1, 4))
def test_utterances_that_are_searched_together_are_found_as_alone(seed, frames, beam):
    utterances, lm = [emissions(seed + i, 5)[:count] for i, count in enumerate(frames)], (start([5]), 0.7)
    together, model = Counting(), Counting()
    found = search_prefixes(utterances, beam, together, *lm)
    for one, rows in zip(found, utterances, strict=True):
        alone = found_in(rows, beam, model, *lm)
        assert one.labels == alone.labels
        assert one.score == pytest.approx(alone.score, abs=1e-6)
    assert len(together.calls) <= 1 + max(frames)  # once at the start, and at most once a frame
    assert max(together.calls) <= beam * len(frames)
    assert sum(together.calls) <= sum(model.calls)  # what begins alike is asked once


def test_a_language_model_without_weight_is_not_asked():
    model, rows = Counting(), emissions(3, 4)
    assert found_in(rows, 4, model, start([5]), 0.0) == found_in(rows, 4)
    assert model.calls == []


def test_what_is_known_is_of_the_prefixes_that_were_asked_for_last():
    known = Knowledge(remembering, start([5]), 1.0)
    first = known.score((2,))
    known.ask([(1,), (2,)])
    assert known.score((2,)) == first
    assert set(known.nexts) == set(known.states) == {(1,), (2,)}
    expected = first + told(5, (2,))[1]
    assert known.score((2, 1)) == pytest.approx(expected)


def test_without_frames_nothing_is_written():
    assert transcribed(torch.zeros(1, 3, VOCAB), torch.tensor([0]), 4) == [[]]
