import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specaug.speech.batching import (
    Batch,
    bucketed,
    by_length,
    chance,
    collate,
    dealt,
    filled,
    fillings,
    share,
    weight,
)

lengths = st.lists(st.integers(0, 500), max_size=60)


def names(frames: Sequence[int]) -> list[str]:
    return [f"u{place:04d}" for place in range(len(frames))]


def digit_strings() -> list[int]:
    """Frames of 1500 strings of 3-7 digits, each of 0.2 to 0.7 s with its pause."""
    draw = random.Random(0)
    return [int(100 * sum(draw.uniform(0.2, 0.7) for _ in range(draw.randint(3, 7)))) for _ in range(1500)]


def padding_by_hand(frames: Sequence[int], batches: Sequence[Sequence[int]]) -> float:
    """The share of a padded epoch that is padding."""
    padded = sum(len(batch) * max(frames[i] for i in batch) for batch in batches)
    return 1 - sum(frames) / padded


@given(frames=lengths, size=st.integers(1, 9), seed=st.integers(0, 9), epoch=st.integers(0, 9))
def test_every_utterance_is_in_exactly_one_batch_and_no_batch_is_too_large(frames, size, seed, epoch):
    for batches in (bucketed(names(frames), frames, size, seed, epoch), by_length(frames, size)):
        assert sorted(i for batch in batches for i in batch) == list(range(len(frames)))
        assert all(1 <= len(batch) <= size for batch in batches)
        assert len(batches) == -(-len(frames) // size)


@given(frames=lengths, size=st.integers(1, 9), seed=st.integers(0, 9), epoch=st.integers(0, 9))
def test_batches_depend_on_seed_and_epoch_and_on_no_generator(frames, size, seed, epoch):
    torch.manual_seed(1)
    once = bucketed(names(frames), frames, size, seed, epoch)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    assert bucketed(names(frames), frames, size, seed, epoch) == once
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)


@given(
    frames=st.lists(st.integers(1, 500), min_size=1, max_size=60),
    most=st.integers(1, 2000),
    seed=st.integers(0, 9),
    epoch=st.integers(0, 9),
)
def test_batches_of_so_many_frames_hold_each_utterance_once_and_are_as_many_in_every_epoch(
    frames, most, seed, epoch
):
    batches = filled(names(frames), frames, most, seed, epoch)
    assert sorted(i for batch in batches for i in batch) == list(range(len(frames)))
    assert len(batches) == fillings(frames, most)
    assert all(batches)
    width = sum(frames) / len(batches)
    assert all(sum(frames[i] for i in batch) < width + max(frames) for batch in batches)
    assert width <= most or width < 2 * max(frames)


def test_batches_of_so_many_frames_are_even_and_have_little_padding():
    frames = digit_strings()
    batches = filled(names(frames), frames, 4000, 0, 0)
    assert max(sum(frames[i] for i in batch) for batch in batches) < 4000 + max(frames)
    assert len(batches) == -(-sum(frames) // 4000)
    assert padding_by_hand(frames, batches) < 0.06
    assert filled(names(frames), frames, 4000, 0, 1) != batches


@given(seed=st.integers(0, 9), epoch=st.integers(0, 9), shuffle=st.randoms(use_true_random=False))
def test_the_order_in_which_utterances_are_listed_changes_no_batch(seed, epoch, shuffle):
    frames = digit_strings()[:100]
    listed = list(range(100))
    shuffle.shuffle(listed)
    ids = names(frames)
    plain = bucketed(ids, frames, 8, seed, epoch)
    other = bucketed([ids[i] for i in listed], [frames[i] for i in listed], 8, seed, epoch)
    assert [[listed[place] for place in batch] for batch in other] == plain


@pytest.mark.parametrize(("seed", "epoch"), [(0, 1), (1, 0)])
def test_another_seed_or_epoch_gives_other_company_and_another_order(seed, epoch):
    frames = digit_strings()
    one, other = (bucketed(names(frames), frames, 16, *which) for which in ((0, 0), (seed, epoch)))
    company = [{frozenset(batch) for batch in batches} for batches in (one, other)]
    assert len(company[0] & company[1]) < 10  # of 94
    assert bucketed(names(frames), frames, 1, 0, 0) != bucketed(names(frames), frames, 1, seed, epoch)
    longest = [[max(frames[i] for i in batch) for batch in batches] for batches in (one, other)]
    assert sum(abs(a - b) > 50 for a, b in zip(*longest, strict=True)) > 30


def test_batches_come_in_no_order_of_length():
    frames = digit_strings()
    longest = [max(frames[i] for i in batch) for batch in bucketed(names(frames), frames, 16, 0, 0)]
    rises = sum(a < b for a, b in pairwise(longest))
    assert 30 < rises < 63  # 46.5 of 93 in a random order, +- 2.8


@pytest.mark.parametrize("epoch", range(3))
def test_like_lengths_together_leave_little_padding(epoch):
    frames = digit_strings()
    batches = bucketed(names(frames), frames, 16, 0, epoch)
    assert padding_by_hand(frames, batches) < 0.05


def test_lengths_without_an_order_leave_much_padding():
    frames = digit_strings()
    listed = random.Random(1).sample(range(len(frames)), len(frames))
    shuffled = [listed[start : start + 16] for start in range(0, len(frames), 16)]
    assert padding_by_hand(frames, shuffled) > 0.25


@given(frames=lengths, size=st.integers(1, 9))
def test_evaluation_goes_from_the_shortest_to_the_longest(frames, size):
    order = [frames[i] for batch in by_length(frames, size) for i in batch]
    assert order == sorted(frames)


@given(words=st.lists(st.one_of(st.integers(), st.text(max_size=5)), max_size=4))
def test_chance_is_a_share_that_depends_on_its_words(words):
    assert 0 <= chance(*words) < 1
    assert chance(*words) == chance(*words)
    assert chance(*words) != chance(*words, "more")


@given(
    shape=st.lists(
        st.tuples(st.integers(0, 6), st.lists(st.integers(1, 9), max_size=4)), min_size=1, max_size=4
    )
)
def test_a_batch_holds_its_utterances_and_is_padded_with_0(shape):
    features = [torch.arange(1.0, 1 + 3 * frames).reshape(frames, 3) for frames, _ in shape]
    targets = [labels for _, labels in shape]
    batch = collate(names(shape), features, targets)
    assert batch.ids == names(shape)
    assert batch.lengths.tolist() == [frames for frames, _ in shape]
    assert batch.target_lengths.tolist() == [len(labels) for labels in targets]
    assert batch.features.shape[1] == max(frames for frames, _ in shape)
    assert batch.targets.shape[1] == max(len(labels) for labels in targets)
    for row, (frames, labels) in enumerate(shape):
        assert torch.equal(batch.features[row, :frames], features[row])
        assert not batch.features[row, frames:].any()
        assert batch.targets[row].tolist() == labels + [0] * (batch.targets.shape[1] - len(labels))


def test_the_parts_of_a_batch_have_the_kinds_that_networks_expect():
    batch = collate(["a"], [torch.ones(2, 3)], [[1, 2]])
    assert isinstance(batch, Batch)
    assert [batch.features.dtype, batch.lengths.dtype, batch.targets.dtype, batch.target_lengths.dtype] == [
        torch.float32,
        torch.int64,
        torch.int64,
        torch.int64,
    ]


@given(batch=st.lists(st.integers(0, 99), max_size=12), ranks=st.integers(1, 6))
def test_the_shares_of_the_ranks_are_the_batch_and_differ_by_one_utterance_at_most(batch, ranks):
    shares = [share(batch, rank, ranks) for rank in range(ranks)]
    assert sorted(place for mine in shares for place in mine) == sorted(batch)
    sizes = [len(mine) for mine in shares]
    assert max(sizes) - min(sizes) <= 1


@given(
    labels=st.lists(st.integers(0, 9), min_size=1, max_size=12), ranks=st.integers(1, 6), chances=st.randoms()
)
def test_weighted_losses_per_label_have_the_mean_of_the_whole_batch(labels, ranks, chances):
    losses = [chances.uniform(0, 50) for _ in labels]
    total = 0.0
    for rank in range(ranks):
        mine = share(range(len(labels)), rank, ranks)
        per_label = sum(losses[place] for place in mine) / max(1, sum(labels[place] for place in mine))
        total += weight(labels, rank, ranks) * per_label
    assert total / ranks == pytest.approx(sum(losses) / max(1, sum(labels)))


@given(count=st.integers(0, 20), ranks=st.integers(1, 6))
def test_an_evaluation_is_dealt_evenly_and_leaves_no_batch_out(count, ranks):
    batches = [[place, place + 100] for place in range(count)]
    hands = [dealt(batches, rank, ranks) for rank in range(ranks)]
    assert {len(hand) for hand in hands} == {-(-count // ranks)}
    assert {batch[0] for hand in hands for batch in hand} == set(range(count))
    assert dealt(batches, 0, 1) == batches
