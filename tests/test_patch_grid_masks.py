from collections import Counter
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, groupby
from math import floor

import pytest
import torch
from chances import alike, fits
from counting import ids
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.keys import CELLS, HIDDEN, PATCHES, make_keys, random_words
from specaug.augment.operation import MOST
from specaug.augment.operations import KINDS
from specaug.augment.patch_grid import PatchGrid
from specaug.augment.patch_grid_masks import PatchHiding, draw_hidden, tiles

SMALL = PatchGrid(t=2, f=2)


def many(hiding: PatchHiding, frames: int, mel: int, count: int = 6000) -> torch.Tensor:
    """What is hidden of `count` utterances of one length."""
    return draw_hidden(hiding, torch.full((count,), frames), frames, mel, make_keys(0, 0, ids(count)))


@given(
    lengths=st.lists(st.integers(8, 30), min_size=1, max_size=4),
    columns=st.integers(1, 4),
    t=st.integers(1, 4),
    f=st.integers(1, 3),
    share=st.sampled_from([0.29, 0.5, 0.58, 0.75]),
    c_low=st.integers(1, 5),
    c_more=st.integers(0, 3),
)
def test_exactly_the_share_of_whole_patches_is_hidden_and_never_the_padding(
    lengths, columns, t, f, share, c_low, c_more
):
    hiding = PatchHiding(grid=PatchGrid(t=t, f=f), share=share, c_low=c_low, c_high=c_low + c_more)
    lengths = [2 * t + length for length in lengths]
    columns = 2 * columns
    hidden = draw_hidden(hiding, torch.tensor(lengths), 43, columns * f, make_keys(0, 0, ids(len(lengths))))
    assert hidden.shape == (len(lengths), hiding.grid.rows(43), columns)
    for of_one, length in zip(hidden, lengths, strict=True):
        assert int(of_one.sum()) == floor(Decimal(str(share)) * (length // t) * columns)
        assert not of_one[length // t :].any()


def test_exactly_the_number_that_is_asked_for_is_hidden():
    ssast = PatchHiding(grid=PatchGrid(), number=400, c_low=3, c_high=5)
    assert many(ssast, 1024, 128, count=20).sum(dim=(1, 2)).tolist() == [400] * 20


@pytest.mark.parametrize("column", range(5))
def test_of_a_key_32_bits_of_each_number_count(column):
    hiding, lengths, keys = PatchHiding(grid=SMALL, share=0.5), torch.tensor([40, 30]), make_keys(0, 0, "ab")
    other = keys.clone()
    other[:, column] -= 2**32
    one, two = (draw_hidden(hiding, lengths, 40, 80, each) for each in (keys, other))
    assert torch.equal(one, two)


def test_every_choice_of_patches_is_as_likely_as_any_other():
    hidden = many(PatchHiding(grid=SMALL, share=0.5), 5, 4).flatten(
        1
    )  # 2 x 2 whole patches, and 2 beside the end
    assert fits((tuple(row.nonzero()[:, 0].tolist()) for row in hidden), alike(combinations(range(4), 2)))


@pytest.mark.parametrize(("c_low", "c_high"), [(1, 1), (2, 2), (3, 5), (4, 9)])
@pytest.mark.parametrize("share", [0.03, 0.3, 0.9])
def test_every_patch_is_hidden_equally_often_in_clusters_or_one_by_one(c_low, c_high, share):
    hiding = PatchHiding(grid=SMALL, share=share, c_low=c_low, c_high=c_high)
    hidden = many(hiding, 12, 12).flatten(1)  # 6 x 6
    spread = torch.rand(hidden.shape, generator=torch.Generator().manual_seed(0))
    one = (spread * hidden).argmax(dim=1)  # of each utterance, so that the counts are of independent places
    assert fits(one.tolist(), alike(range(36)))


def test_every_frame_patch_is_hidden_equally_often():
    hiding = PatchHiding(grid=PatchGrid(t=2, f=8), share=0.2, c_low=2, c_high=4)
    hidden = many(hiding, 41, 8).flatten(1)  # 20, and one that reaches beyond the end
    spread = torch.rand(hidden.shape, generator=torch.Generator().manual_seed(0))
    assert fits((spread * hidden).argmax(dim=1).tolist(), alike(range(20)))


def clusters_by_hand(hidden: list[list[bool]], side: int, down: int, across: int) -> list[tuple[int, int]]:
    """Hidden and all patches of each tile, by walking over the grid."""
    on, of = Counter(), Counter()
    for row, places in enumerate(hidden):
        for column, place in enumerate(places):
            tile = ((row + down) // side, (column + across) // side)
            on[tile] += place
            of[tile] += 1
    return [(on[tile], of[tile]) for tile in of]


@pytest.mark.parametrize("side", [2, 3, 5])
def test_clusters_are_whole_tiles_but_for_two_and_never_go_round_an_edge(side):
    hiding = PatchHiding(grid=SMALL, share=0.4, c_low=side, c_high=side)
    for hidden in many(hiding, 26, 16, count=200).tolist():  # 13 x 8
        cut = [
            sum(0 < on < of for on, of in clusters_by_hand(hidden, side, down, across))
            for down in range(side)
            for across in range(side)
        ]
        assert min(cut) <= 2


def tile_by_hand(numbers: list[int], columns: int) -> tuple[int, int, int]:
    """The side of the tiles, and how far the first one lies outside the grid: told by the lengths of runs of a number."""
    (first, side, *_), (left, *_) = (
        [len(list(run)) for _, run in groupby(line)] for line in (numbers[::columns], numbers[:columns])
    )
    return side, side - first, side - left


def test_sides_and_corners_of_tiles_are_drawn_alike():
    hiding = PatchHiding(grid=SMALL, share=0.5, c_low=2, c_high=3)
    words = random_words(make_keys(0, 0, ids(6000)), torch.tensor([HIDDEN]))[:, 0]
    seen = [tile_by_hand(numbers, 6) for numbers in tiles(hiding, words, 8, 6).tolist()]
    chances = {
        (side, down, across): Fraction(1, 2 * side * side)
        for side in (2, 3)
        for down in range(side)
        for across in range(side)
    }
    assert fits(seen, chances)


def test_the_patches_of_an_utterance_are_its_own_in_any_batch_and_order():
    hiding = PatchHiding(grid=SMALL, share=0.4, c_low=1, c_high=3)
    lengths, names = [7, 30, 12], ids(3)
    together = draw_hidden(hiding, torch.tensor(lengths), 33, 8, make_keys(0, 0, names))
    for place, (length, name) in enumerate(zip(lengths, names, strict=True)):
        alone = draw_hidden(hiding, torch.tensor([length]), length, 8, make_keys(0, 0, [name]))[0]
        assert torch.equal(together[place, : len(alone)], alone)
        assert not together[place, len(alone) :].any()
    turned = draw_hidden(hiding, torch.tensor(lengths[::-1]), 33, 8, make_keys(0, 0, names[::-1]))
    assert torch.equal(turned.flip(0), together)


def test_the_key_alone_fixes_a_mask_and_the_random_state_of_torch_stays():
    hiding = PatchHiding(grid=SMALL, share=0.5, c_low=1, c_high=3)
    lengths, state = torch.tensor([20, 20]), torch.get_rng_state()
    first, again, later = (
        draw_hidden(hiding, lengths, 20, 8, make_keys(0, epoch, "ab")) for epoch in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, later)
    assert not torch.equal(first[0], first[1])
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.gpu
def test_masks_on_a_gpu_are_those_of_the_host():
    hiding = PatchHiding(grid=SMALL, share=0.5, c_low=1, c_high=4)
    lengths, keys = torch.tensor([20, 33, 9]), make_keys(5, 1, ids(3))
    host = draw_hidden(hiding, lengths, 33, 8, keys)
    assert torch.equal(draw_hidden(hiding, lengths.cuda(), 33, 8, keys.cuda()).cpu(), host)


def test_the_numbers_are_drawn_from_a_region_of_their_own():
    assert (1 + max(kind.stream for kind in KINDS)) * MOST <= HIDDEN < PATCHES < CELLS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"share": 0.0}, r"share is 0.0; expected more than 0 and less than 1", id="nothing"),
        pytest.param({"share": 1.0}, r"share is 1.0; expected more than 0 and less than 1", id="all"),
        pytest.param({"share": float("nan")}, r"share is nan; expected more than 0", id="no number"),
        pytest.param({"number": 0}, r"number is 0; expected 1 patch or more", id="no patch"),
        pytest.param({}, r"share is None, number None; expected one of the two", id="neither"),
        pytest.param(
            {"share": 0.5, "number": 3}, r"share is 0.5, number 3; expected one of the two", id="both"
        ),
        pytest.param(
            {"share": 0.5, "c_low": 0}, r"c_low is 0, c_high 1; expected 1 <= c_low <= c_high", id="none"
        ),
        pytest.param({"share": 0.5, "c_low": 3, "c_high": 2}, r"c_low is 3, c_high 2; expected", id="order"),
        pytest.param(
            {"share": 0.5, "grid": PatchGrid(stride_t=10)},
            "expected patches that do not overlap",
            id="overlap",
        ),
    ],
)
def test_what_would_teach_nothing_is_refused_by_name_and_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        PatchHiding(**{"grid": SMALL, **arguments})


@pytest.mark.parametrize(
    ("arguments", "frames", "message"),
    [
        pytest.param(
            {"share": 0.75}, 15, "15 frames has 0 whole patches .* share 0.75 hides 0", id="too short"
        ),
        pytest.param({"share": 0.1}, 16, "16 frames has 8 whole patches .* share 0.1 hides 0", id="nothing"),
        pytest.param(
            {"number": 400}, 300, "has 144 whole patches .* number 400 hides 144", id="more than all"
        ),
        pytest.param(
            {"number": 8}, 16, "has 8 whole patches .* hides 8; expected 1 at least, and not all", id="all"
        ),
    ],
)
def test_an_utterance_that_is_hidden_whole_or_not_at_all_is_refused(arguments, frames, message):
    hiding = PatchHiding(grid=PatchGrid(), **arguments)
    with pytest.raises(ValueError, match=message):
        draw_hidden(hiding, torch.tensor([1024, frames]), 1024, 128, make_keys(0, 0, "ab"))


def test_lengths_beyond_the_features_are_refused():
    hiding = PatchHiding(grid=SMALL, share=0.5)
    with pytest.raises(ValueError, match=r"lengths are .*; expected 0 to the 8 frames of the features"):
        draw_hidden(hiding, torch.tensor([9]), 8, 4, make_keys(0, 0, "a"))
