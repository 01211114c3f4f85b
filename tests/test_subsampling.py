import pytest
import torch

from models.subsampling import Planar, Subsampling, halved, subsampled


def convolution_by_hand(frames: list[list[float]], layer: torch.nn.Conv1d) -> list[list[float]]:
    """Every other frame with its two neighbours, those outside the utterance being 0; then ReLU."""
    weight, bias = layer.weight.tolist(), layer.bias.tolist()
    nothing = [0.0] * len(weight[0])
    output = []
    for middle in range(0, len(frames), 2):
        seen = [frames[i] if 0 <= i < len(frames) else nothing for i in range(middle - 1, middle + 2)]
        row = [
            bias[out]
            + sum(w * seen[tap][i] for i, taps in enumerate(weight[out]) for tap, w in enumerate(taps))
            for out in range(len(bias))
        ]
        output.append([max(0.0, value) for value in row])
    return output


@pytest.fixture(scope="module")
def front() -> Subsampling:
    torch.manual_seed(0)
    return Subsampling(mel=3, width=4)


@pytest.mark.parametrize("length", [0, 1, 2, 5, 8, 11])
def test_the_front_is_two_convolutions_of_stride_2_over_the_utterance_alone(front, length):
    features = torch.randn(1, 11, 3, generator=torch.Generator().manual_seed(1))
    hidden, frames = front(features, torch.tensor([length]))
    by_hand = features[0, :length].tolist()
    for layer in (front.first, front.second):
        by_hand = convolution_by_hand(by_hand, layer)
    assert frames.tolist() == [len(by_hand)]
    for frame, row in enumerate(by_hand):
        assert hidden[0, frame].tolist() == pytest.approx(row, abs=1e-6)
    assert not hidden[0, len(by_hand) :].any()


def test_a_stride_of_2_keeps_every_other_frame():
    assert halved(torch.arange(40)).tolist() == [len(range(0, frames, 2)) for frames in range(40)]


def test_both_strides_keep_every_fourth_frame():
    assert [subsampled(frames) for frames in range(40)] == [len(range(0, frames, 4)) for frames in range(40)]


@pytest.mark.parametrize("padding", [float("nan"), float("inf"), 1e30])
def test_what_the_padding_holds_never_matters(front, padding):
    lengths = torch.tensor([11, 6, 0])
    features = torch.randn(3, 11, 3, generator=torch.Generator().manual_seed(1))
    hidden, frames = front(features, lengths)
    spoilt = features.masked_fill((torch.arange(11) >= lengths[:, None])[:, :, None], padding)
    again, frames_again = front(spoilt, lengths)
    assert torch.equal(again, hidden)
    assert torch.equal(frames_again, frames)


def planar_by_hand(planes: list[list[list[float]]], layer: torch.nn.Conv2d) -> list[list[list[float]]]:
    """(channel, frame, mel): every other cell with its eight neighbours, those outside being 0; then ReLU."""
    weight, bias = layer.weight.tolist(), layer.bias.tolist()
    frames, mels = len(planes[0]), len(planes[0][0])

    def cell(plane: list[list[float]], t: int, m: int) -> float:
        return plane[t][m] if 0 <= t < frames and 0 <= m < mels else 0.0

    def seen(out: int, t: int, m: int) -> float:
        around = [(dt, dm) for dt in range(3) for dm in range(3)]
        return bias[out] + sum(
            weight[out][i][dt][dm] * cell(plane, t + dt - 1, m + dm - 1)
            for i, plane in enumerate(planes)
            for dt, dm in around
        )

    return [
        [[max(0.0, seen(out, t, m)) for m in range(0, mels, 2)] for t in range(0, frames, 2)]
        for out in range(len(bias))
    ]


@pytest.mark.parametrize("length", [1, 2, 5, 8, 11])
def test_the_planar_front_is_two_convolutions_over_time_and_channels_and_a_linear_layer(length):
    torch.manual_seed(0)
    front, features = Planar(mel=6, width=2), torch.randn(1, 11, 6)
    hidden, frames = front(features, torch.tensor([length]))
    planes = [features[0, :length].tolist()]
    for layer in (front.first, front.second):
        planes = planar_by_hand(planes, layer)
    assert frames.item() == len(planes[0]) == subsampled(length)
    rows = torch.tensor([[value for plane in planes for value in plane[t]] for t in range(len(planes[0]))])
    assert (hidden[0, : len(rows)] - front.output(rows)).abs().max() < 1e-5
    assert not hidden[0, len(rows) :].any()
