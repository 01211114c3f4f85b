import math
from functools import cache

import pytest
import torch

from models.conformer import SIZES
from models.transducer import BLANK, ConformerTransducer

MEL, VOCAB = 8, 4
FEATURES = torch.randn(3, 14, MEL, generator=torch.Generator().manual_seed(1))
LENGTHS = torch.tensor([14, 9, 3])
TARGETS, COUNTS = torch.tensor([[1, 2, 2], [3, 0, 0], [0, 0, 0]]), torch.tensor([3, 1, 0])
PUBLISHED = {"S": 10.3, "M": 30.7, "L": 118.8}  # million parameters: Gulati et al. 2020, Table 1


def transducer(seed: int = 0, **sizes: int) -> ConformerTransducer:
    torch.manual_seed(seed)
    small = {"width": 8, "depth": 1, "heads": 2, "kernel": 3, "dropout": 0.0, "predictor": 6}
    return ConformerTransducer(MEL, VOCAB, **{**small, **sizes}).eval()


def talkative(seed: int) -> ConformerTransducer:
    """One whose decisions change with frames and labels, and with these seeds is silent now and then."""
    network = transducer(seed, predictor=32)
    with torch.no_grad():
        for layer, times in (
            (network.output, 10),
            (network.said, 10),
            (network.labels, 10),
            (network.heard, 5),
        ):
            layer.weight.mul_(times)
        network.output.bias[BLANK] += 4
    return network


def told(network: ConformerTransducer, utterance: int, frame: int, labels: list[int]) -> list[float]:
    """The log-probabilities of what comes next at a frame, after these labels."""
    hidden, _ = network.encoder(FEATURES, LENGTHS)
    said, _ = network.remembered(torch.tensor([[BLANK, *labels]]))
    heard = network.heard(hidden[utterance, frame]).tolist()
    joined = torch.tensor([math.tanh(h + s) for h, s in zip(heard, said[0, -1].tolist(), strict=True)])
    return network.output(joined).log_softmax(dim=0).tolist()


def likelihood_by_hand(network: ConformerTransducer, utterance: int, labels: list[int], frames: int) -> float:
    """The sum over every way to say the labels along the frames: one more label, or on to the next frame."""

    @cache
    def row(frame: int, said: int) -> list[float]:
        return [math.exp(x) for x in told(network, utterance, frame, labels[:said])]

    def rest(frame: int, said: int) -> float:
        if frame == frames:
            return 1.0 if said == len(labels) else 0.0
        total = row(frame, said)[BLANK] * rest(frame + 1, said)
        if said < len(labels):
            total += row(frame, said)[labels[said]] * rest(frame, said + 1)
        return total

    return rest(0, 0)


def test_the_loss_sums_over_every_way_to_say_the_labels():
    network = transducer()
    frames = network.encoder(FEATURES, LENGTHS)[1].tolist()
    total = -sum(
        math.log(likelihood_by_hand(network, i, TARGETS[i, :count].tolist(), frames[i]))
        for i, count in enumerate(COUNTS.tolist())
    )
    assert network.loss(FEATURES, LENGTHS, TARGETS, COUNTS).item() == pytest.approx(total / 4, rel=1e-4)


def greedy_by_hand(network: ConformerTransducer, utterance: int, frames: int) -> list[int]:
    labels: list[int] = []
    for frame in range(frames):
        while len(labels) < LENGTHS[utterance]:
            row = told(network, utterance, frame, labels)
            best = row.index(max(row))
            if best == BLANK:
                break
            labels.append(best)
    return labels


def test_a_network_that_never_falls_silent_says_one_label_for_each_frame_of_the_features():
    network = transducer()
    with torch.no_grad():
        network.output.bias[BLANK] = -100.0
    assert [len(labels) for labels in network.transcribe(FEATURES, LENGTHS)] == LENGTHS.tolist()


def test_more_labels_may_be_said_than_frames_are_heard():
    """So it does not say `frames_out`, by which an utterance would be found too short for its labels."""
    network, labels = transducer(), torch.tensor([[1, 2, 3, 1, 2, 3, 3]])
    assert network.encoder(FEATURES[2:], LENGTHS[2:])[1].item() < labels.shape[1]
    loss = network.loss(FEATURES[2:], LENGTHS[2:], labels, torch.tensor([labels.shape[1]]))
    assert math.isfinite(loss.item())
    assert not hasattr(network, "frames_out")


@pytest.mark.parametrize("seed", [3, 6, 30, 44])
def test_transcripts_take_the_likeliest_label_until_none_is_said(seed):
    network = talkative(seed)
    frames = network.encoder(FEATURES, LENGTHS)[1].tolist()
    expected = [greedy_by_hand(network, i, count) for i, count in enumerate(frames)]
    assert network.transcribe(FEATURES, LENGTHS) == expected


@pytest.mark.parametrize("size", sorted(SIZES))
def test_the_sizes_of_the_paper_are_met_within_4_percent(size):
    width, depth, heads, predictor = SIZES[size]
    sizes = {"width": width, "depth": depth, "heads": heads, "kernel": 31, "predictor": predictor}
    with torch.device("meta"):
        network = ConformerTransducer(80, 1001, front="conv2d", **sizes)
    count = sum(p.numel() for p in network.parameters()) / 1e6
    assert count == pytest.approx(PUBLISHED[size], rel=0.04)
    assert f"{count:.1f}" in ConformerTransducer.__doc__
