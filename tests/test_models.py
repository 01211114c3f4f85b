"""What every network of the laboratory owes to those who train it."""

import re

import pytest
import torch
from torch import Tensor, nn

from models.bilstm import BiLSTMCTC
from models.conformer import ConformerCTC
from models.las import LAS
from models.transducer import ConformerTransducer

MEL, VOCAB = 80, 20
LENGTHS = [40, 33, 9, 1]
CTCS = [pytest.param(BiLSTMCTC, id="bilstm"), pytest.param(ConformerCTC, id="conformer")]
KINDS = [*CTCS, pytest.param(LAS, id="las"), pytest.param(ConformerTransducer, id="transducer")]
of_ctc = pytest.mark.parametrize("kind", CTCS)
of_all = pytest.mark.parametrize("kind", KINDS)


def built(kind: type[nn.Module], **arguments: float) -> nn.Module:
    torch.manual_seed(0)
    return kind(mel=MEL, vocab=VOCAB, **arguments)


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@of_ctc
def test_an_utterance_comes_out_of_a_batch_as_it_would_alone(kind):
    network, features = built(kind).eval(), noise(4, 44, MEL)
    batch, frames = network(features, torch.tensor(LENGTHS))
    for utterance, length in enumerate(LENGTHS):
        alone, count = network(features[utterance : utterance + 1, :length], torch.tensor([length]))
        assert count.item() == frames[utterance].item() == alone.shape[1]
        assert (batch[utterance, : frames[utterance]] - alone[0]).abs().max() < 1e-5


@of_all
@pytest.mark.parametrize("padding", [float("nan"), float("-inf"), 1e30])
def test_what_the_padding_holds_matters_neither_to_the_loss_nor_to_its_gradient(kind, padding):
    network, lengths = built(kind).eval(), torch.tensor(LENGTHS)
    targets, counts = torch.tensor([[1, 2], [3, 3], [4, 0], [5, 0]]), torch.tensor([2, 2, 1, 1])
    quiet = noise(4, 44, MEL).masked_fill((torch.arange(44) >= lengths[:, None])[:, :, None], 0.0)
    loud = quiet.masked_fill((torch.arange(44) >= lengths[:, None])[:, :, None], padding)
    losses = [network.loss(features, lengths, targets, counts) for features in (quiet, loud)]
    assert torch.equal(*losses)
    one, other = (torch.autograd.grad(loss, list(network.parameters())) for loss in losses)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@of_ctc
def test_every_output_is_a_distribution_over_the_labels(kind):
    log_probs, _ = built(kind).eval()(noise(4, 44, MEL), torch.tensor(LENGTHS))
    assert log_probs.shape[2] == VOCAB
    assert (log_probs.exp().sum(dim=-1) - 1).abs().max() < 1e-5


@of_ctc
def test_frames_out_is_the_length_of_the_output(kind):
    network = built(kind, width=8, depth=1).eval()
    for frames in range(1, 41):
        log_probs, count = network(noise(1, frames, MEL), torch.tensor([frames]))
        assert kind.frames_out(frames) == log_probs.shape[1] == count.item()


@of_all
def test_an_utterance_without_frames_says_nothing_and_leaves_the_others_alone(kind):
    network, features = built(kind).eval(), noise(2, 20, MEL)
    said = network.transcribe(features, torch.tensor([20, 0]))
    assert said == [network.transcribe(features[:1], torch.tensor([20]))[0], []]


@of_all
def test_a_network_has_between_1_and_3_million_parameters_as_its_docstring_says(kind):
    count = sum(parameter.numel() for parameter in built(kind).parameters())
    stated = re.search(r"About ([\d.]+) million parameters", kind.__doc__)
    assert 1e6 <= count <= 3e6
    assert f"{count / 1e6:.1f}" == stated.group(1)


@of_all
def test_the_gradient_reaches_every_parameter(kind):
    network = built(kind)
    network.loss(
        noise(2, 40, MEL), torch.tensor([40, 30]), torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1])
    ).backward()
    silent = [
        name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()
    ]
    assert silent == []


@of_ctc
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_network_computes_in_the_type_of_its_weights(kind, dtype):
    network = built(kind).eval().to(dtype)
    log_probs, _ = network(noise(1, 20, MEL).to(dtype), torch.tensor([20]))
    assert log_probs.dtype == dtype


@of_all
def test_the_loss_of_a_batch_is_made_of_those_of_its_utterances_alone(kind):
    network, features, lengths = built(kind).eval(), noise(3, 44, MEL), torch.tensor([44, 33, 28])
    targets, counts = torch.tensor([[1, 2, 2], [3, 3, 0], [4, 0, 0]]), torch.tensor([3, 2, 1])
    alone = [
        network.loss(features[i : i + 1, :length], lengths[i : i + 1], targets[i : i + 1], counts[i : i + 1])
        for i, length in enumerate(lengths.tolist())
    ]
    together = network.loss(features, lengths, targets, counts)
    assert together.item() == pytest.approx((torch.stack(alone) @ counts.float()).item() / 6, rel=1e-5)


@of_all
def test_an_utterance_is_transcribed_in_a_batch_as_it_would_be_alone(kind):
    network, features = built(kind).eval(), noise(4, 44, MEL)
    alone = [
        network.transcribe(features[i : i + 1, :length], torch.tensor([length]))[0]
        for i, length in enumerate(LENGTHS)
    ]
    assert network.transcribe(features, torch.tensor(LENGTHS)) == alone


@of_all
def test_dropout_acts_in_training_and_not_in_evaluation(kind):
    network = built(kind, dropout=0.5)
    batch = noise(1, 20, MEL), torch.tensor([20]), torch.tensor([[1, 2]]), torch.tensor([2])
    assert not torch.equal(network.loss(*batch), network.loss(*batch))
    network.eval()
    assert torch.equal(network.loss(*batch), network.loss(*batch))


@of_all
def test_two_short_utterances_are_learned_to_the_letter(kind):
    network = built(kind, dropout=0.0)
    features, lengths = noise(2, 40, MEL), torch.tensor([40, 28])
    targets, counts = torch.tensor([[7, 3, 3, 12], [19, 1, 0, 0]]), torch.tensor([4, 2])
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(150):
        optimiser.zero_grad()
        network.loss(features, lengths, targets, counts).backward()
        optimiser.step()
        if network.transcribe(features, lengths) == [[7, 3, 3, 12], [19, 1]]:
            return
    pytest.fail(f"learned {network.transcribe(features, lengths)}")
