from fractions import Fraction

import pytest
import torch
from chances import alike, both, fits, many, rows
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.operations import SpecSub
from specaug.augment.spec_sub import Copies

TIME, MEL = 12, 3
Stretch = tuple[int, int, int]  # start, width, back


def noise(batch: int) -> torch.Tensor:
    return torch.rand(batch, TIME, MEL, generator=torch.Generator().manual_seed(0))


def copies_of(stretches: list[list[Stretch]]) -> Copies:
    return Copies(*torch.tensor(stretches, dtype=torch.int64).reshape(len(stretches), -1, 3).unbind(2))


def replaced_by_hand(frames: list[list[float]], stretches: list[Stretch]) -> list[list[float]]:
    """One frame after the other, always out of the frames that came in."""
    output = list(frames)
    for start, width, back in stretches:
        for frame in range(start, start + width):
            output[frame] = frames[frame - back]
    return output


@st.composite
def batches(draw: st.DrawFn) -> list[tuple[int, list[Stretch]]]:
    """For each utterance its length and as many stretches as the others have."""
    count, batch = draw(st.integers(1, 3)), []
    for length in draw(st.lists(st.integers(0, TIME), min_size=1, max_size=3)):
        stretches = []
        for _ in range(count):
            start = draw(st.integers(0, max(0, length - 1)))
            stretches.append((start, draw(st.integers(0, length - start)), draw(st.integers(0, start))))
        batch.append((length, stretches))
    return batch


@given(batch=batches())
def test_every_stretch_takes_the_frames_that_came_in_so_far_before_it(batch):
    lengths, stretches = zip(*batch, strict=True)
    got = copies_of(list(stretches)).apply(noise(len(batch)), torch.tensor(lengths)).tolist()
    for before, after, own in zip(noise(len(batch)).tolist(), got, stretches, strict=True):
        assert after == replaced_by_hand(before, own)


def test_a_stretch_reads_what_came_in_and_not_what_an_earlier_stretch_wrote():
    features = torch.arange(5.0)[None, :, None]
    got = copies_of([[(1, 2, 1), (3, 2, 2)]]).apply(features, torch.tensor([5]))
    assert got.flatten().tolist() == [0, 0, 1, 1, 2]


def test_where_two_stretches_overlap_the_later_stands():
    features = torch.arange(5.0)[None, :, None]
    got = copies_of([[(2, 3, 2), (3, 1, 3)]]).apply(features, torch.tensor([5]))
    assert got.flatten().tolist() == [0, 1, 0, 0, 2]


def stretches_by_hand(length: int, t_max: int) -> dict[Stretch, Fraction]:
    """A start, a width that the end of the utterance cuts, and a way back to a frame that exists."""
    chances: dict[Stretch, Fraction] = {}
    for start in range(length):
        for wished in range(1, t_max + 1):
            for back in range(start + 1):
                outcome = start, min(wished, length - start), back
                chance = Fraction(1, length * t_max * (start + 1))
                chances[outcome] = chances.get(outcome, Fraction(0)) + chance
    return chances


@pytest.mark.parametrize(("length", "t_max"), [(5, 3), (3, 7), (1, 4)])
def test_start_width_and_way_back_are_as_likely_as_u2_says(length, t_max):
    got = many(SpecSub(t_max=t_max, N=1), length)
    assert fits(rows(got.start[:, 0], got.width[:, 0], got.back[:, 0]), stretches_by_hand(length, t_max))


def test_one_stretch_says_nothing_of_the_next():
    got = many(SpecSub(t_max=1, N=2), 7)
    assert fits(rows(*got.start.T), both(alike(range(7)), alike(range(7))))


def test_every_frame_comes_from_the_same_utterance_and_never_from_later():
    lengths = torch.full((200,), 30)
    frames = torch.arange(40.0)[None, :, None].expand(200, -1, 1)
    got = many(SpecSub(t_max=8, N=4), 30, count=200).apply(frames, lengths)
    assert (got <= frames).all()
    assert (got >= 0).all()
    assert torch.equal(got[:, 30:], frames[:, 30:])
    assert (got < frames).any()


def test_an_utterance_without_frames_has_nothing_to_replace():
    got = many(SpecSub(t_max=8, N=4), 0, count=50)
    assert not got.width.any()
    assert not got.back.any()


def test_the_lengths_stay():
    lengths = torch.tensor([3, 9])
    assert torch.equal(many(SpecSub(), 9, count=2).shortened(lengths), lengths)
