from decimal import Decimal
from itertools import combinations
from math import floor

import pytest
import torch
from chances import alike, fits, many
from counting import ids
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.draws import draw
from specaug.augment.fills import Fills
from specaug.augment.keys import make_keys
from specaug.augment.operations import PatchMask
from specaug.augment.patches import Patches
from specaug.augment.policy import Policy

NAN = float("nan")
shares = st.sampled_from([0.0, 0.1, 0.29, 0.3, 0.58, 0.75, 1.0])


def hidden_by_hand(hidden: list[list[bool]], t: int, f: int, frame: int, channel: int) -> bool:
    """Whether the cell lies in a hidden patch; no patch begins that does not end."""
    row, column = frame // t, channel // f
    return row < len(hidden) and column < len(hidden[0]) and hidden[row][column]


@given(
    time=st.integers(1, 9), mel=st.integers(1, 7), t=st.integers(1, 4), f=st.integers(1, 4), data=st.data()
)
def test_the_cells_of_hidden_patches_hold_the_fill_and_the_others_what_they_held(time, mel, t, f, data):
    row = st.lists(st.booleans(), min_size=mel // f, max_size=mel // f)
    hidden = data.draw(st.lists(row, min_size=time // t, max_size=time // t))
    features = torch.rand(1, time, mel, generator=torch.Generator().manual_seed(0))
    table = torch.tensor(hidden, dtype=torch.bool).view(1, time // t, mel // f)
    got = Patches(t, f, table, Fills(-3.0, make_keys(0, 0, "a"))).apply(features, torch.tensor([time]))
    for frame in range(time):
        for channel in range(mel):
            masked = hidden_by_hand(hidden, t, f, frame, channel)
            before = features[0, frame, channel].item()
            assert got[0, frame, channel].item() == (-3.0 if masked else before)


@given(
    lengths=st.lists(st.integers(0, 30), min_size=1, max_size=4),
    mel=st.integers(4, 12),
    t=st.integers(1, 5),
    f=st.integers(1, 4),
    share=shares,
)
def test_exactly_the_share_of_whole_patches_is_hidden_and_nothing_else(lengths, mel, t, f, share):
    policy, batch = Policy((PatchMask(t, f, share),)), torch.tensor(lengths)
    draws = draw(policy, batch, mel, make_keys(0, 0, ids(len(lengths))))
    features = torch.ones(len(lengths), 30, mel)
    got = draws.steps[0].apply(features, batch) if share else features
    for cells, length in zip(got, lengths, strict=True):
        down, across = length // t, mel // f
        whole = cells[: down * t, : across * f].reshape(down, t, across, f).transpose(1, 2).flatten(2)
        assert (whole == whole[:, :, :1]).all()
        wanted = floor(Decimal(str(share)) * down * across)
        assert int((whole[:, :, 0] == 0).sum()) == wanted
        assert int((cells == 0).sum()) == wanted * t * f


def test_every_choice_of_patches_is_as_likely_as_any_other():
    hidden = many(PatchMask(t=3, f=2, share=0.5), length=8, mel=5).hidden.flatten(1)  # 2 x 2 patches
    assert fits((tuple(row.nonzero()[:, 0].tolist()) for row in hidden), alike(combinations(range(4), 2)))


def test_every_patch_of_an_utterance_is_hidden_equally_often():
    hidden = many(PatchMask(t=4, f=2, share=0.06), length=20, mel=8).hidden.flatten(1)  # one of 5 x 4
    assert fits(hidden.nonzero()[:, 1].tolist(), alike(range(20)))


def test_the_patches_of_an_utterance_are_its_own_whatever_lies_beside_it():
    operation = PatchMask(t=2, f=2, share=0.4)
    lengths, names = [7, 30, 12], ids(3)
    together = draw(Policy((operation,)), torch.tensor(lengths), 7, make_keys(0, 0, names)).steps[0].hidden
    for place, (length, name) in enumerate(zip(lengths, names, strict=True)):
        alone = draw(Policy((operation,)), torch.tensor([length]), 7, make_keys(0, 0, [name])).steps[0]
        assert torch.equal(together[place, : length // 2], alone.hidden[0])
        assert not together[place, length // 2 :].any()


def test_a_larger_share_hides_what_a_smaller_one_hides():
    small, large = (many(PatchMask(t=2, f=2, share=share), 20, count=50).hidden for share in (0.2, 0.7))
    assert (large | ~small).all()
    assert large.sum() > small.sum() > 0


@pytest.mark.parametrize("fill", [0.0, -2.5])
def test_a_patch_over_what_is_not_a_number_holds_the_fill(fill):
    features = torch.full((3, 8, 4), NAN)
    got = many(PatchMask(t=2, f=2, share=1.0, fill=fill), 8, mel=4, count=3).apply(
        features, torch.full((3,), 8)
    )
    assert (got == fill).all()


def test_a_hidden_patch_may_hold_the_mean_of_its_utterance():
    features = torch.rand(2, 9, 4, generator=torch.Generator().manual_seed(0))
    features[1, 6:] = NAN
    lengths = torch.tensor([9, 6])
    drawn = draw(Policy((PatchMask(3, 2, 0.5, "mean"),)), lengths, 4, make_keys(0, 0, "ab")).steps[0]
    got = drawn.apply(features, lengths)
    for before, after, length, hidden in zip(features, got, (9, 6), drawn.cells(9, 4), strict=True):
        speech = before[:length].double()
        assert hidden.any()
        assert after[hidden].tolist() == pytest.approx([speech.mean().item()] * int(hidden.sum()), rel=1e-6)


def test_patches_wider_than_the_features_are_refused():
    many(PatchMask(f=8), 20, mel=8, count=1)
    with pytest.raises(ValueError, match=r"PatchMask .* needs 8 mel channels; the features have 7"):
        many(PatchMask(f=8), 20, mel=7, count=1)


def test_the_lengths_stay():
    lengths = torch.tensor([3, 9])
    assert torch.equal(many(PatchMask(t=2, f=2), 9, count=2).shortened(lengths), lengths)
