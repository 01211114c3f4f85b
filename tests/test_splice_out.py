from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from chances import fits, many
from counting import ids
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.draws import Draws, draw
from specaug.augment.keys import make_keys
from specaug.augment.operations import SpliceOut, TimeMask
from specaug.augment.policy import Policy
from specaug.augment.splice_out import Cuts
from specaug.augment.transform import SpecAugment

TIME, MEL = 12, 3
Cut = tuple[int, int]  # start, width
NAN = float("nan")


def noise(batch: int, time: int = TIME, mel: int = MEL) -> torch.Tensor:
    return torch.rand(batch, time, mel, generator=torch.Generator().manual_seed(0)) + 0.5


def cuts_of(cuts: list[list[Cut]]) -> Cuts:
    return Cuts(*torch.tensor(cuts, dtype=torch.int64).reshape(len(cuts), -1, 2).unbind(2))


def spliced_by_hand(frames: list[list[float]], length: int, cuts: list[Cut]) -> list[list[float]]:
    """Slices are deleted one after the other; zeros stand where the utterance ended, and the padding follows."""
    speech = frames[:length]
    for start, width in cuts:
        del speech[start : start + width]
    return speech + [[0.0] * MEL] * (length - len(speech)) + frames[length:]


@st.composite
def batches(draw: st.DrawFn) -> list[tuple[int, list[Cut]]]:
    """For each utterance its length and as many cuts as the others have."""
    count, batch = draw(st.integers(1, 3)), []
    for length in draw(st.lists(st.integers(0, TIME), min_size=1, max_size=3)):
        left, cuts = length, []
        for _ in range(count):
            width = draw(st.integers(0, left))
            cuts.append((draw(st.integers(0, left - width)), width))
            left -= width
        batch.append((length, cuts))
    return batch


@given(batch=batches())
def test_each_cut_is_made_in_what_the_one_before_has_left(batch):
    lengths, cuts = zip(*batch, strict=True)
    got = cuts_of(list(cuts)).apply(noise(len(batch)), torch.tensor(lengths)).tolist()
    for before, after, (length, own) in zip(noise(len(batch)).tolist(), got, batch, strict=True):
        assert after == spliced_by_hand(before, length, own)


@given(batch=batches())
def test_the_lengths_afterwards_are_what_the_draws_say(batch):
    lengths, cuts = zip(*batch, strict=True)
    drawn, lengths = cuts_of(list(cuts)), torch.tensor(lengths)
    speech = (torch.arange(TIME) < lengths[:, None])[:, :, None]
    got = drawn.apply(noise(len(batch)), lengths)
    assert torch.equal((speech & (got != 0)).all(dim=2).sum(dim=1), Draws((drawn,)).shortened(lengths))


@given(T=st.integers(1, 15), N=st.integers(1, 4), length=st.integers(0, TIME), name=st.text(max_size=3))
def test_the_frames_that_stay_keep_their_order(T, N, length, name):
    lengths = torch.tensor([length])
    draws = draw(Policy((SpliceOut(N, T),)), lengths, 1, make_keys(0, 0, [name]))
    frames = draws.steps[0].apply(torch.arange(1.0, TIME + 1)[None, :, None], lengths).flatten().tolist()
    left = int(draws.shortened(lengths))
    assert max(length - N * T, min(length, 1)) <= left <= length
    assert all(a < b for a, b in pairwise(frames[:left]))
    assert set(frames[:left]) <= set(range(1, length + 1))


def cuts_by_hand(left: int, N: int, T: int) -> dict[tuple[Cut, ...], Fraction]:
    """Every sequence of N cuts, its chance the product of the chances of its cuts."""
    if N == 0:
        return {(): Fraction(1)}
    chances = {}
    widths = [width for width in range(T + 1) if width < left or width == 0]  # a frame always stays
    for width in widths:
        for start in range(left - width + 1):
            here = Fraction(1, len(widths) * (left - width + 1))
            for rest, chance in cuts_by_hand(left - width, N - 1, T).items():
                chances[((start, width), *rest)] = here * chance
    return chances


@pytest.mark.parametrize(("length", "N", "T"), [(6, 1, 3), (3, 1, 9), (4, 2, 2), (1, 3, 1), (0, 2, 4)])
def test_every_cut_has_any_width_and_lies_wherever_it_fits_in_what_is_left(length, N, T):
    got = many(SpliceOut(N, T), length)
    cuts = torch.stack([got.start, got.width], dim=2).tolist()
    assert fits((tuple(map(tuple, row)) for row in cuts), cuts_by_hand(length, N, T))


def test_an_operation_that_follows_is_drawn_in_what_is_left():
    policy = Policy((SpliceOut(N=2, T=8), TimeMask(T=None, p=0.5)))
    lengths = torch.full((200,), 10)
    cuts, masks = draw(policy, lengths, 4, make_keys(0, 0, ids(200))).steps
    left = cuts.shortened(lengths)
    assert (2 * masks.spans.width[:, 0] <= left).all()
    assert ((masks.spans.start + masks.spans.width)[:, 0] <= left).all()
    assert masks.spans.width.any()


def test_a_call_that_could_not_return_the_lengths_is_refused():
    augment = SpecAugment(Policy((TimeMask(), SpliceOut())))
    with pytest.raises(ValueError, match=r"SpliceOut shortens utterances; call shortening"):
        augment(noise(2))
    assert torch.equal(augment.eval()(noise(2)), noise(2))


def test_shortening_returns_the_features_and_their_lengths():
    features, lengths, keys = noise(3), torch.tensor([12, 7, 0]), make_keys(1, 2, "abc")
    policy = Policy((SpliceOut(N=3, T=4),))
    got, left = SpecAugment(policy).shortening(features, lengths, keys)
    draws = draw(policy, lengths, MEL, keys)
    assert torch.equal(got, draws.steps[0].apply(features, lengths))
    assert torch.equal(left, draws.shortened(lengths))
    assert (left < lengths).any()


def test_a_value_that_is_not_a_number_leaves_with_its_frame():
    features = noise(1)
    features[0, 2] = NAN
    got = cuts_of([[(1, 2)]]).apply(features, torch.tensor([9]))
    assert not got.isnan().any()
    assert got[0, 7:9].tolist() == [[0.0] * MEL] * 2
