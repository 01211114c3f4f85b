from collections import Counter
from fractions import Fraction

import pytest
import torch
from chances import alike, both, fits, many, rows
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.operations import SpecSwap
from specaug.augment.spec_swap import Pairs, Swaps

TIME, MEL = 12, 7
Pair = tuple[int, int, int]  # first, second, width


def noise(batch: int) -> torch.Tensor:
    return torch.rand(batch, TIME, MEL, generator=torch.Generator().manual_seed(0))


def pairs_of(pairs: list[list[Pair]]) -> Pairs:
    return Pairs(*torch.tensor(pairs, dtype=torch.int64).reshape(len(pairs), -1, 3).unbind(2))


def swapped_by_hand(row: list, pairs: list[Pair]) -> list:
    """Two slices change places, pair after pair."""
    row = list(row)
    for first, second, width in pairs:
        one, other = slice(first, first + width), slice(second, second + width)
        row[one], row[other] = row[other], row[one]
    return row


@st.composite
def pair_lists(draw: st.DrawFn, size: int, count: int) -> list[Pair]:
    pairs = []
    for _ in range(count):
        width = draw(st.integers(0, size // 2))
        first = draw(st.integers(0, size - 2 * width))
        pairs.append((first, draw(st.integers(first + width, size - width)), width))
    return pairs


@st.composite
def batches(draw: st.DrawFn) -> list[tuple[int, list[Pair], list[Pair]]]:
    """For each utterance its length, its pairs of channel blocks and its pairs of frame blocks."""
    freq, time = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    lengths = draw(st.lists(st.integers(0, TIME), min_size=1, max_size=3))
    return [(n, draw(pair_lists(MEL, freq)), draw(pair_lists(n, time))) for n in lengths]


def swaps_of(batch: list[tuple[int, list[Pair], list[Pair]]]) -> tuple[Swaps, torch.Tensor]:
    lengths, freq, time = zip(*batch, strict=True)
    return Swaps(pairs_of(list(freq)), pairs_of(list(time))), torch.tensor(lengths)


@given(batch=batches())
def test_channels_change_places_and_then_frames_and_the_padding_stays(batch):
    swaps, lengths = swaps_of(batch)
    features = noise(len(batch))
    got = swaps.apply(features, lengths).tolist()
    for before, after, (length, freq, time) in zip(features.tolist(), got, batch, strict=True):
        speech = [swapped_by_hand(frame, freq) for frame in before[:length]]
        assert after == swapped_by_hand(speech, time) + before[length:]


@given(batch=batches())
def test_the_multiset_of_values_stays(batch):
    swaps, lengths = swaps_of(batch)
    before = noise(len(batch))
    assert torch.equal(swaps.apply(before, lengths).flatten(1).sort().values, before.flatten(1).sort().values)


@given(batch=batches())
def test_a_pair_of_blocks_that_changes_places_twice_is_where_it_was(batch):
    single = [(length, freq[:1], time[:1]) for length, freq, time in batch]
    swaps, lengths = swaps_of(single)
    assert torch.equal(swaps.apply(swaps.apply(noise(len(batch)), lengths), lengths), noise(len(batch)))


def test_frames_that_change_places_stay_whole():
    features = noise(200)
    got = many(SpecSwap(F=0, T=5, m_T=3), TIME, MEL, count=200).apply(features, torch.full((200,), TIME))
    assert not torch.equal(got, features)
    for before, after in zip(features.tolist(), got.tolist(), strict=True):
        assert Counter(map(tuple, after)) == Counter(map(tuple, before))


def pairs_by_hand(size: int, widest: int) -> dict[Pair, Fraction]:
    """Widths alike, and for each all the pairs of blocks that fit and do not overlap."""
    widths = [width for width in range(widest + 1) if 2 * width <= size]
    chances: dict[Pair, Fraction] = {}
    for width in widths:
        places = range(size - width + 1)
        fit = [(a, b, width) for a in places for b in places if a + width <= b]
        chances |= dict.fromkeys(fit, Fraction(1, len(widths) * len(fit)))
    return chances


@pytest.mark.parametrize(("length", "T"), [(6, 2), (5, 9), (2, 1), (1, 3), (0, 3)])
def test_every_pair_of_frame_blocks_is_as_likely_as_any_other_of_its_width(length, T):
    got = many(SpecSwap(F=0, T=T), length).time
    assert fits(rows(got.first[:, 0], got.second[:, 0], got.width[:, 0]), pairs_by_hand(length, T))


def test_every_pair_of_channel_blocks_is_as_likely_as_any_other_of_its_width():
    got = many(SpecSwap(F=2, T=0), 9, mel=6).freq
    assert fits(rows(got.first[:, 0], got.second[:, 0], got.width[:, 0]), pairs_by_hand(6, 2))


@pytest.mark.parametrize("part", ["two pairs of channels", "two pairs of frames", "channels and frames"])
def test_the_width_of_one_pair_says_nothing_of_the_next(part):
    got = many(SpecSwap(F=4, m_F=2, T=4, m_T=2), 8)
    columns = {
        "two pairs of channels": got.freq.width.T,
        "two pairs of frames": got.time.width.T,
        "channels and frames": (got.freq.width[:, 1], got.time.width[:, 0]),
    }[part]
    assert fits(rows(*columns), both(alike(range(5)), alike(range(5))))


@pytest.mark.parametrize(
    ("operation", "freq", "time"),
    [
        pytest.param(SpecSwap(m_F=2, m_T=3), 2, 3, id="both"),
        pytest.param(SpecSwap(F=0, m_F=2, m_T=3), 0, 3, id="no channels"),
        pytest.param(SpecSwap(m_F=2, T=0, m_T=3), 2, 0, id="no frames"),
    ],
)
def test_there_are_m_F_pairs_of_channels_and_m_T_of_frames(operation, freq, time):
    got = many(operation, 40, mel=20, count=3)
    assert got.freq.width.shape == (3, freq)
    assert got.time.width.shape == (3, time)


def test_two_blocks_that_do_not_fit_side_by_side_are_refused():
    many(SpecSwap(F=4), 9, mel=8, count=1)
    with pytest.raises(ValueError, match=r"SpecSwap .* needs 8 mel channels; the features have 7"):
        many(SpecSwap(F=4), 9, mel=7, count=1)


def test_the_lengths_stay():
    lengths = torch.tensor([3, 9])
    assert torch.equal(many(SpecSwap(F=2), 9, count=2).shortened(lengths), lengths)
