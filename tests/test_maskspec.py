import math

import pytest
import torch
from pretexts import LENGTHS, batch, built, noise, small

from models.ast import AST, SIZES
from models.maskspec import MaskSpec, normalised


def normalised_by_hand(cells: list[float]) -> list[float]:
    """Less the mean, divided by the deviation."""
    mean = sum(cells) / len(cells)
    variance = sum((cell - mean) ** 2 for cell in cells) / len(cells)
    return [(cell - mean) / math.sqrt(variance + 1e-6) for cell in cells]


def test_a_target_is_the_patch_less_its_mean_by_its_deviation():
    cells = 3 * noise(2, 3, 8) + 5
    got = normalised(cells)
    for one, other in zip(got.flatten(0, 1).tolist(), cells.flatten(0, 1).tolist(), strict=True):
        assert one == pytest.approx(normalised_by_hand(other), abs=1e-5)


def test_the_target_of_silence_is_0():
    assert not normalised(torch.full((1, 1, 8), -2.0)).any()


def test_the_encoder_makes_no_more_states_than_there_are_visible_patches():
    network, (features, lengths, hidden) = built("maskspec").eval(), batch()
    received: list[tuple[torch.Tensor, ...]] = []
    network.encoder.body.register_forward_pre_hook(lambda _, given: received.append(given))
    network.loss(features, lengths, hidden)
    tokens, there, _ = received[0]
    held = [2 * -(-length // 4) for length in LENGTHS]  # patches, the last row's reach into the padding
    visible = [n - int(of_one.sum()) for n, of_one in zip(held, hidden, strict=True)]
    assert there.sum(dim=1).tolist() == visible
    assert tokens.shape[1] == max(visible)


def test_the_encoder_receives_each_visible_patch_with_its_own_position():
    network, (features, lengths, hidden) = built("maskspec").eval(), batch()
    received: list[tuple[torch.Tensor, ...]] = []
    network.encoder.body.register_forward_pre_hook(lambda _, given: received.append(given))
    network.loss(features, lengths, hidden)
    network.encoder(features, lengths)
    visible = (
        network.encoder.cut.among(network.encoder.cut.rows(lengths), features.shape[1]) & ~hidden
    ).flatten(1)
    (some, there, _), (every, _, _) = received
    assert (some[there] - every[visible]).abs().max() < 1e-6


def test_the_decoder_knows_a_hidden_patch_by_its_place_alone():
    network, (features, lengths, hidden) = built("maskspec").eval(), batch()
    received: list[tuple[torch.Tensor, ...]] = []
    network.decoder.register_forward_pre_hook(lambda _, given: received.append(given))
    network.loss(features, lengths, hidden)
    tokens, there, _ = received[0]
    expected = (network.unseen + network.positions.grid[:7]).flatten(0, 1).expand_as(tokens)
    at = hidden.flatten(1)
    assert torch.equal(tokens[at], expected[at])
    assert (tokens != expected).any(dim=2)[there & ~at].all()
    assert there.sum(dim=1).tolist() == [14, 10, 6]


def test_a_picture_has_the_true_mean_and_deviation_of_what_is_hidden():
    network, (features, lengths, hidden) = built("maskspec").eval(), batch()
    network.output.weight.data.zero_()
    network.output.bias.data.fill_(2.0)
    got = network.reconstruction(features, lengths, hidden)
    utterance, row, column = hidden.nonzero()[0].tolist()
    at = (utterance, slice(4 * row, 4 * row + 4), slice(8 * column, 8 * column + 8))
    mean, deviation = features[at].mean(), features[at].std(correction=0)
    assert (got[at] - (mean + 2 * deviation)).abs().max() < 1e-4


def test_the_decoder_is_as_large_as_the_papers_unless_told_otherwise():
    network = MaskSpec(small())
    assert (len(network.decoder.blocks), network.decoder.blocks[0].heads, network.output.in_features) == (
        8,
        16,
        512,
    )


def test_a_decoder_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"width is 10; expected a multiple of heads \(16\)"):
        MaskSpec(small(), width=10)


@pytest.mark.slow
def test_the_papers_network_trains():
    torch.manual_seed(0)
    width, depth, heads = SIZES["base"]
    network = MaskSpec(AST(128, width, depth, heads))
    features, lengths, hidden = noise(1, 64, 128), torch.tensor([64]), torch.rand(1, 4, 8) < 0.75
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4)
    losses = []
    for _ in range(2):
        optimiser.zero_grad()
        total, _ = network.loss(features, lengths, hidden)
        total.backward()
        optimiser.step()
        losses.append(total.item())
    assert losses[1] < losses[0]
