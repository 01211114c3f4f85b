from fractions import Fraction

import pytest
import torch
from counting import Cells, chi_square, ids, many
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.draws import draw
from specaug.augment.fills import Fills
from specaug.augment.keys import make_keys
from specaug.augment.masks import Masks, Spans, cover, hidden_cells
from specaug.augment.operations import FrequencyMask, TimeMask
from specaug.augment.policy import Policy

time_masks = st.builds(
    TimeMask,
    T=st.none() | st.integers(0, 50),
    p=st.sampled_from([0.0, 0.2, 0.29, 1.0]),
    m_T=st.integers(0, 4),
    p_S=st.sampled_from([None, 0.07, 0.5]),
    p_M=st.sampled_from([None, 0.05, 1.0]),
    bounds=st.sampled_from(["closed", "paper", "lingvo"]),
)


def spans_of(spans: list[list[tuple[int, int]]]) -> Spans:
    table = torch.tensor(spans, dtype=torch.int64).reshape(len(spans), -1, 2)
    return Spans(table[..., 0], table[..., 1])


def places_by_hand(size: int, widths: list[int], bounds: str = "closed") -> Cells:
    """Each (width, start), with its probability: the widths in the list alike, then every start that is allowed."""
    chances: dict[tuple[int, int], Fraction] = {}
    for width in widths:
        starts = [start for start in range(size + 1) if start + width <= size]
        if bounds == "paper" and len(starts) > 1:
            starts.pop()
        for start in starts:
            chance = Fraction(1, len(widths) * len(starts))
            chances[width, start] = chances.get((width, start), Fraction(0)) + chance
    return [(width, start, chance) for (width, start), chance in chances.items()]


def test_every_width_up_to_the_widest_is_equally_likely():
    (masks,) = many(FrequencyMask(F=27), length=10, mel=80, count=28_000).steps
    width = masks.spans.width
    cells = [(f, 0, Fraction(1, 28)) for f in range(28)]
    assert chi_square(width, torch.zeros_like(width), cells) < 55.48  # 99.9 %, 27 degrees of freedom


@pytest.mark.parametrize(
    ("bounds", "widths", "quantile"),
    [
        pytest.param(
            "closed", [0, 1, 2, 3], 46.80, id="closed"
        ),  # 7 + 6 + 5 + 4 pairs: 21 degrees of freedom
        pytest.param("paper", [0, 1, 2, 3], 40.79, id="paper"),  # 6 + 5 + 4 + 3: 17 degrees
        pytest.param("lingvo", [0, 1, 2], 40.79, id="lingvo"),  # 7 + 6 + 5: 17 degrees
    ],
)
@pytest.mark.parametrize("axis", ["freq", "time"])
def test_a_mask_has_any_width_and_lies_wherever_its_bounds_allow(axis, bounds, widths, quantile):
    mask = FrequencyMask(F=3, bounds=bounds) if axis == "freq" else TimeMask(T=3, bounds=bounds)
    (got,) = many(mask, length=6, mel=6).steps
    assert got.axis == axis
    assert chi_square(got.spans.width, got.spans.start, places_by_hand(6, widths, bounds)) < quantile


@pytest.mark.parametrize(
    ("bounds", "p", "widths", "quantile"),
    [
        # floor(0.29 * 11) = 3
        pytest.param("closed", 0.29, [0, 1, 2, 3], 74.75, id="closed"),  # 12 + 11 + 10 + 9: 41 degrees
        pytest.param("paper", 0.29, [0, 1, 2, 3], 69.35, id="paper"),  # 11 + 10 + 9 + 8: 37 degrees
        # lingvo draws 0 to 49, and what is wider than the cap becomes the cap, of 1 frame at least
        pytest.param("lingvo", 0.29, [0, 1, 2, *[3] * 47], 74.75, id="lingvo"),
        pytest.param("lingvo", 0.05, [0, *[1] * 49], 48.27, id="lingvo's least cap"),  # 12 + 11: 22 degrees
    ],
)
def test_a_frame_mask_is_no_wider_than_the_share_p_of_its_utterance(bounds, p, widths, quantile):
    (got,) = many(TimeMask(T=50, p=p, bounds=bounds), length=11, count=40_000).steps
    cells = places_by_hand(11, widths, bounds)
    assert min(chance for _, _, chance in cells) * 40_000 > 5
    assert chi_square(got.spans.width, got.spans.start, cells) < quantile  # 99.9 %


@pytest.mark.parametrize(
    ("bounds", "widths", "quantile"),
    [
        pytest.param("closed", [0, 1, 2, 3, 4, 5], 45.31, id="closed"),  # 6 + ... + 1 pairs: 20 degrees
        pytest.param("paper", [0, 1, 2, 3, 4, 5], 37.70, id="paper"),  # 5 + 4 + 3 + 2 + 1 + 1: 15 degrees
        pytest.param("lingvo", [0, 1, 2, 3, 4, *[5] * 3], 45.31, id="lingvo"),  # {0..7}, cut to 5 frames
    ],
)
def test_a_frame_mask_may_hide_all_of_a_short_utterance(bounds, widths, quantile):
    (got,) = many(TimeMask(T=8, bounds=bounds), length=5).steps
    assert chi_square(got.spans.width, got.spans.start, places_by_hand(5, widths, bounds)) < quantile


def test_an_adaptive_mask_is_as_wide_as_its_share_of_the_utterance():
    (got,) = many(TimeMask(T=None, p_S=0.31), length=10).steps  # floor(3.1) = 3
    cells = places_by_hand(10, [0, 1, 2, 3])
    assert chi_square(got.spans.width, got.spans.start, cells) < 69.35  # 99.9 %, 37 degrees of freedom


@pytest.mark.parametrize(("length", "count"), [(0, 0), (9, 0), (10, 1), (29, 2), (30, 3), (99, 3)])
def test_an_adaptive_number_of_masks_grows_with_the_utterance(length, count):
    (got,) = many(TimeMask(T=9, m_T=3, p_M=0.1), length=length, count=200).steps
    hides = (got.spans.width > 0).any(dim=0)
    assert hides.tolist() == [place < count for place in range(3)]
    assert not got.spans.start[:, count:].any()


def test_the_last_channel_is_never_hidden_under_the_bounds_of_the_paper():
    shares = {}
    for bounds in ("closed", "paper", "lingvo"):
        (got,) = many(FrequencyMask(F=7, m_F=2, bounds=bounds), length=5, count=2000).steps
        shares[bounds] = cover(got.spans, 8)[:, -1].double().mean()
    assert shares["paper"] == 0
    assert min(shares["closed"], shares["lingvo"]) > 0.1


@given(
    mask=time_masks,
    lengths=st.lists(st.integers(0, 60), min_size=1, max_size=5),
    seed=st.integers(0, 2**64 - 1),
)
def test_every_frame_mask_lies_inside_its_utterance_and_is_no_wider_than_it_may_be(mask, lengths, seed):
    draws = draw(Policy((mask,)), torch.tensor(lengths), 8, make_keys(seed, 0, ids(len(lengths))))
    for step in draws.steps:
        for length, starts, widths in zip(
            lengths, step.spans.start.tolist(), step.spans.width.tolist(), strict=True
        ):
            cap = int(Fraction(str(mask.p)) * length)
            widest = max(cap, 1) if mask.bounds == "lingvo" else cap
            assert len(starts) == len(widths) == mask.m_T
            assert all(0 <= w <= widest and 0 <= s <= length - w for s, w in zip(starts, widths, strict=True))
            assert mask.T is None or max(widths) <= mask.T


@given(
    spans=st.lists(
        st.integers(0, 9).flatmap(lambda w: st.tuples(st.integers(0, 9 - w), st.just(w))), max_size=3
    )
)
def test_an_interval_covers_its_start_and_not_its_end(spans):
    by_hand = [any(start <= place < start + width for start, width in spans) for place in range(9)]
    assert cover(spans_of([spans]), 9).tolist() == [by_hand]


def test_a_cell_is_hidden_where_a_mask_of_either_axis_hides_it_and_never_in_the_padding():
    keys = torch.zeros(2, 5, dtype=torch.int64)
    freq, time = [[(1, 2), (3, 1)], [(0, 0), (4, 1)]], [[(0, 3)], [(2, 4)]]
    masks = [Masks("freq", spans_of(freq), Fills(0.0, keys)), Masks("time", spans_of(time), Fills(0.0, keys))]
    got = hidden_cells(masks, torch.tensor([5, 4]), 6, 5)
    for utterance, length in enumerate((5, 4)):
        for frame in range(6):
            for channel in range(5):
                by_hand = frame < length and (
                    any(s <= frame < s + w for s, w in time[utterance])
                    or any(s <= channel < s + w for s, w in freq[utterance])
                )
                assert got[utterance, frame, channel] == by_hand


def test_masks_alone_hide_their_cells_and_no_others():
    keys, lengths = torch.zeros(1, 5, dtype=torch.int64), torch.tensor([5])
    features = 1 + torch.arange(24.0).view(1, 6, 4)
    mask = Masks("time", spans_of([[(3, 2)]]), Fills(-1.0, keys))
    got = mask.apply(features, lengths)
    assert (got[0, 3:5] == -1).all()
    assert torch.equal(got[0, [0, 1, 2, 5]], features[0, [0, 1, 2, 5]])
    assert torch.equal(mask.shortened(lengths), lengths)
