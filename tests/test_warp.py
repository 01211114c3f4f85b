from fractions import Fraction
from math import floor

import pytest
import torch
from counting import chi_square, many
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.operations import TimeWarp
from specaug.augment.warp import Warp, source_frames, time_warp


def source_by_hand(frame: int, length: int, centre: int, shift: int, last: int) -> Fraction:
    """Where a frame of the output is read: on the line through (0, 0), (centre + shift, centre), (last, last)."""
    target = centre + shift
    if shift == 0 or frame >= length:
        return Fraction(frame)
    if frame <= target:
        return Fraction(frame * centre, target)
    return min(last - Fraction((last - frame) * (last - centre), last - target), Fraction(length - 1))


@st.composite
def warps(draw) -> tuple[int, int, int, int]:
    """(length, centre, shift, last): what either of the bounds can draw."""
    length = draw(st.integers(3, 60))
    last = draw(st.sampled_from([length - 1, length]))
    centre = draw(st.integers(1, length - 2))
    return length, centre, draw(st.integers(1, last - 1)) - centre, last


def of(*rows: tuple[int, int, int, int]) -> tuple[torch.Tensor, Warp]:
    length, centre, shift, last = (torch.tensor(column) for column in zip(*rows, strict=True))
    return length, Warp(centre, shift, last)


@given(rows=st.lists(warps(), min_size=1, max_size=3))
def test_each_frame_is_read_on_the_line_through_the_moved_frame_and_the_fixed_ones(rows):
    before, rest = source_frames(*of(*rows), 64)
    for utterance, row in enumerate(rows):
        for frame in range(64):
            source = source_by_hand(frame, *row)
            assert before[utterance, frame] == floor(source)
            assert float(source - floor(source)) == pytest.approx(rest[utterance, frame].item(), abs=1e-15)


@given(row=warps())
def test_the_fixed_frames_stay_and_the_centre_arrives_to_the_bit(row):
    length, centre, shift, last = row
    features = torch.rand(1, 64, 3, generator=torch.Generator().manual_seed(0))
    got = time_warp(features, *of(row))
    assert torch.equal(got[0, 0], features[0, 0])
    assert torch.equal(got[0, centre + shift], features[0, centre])
    assert torch.equal(got[0, length:], features[0, length:])
    if last == length - 1:
        assert torch.equal(got[0, last], features[0, last])


def test_the_position_of_a_frame_is_exact_in_an_utterance_of_thirty_seconds():
    row = (3000, 1601, 80, 2999)
    _, rest = source_frames(*of(row), 3000)
    by_hand = [float(source % 1) for source in (source_by_hand(frame, *row) for frame in range(3000))]
    assert rest[0].tolist() == by_hand


@pytest.mark.parametrize("bounds", ["closed", "paper"])
def test_the_warp_moves_any_frame_away_from_the_ends_by_any_shift_either_way(bounds):
    (got,) = many(TimeWarp(W=2, bounds=bounds), length=12).steps
    cells = [(c, w, Fraction(1, 30)) for c in range(3, 9) for w in range(-2, 3)]  # 2 < c < 12 - 1 - 2
    assert chi_square(got.centre, got.shift, cells) < 58.30  # 99.9 %, 29 degrees of freedom
    assert (got.last == 11).all()


@pytest.mark.parametrize(
    ("kind", "farthest", "quantile"),
    [
        # Ten centres by five shifts are 50 pairs; where several are cut to one target they are fewer
        pytest.param("linear", 11, 80.08, id="linear"),  # 46 pairs, 45 degrees of freedom
        pytest.param("sparse", 10, 77.42, id="sparse"),  # 44 pairs, 43 degrees of freedom
    ],
)
def test_the_warp_of_the_authors_code_moves_any_frame_and_is_cut_at_the_ends(kind, farthest, quantile):
    (got,) = many(TimeWarp(W=2, warp=kind, bounds="lingvo"), length=12).steps
    chances: dict[tuple[int, int], Fraction] = {}
    for centre in range(1, 11):
        for wished in range(-2, 3):
            target = min(max(centre + wished, 1), farthest)
            pair = centre, target - centre
            chances[pair] = chances.get(pair, Fraction(0)) + Fraction(1, 50)
    cells = [(centre, shift, chance) for (centre, shift), chance in chances.items()]
    assert chi_square(got.centre, got.shift, cells) < quantile  # 99.9 %
    assert (got.last == 12).all()  # frame tau stays, which is the first of the padding


@pytest.mark.parametrize("bounds", ["closed", "lingvo"])
@pytest.mark.parametrize("length", [0, 1, 2])
def test_an_utterance_without_an_inner_frame_is_not_warped(length, bounds):
    (got,) = many(TimeWarp(W=4, bounds=bounds), length=length, count=100).steps
    assert not got.centre.any()
    assert not got.shift.any()


@pytest.mark.parametrize("length", range(16))
def test_a_short_utterance_is_warped_by_as_much_as_leaves_it_a_frame_to_move(length):
    W = max((W for W in range(5) if any(W < c < length - 1 - W for c in range(length))), default=0)
    (got,) = many(TimeWarp(W=4), length=length, count=2000).steps
    assert set(got.shift.tolist()) == set(range(-W, W + 1))
    if length >= 3:
        assert set(got.centre.tolist()) == {c for c in range(length) if W < c < length - 1 - W}


@pytest.mark.parametrize("bounds", ["closed", "lingvo"])
@pytest.mark.parametrize("length", [3, 4, 5, 20])
def test_a_point_of_the_image_never_leaves_the_inside_of_its_utterance(length, bounds):
    (got,) = many(TimeWarp(W=30, warp="sparse", bounds=bounds), length=length, count=2000).steps
    assert got.kind == "sparse"
    target = got.centre + got.shift
    assert set(target.tolist()) == set(range(1, length - 1))
    assert ((got.centre >= 1) & (got.centre <= length - 2)).all()


def test_both_kinds_of_warp_draw_the_same_frames_and_shifts():
    one, other = (
        many(TimeWarp(W=5, warp=kind), length=30, count=100).steps[0] for kind in ("linear", "sparse")
    )
    assert torch.equal(one.centre, other.centre)
    assert torch.equal(one.shift, other.shift)


def test_a_warp_keeps_the_lengths():
    lengths, warp = of((9, 3, 1, 8))
    assert torch.equal(warp.shortened(lengths), lengths)
