from fractions import Fraction
from itertools import combinations

import pytest
import torch
from chances import alike, both, fits, many
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.filter_augment import Gains
from specaug.augment.operations import FilterAugment

MEL = 10
NARROW = FilterAugment(n_low=1, n_high=3, w_min=2, kind="step")
SIZES = [
    pytest.param(2, 6, 4, 40, id="wide"),
    pytest.param(1, 3, 2, 10, id="narrow"),
    pytest.param(5, 5, 2, 10, id="full"),
]


def borders_of(row: list[float]) -> list[int]:
    """Where the bands of a step filter begin: no two gains are equal."""
    return [0, *(place for place in range(1, len(row)) if row[place] != row[place - 1])]


def borders_by_hand(mel: int, low: int, high: int, w_min: int) -> dict[tuple[int, ...], Fraction]:
    """Each number of bands alike, and for each all the ways to put its borders."""
    chances: dict[tuple[int, ...], Fraction] = {}
    for bands in range(low, high + 1):
        ways = [
            inner
            for inner in combinations(range(1, mel), bands - 1)
            if all(b - a >= w_min for a, b in zip((0, *inner), (*inner, mel), strict=True))
        ]
        chances |= dict.fromkeys(((0, *inner) for inner in ways), Fraction(1, len(ways) * (high - low + 1)))
    return chances


def test_every_number_of_bands_and_every_way_to_put_their_borders_is_equally_likely():
    gains = many(NARROW, 1, MEL).gain.tolist()
    assert fits((tuple(borders_of(row)) for row in gains), borders_by_hand(MEL, 1, 3, 2))


def test_bands_that_leave_no_channel_over_have_one_place():
    gains = many(FilterAugment(n_low=5, n_high=5, w_min=2, kind="step"), 1, MEL, count=50).gain.tolist()
    assert {tuple(borders_of(row)) for row in gains} == {(0, 2, 4, 6, 8)}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_gain_of_a_band_is_uniform_within_g_decibels_either_way(place):
    operation = FilterAugment(g=6.0, n_low=3, n_high=3, w_min=2, kind="step", unit=0.5)
    rows = many(operation, 1, MEL).gain.tolist()
    shares = [(row[borders_of(row)[place]] / (6 * 0.5) + 1) / 2 for row in rows]  # in [0, 1)
    assert fits((int(20 * share) for share in shares), alike(range(20)))


def test_the_gain_of_one_band_says_nothing_of_the_next_or_of_the_borders():
    rows = many(FilterAugment(n_low=2, n_high=2, w_min=4, kind="step"), 1, MEL).gain.tolist()
    seen = [((row[0] > 0, row[-1] > 0), borders_of(row)[1]) for row in rows]
    signs = both(alike([False, True]), alike([False, True]))
    assert fits(seen, both(signs, alike([4, 5, 6])))


def lines_by_hand(borders: list[int], gains: list[float], channel: int) -> float:
    """The gain of a channel on the line between the borders around it."""
    band = max(k for k in range(len(borders)) if borders[k] <= channel)
    if borders[band] == channel:
        return gains[band]
    share = Fraction(channel - borders[band], borders[band + 1] - borders[band])
    return float((1 - share) * Fraction(gains[band]) + share * Fraction(gains[band + 1]))


@pytest.mark.parametrize(("low", "high", "w_min", "mel"), SIZES)
def test_a_linear_filter_runs_from_border_to_border_in_straight_lines(low, high, w_min, mel):
    steps, lines = (
        many(FilterAugment(6.0, low, high, w_min, kind), 1, mel, count=100).gain.tolist()
        for kind in ("step", "linear")
    )
    for step, line in zip(steps, lines, strict=True):
        borders = borders_of(step)
        gains = [step[border] for border in borders]
        last = borders[-1]
        slope = line[last + 1] - line[last]  # towards the last gain, which no channel has
        end = line[last] + (mel - last) * slope
        by_hand = [lines_by_hand([*borders, mel], [*gains, end], channel) for channel in range(mel)]
        assert line == pytest.approx(by_hand, rel=0, abs=1e-12)
        assert abs(end) <= 6 * 0.2303


def test_the_gain_at_the_last_border_is_uniform_too():
    rows = many(FilterAugment(g=4.0, n_low=1, n_high=1, w_min=1, unit=0.25), 1, mel=2).gain.tolist()
    ends = [start + 2 * (middle - start) for start, middle in rows]
    assert fits((int(10 * (end + 1)) for end in ends), alike(range(20)))


@pytest.mark.parametrize("kind", ["step", "linear"])
@pytest.mark.parametrize("change", [{"g": 12.0}, {"unit": 0.4606}])
def test_twice_the_decibels_or_twice_the_unit_is_twice_the_gain(kind, change):
    one, other = (many(FilterAugment(kind=kind, **c), 1, 40, count=20).gain for c in ({}, change))
    assert torch.allclose(other, 2 * one, rtol=1e-12)


@given(
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=3),
    dtype=st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]),
)
def test_every_frame_has_its_channels_gains_added_and_is_rounded_once(lengths, dtype):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(len(lengths), 6, 5, generator=generator).to(dtype)
    gain = torch.rand(len(lengths), 5, generator=generator, dtype=torch.float32).double()
    got = Gains(gain).apply(features, torch.tensor(lengths))
    for utterance, length in enumerate(lengths):
        sums = features[utterance, :length].double() + gain[utterance]
        assert torch.equal(got[utterance, :length], sums.to(dtype))
        assert torch.equal(got[utterance, length:], features[utterance, length:])


def test_too_few_channels_for_the_bands_are_refused():
    operation = FilterAugment(n_low=2, n_high=4, w_min=3)
    many(operation, 1, mel=12, count=1)
    with pytest.raises(ValueError, match=r"FilterAugment .* needs 12 mel channels; the features have 11"):
        many(operation, 1, mel=11, count=1)


def test_the_lengths_stay():
    lengths = torch.tensor([3, 9])
    assert torch.equal(many(NARROW, 9, MEL, count=2).shortened(lengths), lengths)
