from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from math import cos, log1p, pi, sqrt
from statistics import NormalDist

import pytest
import torch
from counting import philox_by_hand
from hypothesis import given
from hypothesis import strategies as st
from sizes import Sizes

from specaug.augment import fills
from specaug.augment import means as module_of_means
from specaug.augment.apply import apply
from specaug.augment.draws import draw
from specaug.augment.fills import Fills
from specaug.augment.keys import make_keys
from specaug.augment.operations import FrequencyMask, PatchMask, TimeMask, TimeWarp
from specaug.augment.policy import Policy

KEYS = make_keys(0, 0, ["a", "b"])
LENGTHS = torch.tensor([7, 4])


def features() -> torch.Tensor:
    return torch.rand(2, 9, 8, generator=torch.Generator().manual_seed(0)) + 3


def hidden(fill: float | str, given: torch.Tensor) -> torch.Tensor:
    """What the cells of a mask over all channels hold."""
    draws = draw(Policy((TimeMask(T=9, m_T=4, fill=fill),)), LENGTHS, 8, KEYS)
    got = apply(given, LENGTHS, draws)
    (masks,) = draws.steps
    widest = masks.spans.width[0].argmax()
    start, width = masks.spans.start[0, widest], masks.spans.width[0, widest]
    assert width > 1
    return got[0, start : start + width]


def mean_by_hand(rows: torch.Tensor) -> float:
    cells = [Fraction(value) for row in rows.tolist() for value in row]
    return float(sum(cells) / len(cells))


@pytest.mark.parametrize("fill", [0.0, -4.5, 2])
def test_a_constant_fills_every_hidden_cell(fill):
    assert (hidden(float(fill), features()) == fill).all()


@pytest.fixture(params=["means", "fused_cpu"])
def means(request):
    """The code of each engine that takes means."""
    if request.param == "fused_cpu":
        pytest.importorskip("numba")
    return import_module(f"specaug.augment.{request.param}").means


@pytest.mark.parametrize("garbage", [1e30, float("inf"), float("nan")])
def test_the_mean_is_that_of_the_frames_before_the_padding(means, garbage):
    given = features()
    given[0, 7:], given[1, 4:] = garbage, garbage
    got = means(given, LENGTHS).tolist()
    assert got == pytest.approx([mean_by_hand(given[0, :7]), mean_by_hand(given[1, :4])], rel=1e-12)


LAYOUTS = {
    "whole": lambda cells: cells,
    "channels first": lambda cells: cells.transpose(1, 2).contiguous().transpose(1, 2),
    "every other": lambda cells: cells.repeat_interleave(2, 1).repeat_interleave(2, 2)[:, ::2, ::2],
    "one for all": lambda cells: cells[:1].expand(2, -1, -1),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("portion", [1, 20, 2**19])
def test_the_mean_is_that_of_fractions_however_features_lie_in_memory(
    monkeypatch, means, layout, dtype, portion
):
    monkeypatch.setattr(module_of_means, "PORTION", portion)
    given = LAYOUTS[layout](features().to(dtype) * torch.tensor([1e4, -1e4] * 4).to(dtype))
    by_hand = [mean_by_hand(given[0, :7]), mean_by_hand(given[1, :4])]  # far below the cells
    assert means(given, LENGTHS).tolist() == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_the_mean_is_the_same_to_the_bit_however_many_threads_take_it_and_however_long_the_padding(
    means, dtype
):
    lengths = torch.tensor([300, 299, 20, 0, 7, *range(8, 299, 9)])
    given = torch.randn(
        len(lengths), 300, 80, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ).to(dtype)
    alone = [
        means(given[place : place + 1, :frames], torch.tensor([frames]))
        for place, frames in enumerate(lengths)
    ]
    count = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        together = means(given, lengths)
    finally:
        torch.set_num_threads(count)
    assert torch.equal(torch.cat(alone), together)


def test_the_cells_of_a_mask_hold_the_mean_of_their_utterance():
    (policy,) = [Policy((TimeMask(T=9, m_T=1, fill="mean"),))]
    got = apply(features(), LENGTHS, draw(policy, LENGTHS, 8, KEYS))
    changed = got != features()
    assert changed.any()
    for utterance, length in enumerate((7, 4)):
        cells = got[utterance][changed[utterance]]
        assert cells.tolist() == pytest.approx(
            len(cells) * [mean_by_hand(features()[utterance, :length])], rel=1e-6
        )


def test_the_mean_is_that_of_the_features_as_the_mask_finds_them():
    warp, mask = TimeWarp(W=2), FrequencyMask(F=8, m_F=1, fill="mean")
    warped = apply(features(), LENGTHS, draw(Policy((warp,)), LENGTHS, 8, KEYS))
    got = apply(features(), LENGTHS, draw(Policy((warp, mask)), LENGTHS, 8, KEYS))
    changed = (got != warped)[0]
    assert changed.any()
    expected = mean_by_hand(warped[0, :7])
    assert got[0][changed].tolist() == pytest.approx(int(changed.sum()) * [expected], rel=1e-7)
    assert abs(expected - mean_by_hand(features()[0, :7])) > 1e-5  # the warp did move it


@pytest.mark.parametrize(
    "stray",
    [
        pytest.param([float("nan")], id="no number"),
        pytest.param([float("-inf")], id="minus infinity"),
        pytest.param([float("-inf"), float("inf")], id="both infinities"),
    ],
)
def test_what_is_infinite_or_not_a_number_is_left_out_of_the_mean(means, stray):
    given = features()
    given[0, 2, 3 : 3 + len(stray)] = torch.tensor(stray)
    cells = [Fraction(v) for row in given[0, :7].tolist() for v in row if v - v == 0]
    assert len(cells) == 56 - len(stray)
    got = means(given, LENGTHS).tolist()
    by_hand = [float(sum(cells) / len(cells)), mean_by_hand(given[1, :4])]
    assert got == pytest.approx(by_hand, rel=1e-12)


def test_the_mean_is_0_where_nothing_is_finite(means):
    given = features()
    given[0] = float("nan")
    assert means(given, LENGTHS)[0] == 0


def test_an_empty_utterance_has_the_mean_0(means):
    assert means(features(), torch.tensor([0, 4]))[0] == 0
    assert means(features()[:0], LENGTHS[:0]).shape == (0,)


def everywhere(keys: torch.Tensor, time: int, mel: int) -> torch.Tensor:
    """The noise of utterances of which every cell is hidden."""
    blank = torch.zeros(len(keys), time, mel)
    return Fills("noise", keys).filled(blank, blank == 0, torch.full((len(keys),), time))


def noise_by_hand(key: list[int], frame: int, channel: int, mel: int) -> float:
    """The first two words of block 2^31 + frame * mel + channel, brought to a normal number (Box and Muller 1958)."""
    words = philox_by_hand([2**31 + frame * mel + channel, *key[2:]], key[:2])
    return sqrt(-2 * log1p(-words[0] / 2**32)) * cos(2 * pi * words[1] / 2**32)


def test_the_noise_of_a_cell_is_that_of_its_key_frame_and_channel_by_hand():
    keys = make_keys(2**40 + 3, 5, ["a", "b"])
    for key, rows in zip(keys.tolist(), everywhere(keys, 7, 5).tolist(), strict=True):
        for frame, row in enumerate(rows):
            by_hand = [noise_by_hand(key, frame, channel, 5) for channel in range(5)]
            assert row == pytest.approx(by_hand, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("portion", [1, 7, 1000])
def test_noise_is_the_same_in_portions_of_any_size(monkeypatch, portion):
    whole = everywhere(KEYS, 9, 8)
    monkeypatch.setattr(fills, "PORTION", portion)
    assert torch.equal(everywhere(KEYS, 9, 8), whole)


@pytest.mark.parametrize(
    ("frames", "bytes_a_cell"), [pytest.param(40, 4, id="few"), pytest.param(2000, 8, id="all")]
)
def test_noise_takes_no_more_memory_than_the_places_of_what_is_hidden(monkeypatch, frames, bytes_a_cell):
    monkeypatch.setattr(fills, "PORTION", 2**8)
    given, hidden = torch.zeros(2, 2000, 40), torch.zeros(2, 2000, 40, dtype=torch.bool)
    hidden[:, :frames] = True
    with Sizes() as sizes:
        Fills("noise", KEYS).filled(given, hidden, torch.tensor([2000, 2000]))
    assert sizes.largest == bytes_a_cell * given.numel()


@pytest.mark.parametrize("stray", [0.0, float("nan")])
def test_a_mean_takes_a_portion_of_memory_and_a_number_a_frame(monkeypatch, stray):
    monkeypatch.setattr(module_of_means, "PORTION", 2**10)
    given = torch.full((4, 2000, 40), stray)
    with Sizes() as sizes:
        module_of_means.means(given, torch.tensor([2000, 2000, 300, 0]))
    assert sizes.largest == 8 * max(2**10 // 40 * 40, 4 * 2000)


@pytest.mark.parametrize("fill", [1.0, "mean", "noise"])
@pytest.mark.parametrize(("batch", "time"), [(0, 9), (0, 0), (2, 0)])
def test_a_batch_may_be_empty(fill, batch, time):
    nothing, lengths = torch.zeros(batch, time, 8), torch.full((batch,), time)
    assert Fills(fill, KEYS[:batch]).filled(nothing, nothing == 0, lengths).shape == nothing.shape


def bins_by_hand(values: torch.Tensor, count: int) -> torch.Tensor:
    """In which of `count` equally likely bins of the standard normal distribution each value lies."""
    edges = torch.tensor([NormalDist().inv_cdf(k / count) for k in range(1, count)], dtype=torch.float64)
    return (values.double()[..., None] >= edges).sum(dim=-1)


def test_noise_is_standard_normal():
    values = everywhere(make_keys(0, 0, [str(n) for n in range(40)]), 50, 20).flatten()
    observed = bins_by_hand(values, 20).bincount(minlength=20).double()
    assert observed.sum() == 40_000
    assert ((observed - 2000) ** 2 / 2000).sum() < 43.82  # 99.9 %, 19 degrees of freedom


@pytest.mark.parametrize("neighbour", ["channel", "frame", "utterance"])
def test_the_noise_of_a_cell_says_nothing_of_its_neighbours(neighbour):
    values = everywhere(make_keys(0, 0, [str(n) for n in range(40)]), 50, 20)
    axis = {"utterance": 0, "frame": 1, "channel": 2}[neighbour]
    bins = bins_by_hand(values, 5)
    last = bins.shape[axis] - 1
    pairs = 5 * bins.narrow(axis, 0, last) + bins.narrow(axis, 1, last)
    observed = pairs.flatten().bincount(minlength=25).double()
    mean = observed.sum() / 25
    assert ((observed - mean) ** 2 / mean).sum() < 51.18  # 99.9 %, 24 degrees of freedom


@given(time=st.integers(1, 20), order=st.permutations(range(3)))
def test_the_noise_of_an_utterance_is_the_same_in_any_batch_and_with_any_padding(time, order):
    keys = make_keys(1, 2, "abc")
    whole = everywhere(keys, 20, 6)
    assert torch.equal(everywhere(keys[order], time, 6), whole[order, :time])


@pytest.mark.parametrize("column", range(5))
def test_another_key_gives_other_noise(column):
    keys = KEYS.clone()
    keys[:, column] += 1
    assert (everywhere(keys, 9, 8) != everywhere(KEYS, 9, 8)).all()


def test_the_noise_of_a_cell_does_not_depend_on_which_masks_hide_it():
    given, seen = features(), []
    for mask in (
        FrequencyMask(F=8, m_F=3, fill="noise"),
        TimeMask(T=9, m_T=3, fill="noise"),
        PatchMask(t=2, f=2, share=0.9, fill="noise"),
    ):
        got = apply(given, LENGTHS, draw(Policy((mask,)), LENGTHS, 8, KEYS))
        seen.append(torch.where(got == given, float("nan"), got))
    for got in seen:
        there = ~got.isnan()
        assert there.sum() > 10
        assert torch.equal(got[there], everywhere(KEYS, 9, 8)[there])


def test_noise_never_reaches_the_padding():
    mask = Policy((FrequencyMask(F=8, m_F=3, fill="noise"),))
    got = apply(features(), LENGTHS, draw(mask, LENGTHS, 8, KEYS))
    padding = torch.arange(9) >= LENGTHS[:, None]
    assert torch.equal(got[padding], features()[padding])


@pytest.mark.parametrize("fill", [1.0, "mean", "noise"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_fill_takes_the_type_of_the_features(fill, dtype):
    exact = hidden(fill, features())
    got = hidden(fill, features().to(dtype))
    assert got.dtype == dtype
    assert torch.allclose(got.float(), exact, rtol=1e-2)


def test_features_in_double_precision_hold_a_fill_as_it_was_given():
    given = features().double() / 3
    assert set(hidden(0.1, given).flatten().tolist()) == {0.1}
    (mean,) = set(hidden("mean", given).flatten().tolist())
    assert mean == pytest.approx(mean_by_hand(given[0, :7]), rel=1e-12)


@pytest.mark.parametrize(
    ("fill", "dtype", "said"),
    [
        pytest.param(
            1e300, torch.float32, r"fill is 1e\+300; expected at most 3.40282e\+38, which torch.f", id="32"
        ),
        pytest.param(
            -7e4, torch.float16, "fill is -70000.0; expected at most 65504, which torch.float16", id="16"
        ),
    ],
)
@pytest.mark.parametrize("mask", [TimeMask(), PatchMask(t=2, f=2)], ids=["in one pass", "alone"])
def test_a_fill_that_the_type_of_the_features_cannot_hold_is_refused(fill, dtype, said, mask):
    draws = draw(Policy((replace(mask, fill=fill),)), LENGTHS, 8, KEYS)
    with pytest.raises(ValueError, match=said):
        apply(features().to(dtype), LENGTHS, draws)


def test_the_largest_number_of_a_type_is_a_fill():
    most = torch.finfo(torch.float16).max
    assert (hidden(most, features().half()) == most).all()
