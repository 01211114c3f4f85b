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

VOCAB = 3  # the blank and two labels
SEEDS = st.integers(0, 10**6)


def emissions(seed: int, frames: int) -> torch.Tensor:
    chance = random.Random(seed)
    weights = [[chance.gammavariate(0.7, 1) + 1e-3 for _ in range(VOCAB)] for _ in range(frames)]
    return torch.tensor([[math.log(w / sum(row)) for w in row] for row in weights])


def ctc_by_hand(rows: torch.Tensor, labels: tuple[int, ...]) -> float:
    likelihood = likelihood_by_hand(rows.exp().tolist(), list(labels))
    return math.log(likelihood) if likelihood > 0 else -math.inf


def spellable(frames: int):
    for size in range(frames + 1):
        yield from product(range(1, VOCAB), repeat=size)


@given(SEEDS, st.integers(1, 4))
def test_a_beam_wide_enough_finds_the_likeliest_labels_over_all_paths(seed, frames):
    rows = emissions(seed, frames)
    best = max(spellable(frames), key=lambda labels: ctc_by_hand(rows, labels))
    found = search_prefixes(rows, 40)
    assert tuple(found.labels) == best
    assert found.score == pytest.approx(ctc_by_hand(rows, best), abs=1e-4)


@given(SEEDS, st.integers(1, 4), st.sampled_from([0.0, 0.5, 2.0]))
def test_a_language_model_adds_its_weight_of_every_label_and_the_end(seed, frames, weight):
    rows, writer = emissions(seed, frames), seed % 97

    def score(labels: tuple[int, ...]) -> float:
        return ctc_by_hand(rows, labels) + weight * score_by_hand(writer, labels)

    found = search_prefixes(rows, 40, remembering, start([writer]), weight)
    best = max(spellable(frames), key=score)
    assert tuple(found.labels) == best
    assert found.score == pytest.approx(score(best), abs=1e-4)


@given(SEEDS, st.integers(1, 4))
def test_a_wider_beam_never_ends_in_a_worse_score(seed, frames):
    rows = emissions(seed, frames)
    scores = [search_prefixes(rows, beam, remembering, start([5]), 1.0).score for beam in range(1, 7)]
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
    assert search_prefixes(rows, 4).labels == [1, 1]
    assert search_prefixes(rows[[0, 0, 0]], 4).labels == [1]


def test_many_paths_that_spell_the_same_outweigh_the_best_path():
    """Frame by frame the blank is the likeliest, and yet (1,) is likelier than nothing: 0.64 against 0.36."""
    rows = torch.tensor([[0.6, 0.4, 0.0], [0.6, 0.4, 0.0]]).clamp(min=1e-9).log()
    assert rows.argmax(dim=1).tolist() == [0, 0]
    assert search_prefixes(rows, 4).labels == [1]


def test_utterances_of_a_batch_are_searched_within_their_frames():
    rows = torch.stack([emissions(1, 4), emissions(2, 4)])
    expected = [search_prefixes(rows[0, :4], 8).labels, search_prefixes(rows[1, :2], 8).labels]
    assert transcribed(rows, torch.tensor([4, 2]), 8) == expected


def test_without_frames_nothing_is_written():
    assert transcribed(torch.zeros(1, 3, VOCAB), torch.tensor([0]), 4) == [[]]
