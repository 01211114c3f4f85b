import cmath
import math
from collections.abc import Sequence

import pytest
import torch

from models.conformer import Attention, Block, ConformerCTC, Convolution, feed_forward, rotated, rotation


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def hidden_and_mask() -> tuple[torch.Tensor, torch.Tensor]:
    """Two utterances, of 7 frames and of 4, 8 wide."""
    return torch.randn(2, 7, 8), torch.arange(7) < torch.tensor([7, 4])[:, None]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"heads": 0}, "heads is 0; expected 1 or more", id="no heads"),
        pytest.param({"heads": -2}, "heads is -2; expected 1 or more", id="fewer than no heads"),
        pytest.param({"width": 140}, r"width is 140; expected a multiple of 2 x heads \(8\)", id="width"),
        pytest.param({"width": 0}, "width is 0; expected a multiple", id="no width"),
        pytest.param({"width": 12, "heads": 4}, "width is 12; expected a multiple", id="odd head"),
        pytest.param({"kernel": 14}, "kernel is 14; expected an odd number of frames", id="even kernel"),
        pytest.param({"kernel": -1}, "kernel is -1; expected an odd number of frames", id="kernel below 0"),
        pytest.param({"dropout": 1.5}, "dropout probability", id="dropout"),
        pytest.param({"front": "conv3d"}, "front is 'conv3d'; expected conv1d or conv2d", id="front"),
    ],
)
def test_a_wrong_argument_is_refused_by_name_and_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConformerCTC(mel=8, vocab=5, **arguments)


def rotated_by_hand(vector: list[float], frame: int) -> list[float]:
    """Coordinates i and i + half as one complex number, turned by frame / 10000^(2 i / width) radians."""
    half = len(vector) // 2
    turned = [
        complex(vector[i], vector[i + half]) * cmath.exp(1j * frame * 10_000 ** (-2 * i / len(vector)))
        for i in range(half)
    ]
    return [number.real for number in turned] + [number.imag for number in turned]


def test_a_position_turns_each_pair_of_coordinates_by_its_angle():
    vectors = torch.randn(1, 1, 9, 6)
    got = rotated(vectors, rotation(9, 6, vectors.device))
    for frame in range(9):
        by_hand = rotated_by_hand(vectors[0, 0, frame].tolist(), frame)
        assert got[0, 0, frame].tolist() == pytest.approx(by_hand, abs=1e-6)


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def attended_by_hand(attention: Attention, hidden: torch.Tensor, length: int) -> list[list[float]]:
    """One utterance, frame by frame and head by head: softmax of q.k / sqrt(size), of the values."""
    width, heads = hidden.shape[1], attention.heads
    size = width // heads
    rows = attention.inputs(attention.norm(hidden)).tolist()
    output = []
    for frame, row in enumerate(rows):
        joined = []
        for part in (slice(head * size, (head + 1) * size) for head in range(heads)):
            query = rotated_by_hand(row[:width][part], frame)
            keys = [rotated_by_hand(rows[i][width : 2 * width][part], i) for i in range(length)]
            scores = [math.exp(dot(query, key) / math.sqrt(size)) for key in keys]
            values = [rows[i][2 * width :][part] for i in range(length)]
            joined += [dot(scores, column) / sum(scores) for column in zip(*values, strict=True)]
        output.append(joined)
    return attention.output(torch.tensor(output)).tolist()


def test_attention_is_over_the_valid_frames_with_rotary_positions():
    hidden, mask = hidden_and_mask()
    attention = Attention(8, heads=2, dropout=0.1).eval()
    got = attention(hidden, mask)
    for utterance, length in enumerate((7, 4)):
        by_hand = attended_by_hand(attention, hidden[utterance], length)
        assert (got[utterance] - torch.tensor(by_hand)).abs().max() < 1e-5


def test_the_convolution_is_gated_and_sees_nothing_outside_the_utterance():
    hidden, mask = hidden_and_mask()
    module = Convolution(8, kernel=3, dropout=0.1).eval()
    got = module(hidden, mask)
    for utterance, length in enumerate((7, 4)):
        both = module.gate(module.norm(hidden[utterance, :length]))
        gated = [torch.zeros(8), *(both[:, :8] * torch.sigmoid(both[:, 8:])), torch.zeros(8)]
        taps = module.depthwise.weight[:, 0, :].T
        mixed = torch.stack(
            [
                module.depthwise.bias + sum(taps[tap] * gated[frame + tap] for tap in range(3))
                for frame in range(length)
            ]
        )
        normal = module.inner(mixed)
        by_hand = module.output(normal * torch.sigmoid(normal))
        assert (got[utterance, :length] - by_hand).abs().max() < 1e-6


def test_a_feed_forward_module_is_norm_four_times_the_width_swish_and_back():
    module, hidden = feed_forward(8, 0.1).eval(), torch.randn(2, 3, 8)
    norm, wide, back = (layer for layer in module if list(layer.parameters()))
    inner = wide(norm(hidden))
    assert inner.shape[-1] == 32
    assert (module(hidden) - back(inner * torch.sigmoid(inner))).abs().max() < 1e-6


def test_a_block_is_half_a_feed_forward_attention_convolution_half_a_feed_forward_and_norm():
    hidden, mask = hidden_and_mask()
    block = Block(8, heads=2, kernel=3, dropout=0.1).eval()
    one = hidden + block.enter(hidden) / 2
    two = one + block.attention(one, mask)
    three = two + block.convolution(two, mask)
    four = three + block.leave(three) / 2
    scale = (four.var(dim=-1, correction=0, keepdim=True) + 1e-5).sqrt()
    assert (block(hidden, mask) - (four - four.mean(dim=-1, keepdim=True)) / scale).abs().max() < 1e-5


def test_sizes_are_those_that_are_asked_for():
    network = ConformerCTC(mel=8, vocab=5, width=16, depth=3, heads=2, kernel=7, dropout=0.25)
    block = network.encoder.blocks[2]
    assert len(network.encoder.blocks) == 3
    assert (block.attention.heads, block.convolution.depthwise.kernel_size) == (2, (7,))
    assert {layer.p for layer in network.modules() if isinstance(layer, torch.nn.Dropout)} == {0.25}
