import pytest
import torch

from models.deltas import with_deltas
from models.pooling import Pooling, pooled


def pooled_by_hand(rows: list[list[list[float]]], layer: torch.nn.Conv2d) -> list[list[list[float]]]:
    """(channel, frame, mel): 3 x 3 about each cell, what lies outside being 0; ReLU; the largest of 2 x 2."""
    weight, bias = layer.weight.tolist(), layer.bias.tolist()
    frames, mels = len(rows[0]), len(rows[0][0])

    def cell(channel: int, t: int, m: int) -> float:
        return rows[channel][t][m] if 0 <= t < frames and 0 <= m < mels else 0.0

    convolved = [
        [
            [
                max(
                    0.0,
                    bias[out]
                    + sum(
                        weight[out][channel][dt][dm] * cell(channel, t + dt - 1, m + dm - 1)
                        for channel in range(len(rows))
                        for dt in range(3)
                        for dm in range(3)
                    ),
                )
                for m in range(mels)
            ]
            for t in range(frames)
        ]
        for out in range(len(bias))
    ]
    return [
        [
            [max(max(row[m : m + 2]) for row in plane[t : t + 2]) for m in range(0, mels, 2)]
            for t in range(0, frames, 2)
        ]
        for plane in convolved
    ]


@pytest.mark.parametrize("deltas", [False, True])
@pytest.mark.parametrize("length", [1, 2, 5, 8, 11])
def test_the_front_is_two_convolutions_with_max_pooling_over_the_utterance_alone(length, deltas):
    torch.manual_seed(0)
    front, features = Pooling(6, 2, deltas), torch.randn(1, 11, 6)
    hidden, frames = front(features, torch.tensor([length]))
    alone = features[:, :length]
    planes = with_deltas(alone, torch.tensor([length]))[0].tolist() if deltas else alone.tolist()
    for layer in (front.first, front.second):
        planes = pooled_by_hand(planes, layer)
    assert frames.item() == len(planes[0]) == pooled(length)
    assert hidden.shape[2] == front.width == 2 * 2
    for t in range(len(planes[0])):
        row = [value for plane in planes for value in plane[t]]
        assert hidden[0, t].tolist() == pytest.approx(row, abs=1e-6)
    assert not hidden[0, len(planes[0]) :].any()
