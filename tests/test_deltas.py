import numpy as np
import pytest
import torch

from models.deltas import slopes, with_deltas

FEATURES = torch.randn(3, 12, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LENGTHS = torch.tensor([12, 7, 1])


def slope_by_hand(values: list[float], at: int) -> float:
    """The slope of numpy's line through five frames, the end frames going on."""
    reach = range(-2, 3)
    seen = [values[min(max(at + n, 0), len(values) - 1)] for n in reach]
    return float(np.polyfit(list(reach), seen, 1)[0])


def test_a_slope_is_that_of_the_best_line_through_five_frames():
    found = slopes(FEATURES, LENGTHS)
    for utterance, length in enumerate(LENGTHS.tolist()):
        for mel in range(4):
            values = FEATURES[utterance, :length, mel].tolist()
            by_hand = [slope_by_hand(values, at) for at in range(length)]
            assert found[utterance, :length, mel].tolist() == pytest.approx(by_hand, abs=1e-12)


def test_a_plane_holds_the_features_one_their_slopes_one_the_slopes_of_these():
    planes = with_deltas(FEATURES, LENGTHS)
    for utterance, length in enumerate(LENGTHS.tolist()):
        alone = FEATURES[utterance : utterance + 1, :length]
        count = torch.tensor([length])
        first = slopes(alone, count)
        for plane, expected in enumerate((alone, first, slopes(first, count))):
            assert torch.equal(planes[utterance, plane, :length], expected[0])
        assert not planes[utterance, :, length:].any()


@pytest.mark.parametrize("padding", [float("nan"), float("inf")])
def test_what_the_padding_holds_never_matters(padding):
    gone = torch.arange(12) >= LENGTHS[:, None]
    spoilt = FEATURES.masked_fill(gone[:, :, None], padding)
    assert torch.equal(with_deltas(spoilt, LENGTHS), with_deltas(FEATURES, LENGTHS))


def test_an_utterance_without_frames_has_no_slopes():
    assert not with_deltas(FEATURES, torch.tensor([0, 0, 0])).any()
