import re

import pytest
import torch
from test_models import MEL, built, noise
from torch import Tensor, nn

from models.classifier import ASTClassifier, Classifier, ConformerClassifier

KINDS = [pytest.param(ASTClassifier, id="ast"), pytest.param(ConformerClassifier, id="conformer")]
SMALL = {"width": 8, "depth": 1, "heads": 2}
LENGTHS = torch.tensor([40, 33, 9, 1])
TARGETS, ONE = torch.tensor([[1], [3], [19], [3]]), torch.ones(4, dtype=torch.long)
PADDING = (torch.arange(44) >= LENGTHS[:, None])[:, :, None]
of_all = pytest.mark.parametrize("kind", KINDS)


@of_all
def test_it_has_as_many_parameters_as_its_docstring_says(kind):
    count = sum(parameter.numel() for parameter in built(kind).parameters())
    stated = re.search(r"About ([\d.]+) million parameters", kind.__doc__)
    assert f"{count / 1e6:.1f}" == stated.group(1)


@of_all
def test_scores_are_log_probabilities_of_all_labels_but_label_0(kind):
    scores = built(kind, **SMALL).eval().scores(noise(4, 44, MEL), LENGTHS)
    assert scores.shape == (4, 19)  # of 20 labels
    assert (scores.exp().sum(dim=1) - 1).abs().max() < 1e-5


@of_all
def test_an_utterance_gets_the_scores_that_it_gets_alone(kind):
    network, features = built(kind, **SMALL).eval(), noise(4, 44, MEL)
    batch = network.scores(features, LENGTHS)
    for place, length in enumerate(LENGTHS.tolist()):
        alone = network.scores(features[place : place + 1, :length], torch.tensor([length]))
        assert (batch[place] - alone[0]).abs().max() < 1e-5


@of_all
@pytest.mark.parametrize("padding", [float("nan"), float("-inf"), 1e30])
def test_what_the_padding_holds_matters_neither_to_scores_nor_to_the_gradient(kind, padding):
    network, quiet = built(kind, **SMALL).eval(), noise(4, 44, MEL).masked_fill(PADDING, 0.0)
    loud = quiet.masked_fill(PADDING, padding)
    one, other = (network.scores(features, LENGTHS) for features in (quiet, loud))
    assert torch.equal(one, other)
    grads: list[tuple[Tensor, ...]] = [
        torch.autograd.grad(network.loss(features, LENGTHS, TARGETS, ONE), list(network.parameters()))
        for features in (quiet, loud)
    ]
    assert all(torch.equal(a, b) for a, b in zip(*grads, strict=True))


def test_what_is_pooled_is_the_mean_of_the_states_of_the_patches_that_are_there():
    network = ASTClassifier(mel=16, vocab=5, t=4, f=8, **SMALL).eval()
    features, lengths = noise(2, 22, 16), torch.tensor([22, 9])
    states, rows = network.encoder(features, lengths)
    for place, count in enumerate(rows.tolist()):
        mean = states[place, :count].reshape(-1, 8).mean(dim=0)
        assert (network.pooled(features, lengths)[place] - mean).abs().max() < 1e-6
    assert rows.tolist() == [network.frames_out(22), network.frames_out(9)] == [6, 3]


@of_all
def test_it_writes_the_class_with_the_highest_score_and_never_label_0(kind):
    network, features = built(kind, **SMALL).eval(), noise(4, 44, MEL)
    written = network.transcribe(features, LENGTHS)
    assert written == [[int(row.argmax()) + 1] for row in network.scores(features, LENGTHS)]
    nn.init.zeros_(network.output.weight)
    nn.init.zeros_(network.output.bias)
    assert network.transcribe(features, LENGTHS) == [[1]] * 4  # of equals the first


@of_all
def test_the_loss_is_the_mean_of_what_the_classes_lack(kind):
    network, features = built(kind, **SMALL).eval(), noise(4, 44, MEL)
    scores = network.scores(features, LENGTHS)
    lacking = [-scores[place, label - 1] for place, label in enumerate([1, 3, 19, 3])]
    assert network.loss(features, LENGTHS, TARGETS, ONE).item() == pytest.approx(sum(lacking).item() / 4)


def test_label_smoothing_spreads_a_share_over_all_classes_in_training_alone():
    network, features = built(ASTClassifier, **SMALL, dropout=0.0), noise(4, 44, MEL)
    plain = network.loss(features, LENGTHS, TARGETS, ONE)
    network.label_smoothing = 0.3
    spread = -network.scores(features, LENGTHS).mean()
    smoothed = network.loss(features, LENGTHS, TARGETS, ONE).item()
    assert smoothed == pytest.approx((0.7 * plain + 0.3 * spread).item(), rel=1e-5)
    assert network.eval().loss(features, LENGTHS, TARGETS, ONE).item() == pytest.approx(plain.item())


@of_all
def test_an_utterance_without_a_class_counts_nothing(kind):
    network, features = built(kind, **SMALL).eval(), noise(2, 20, MEL)
    both = network.loss(features, torch.tensor([20, 12]), torch.tensor([[2], [0]]), torch.tensor([1, 0]))
    alone = network.loss(features[:1], torch.tensor([20]), torch.tensor([[2]]), torch.tensor([1]))
    assert both.item() == pytest.approx(alone.item(), rel=1e-5)


@of_all
def test_an_utterance_without_frames_is_scored_by_the_bias_and_leaves_the_others_alone(kind):
    network, features = built(kind, **SMALL).eval(), noise(2, 20, MEL)
    scores = network.scores(features, torch.tensor([20, 0]))
    assert (scores[0] - network.scores(features[:1], torch.tensor([20]))[0]).abs().max() < 1e-5
    assert (scores[1] - network.output.bias.log_softmax(dim=0)).abs().max() < 1e-5


@of_all
def test_the_gradient_reaches_every_parameter_of_the_encoder_too(kind):
    network = built(kind, **SMALL)
    lengths = torch.tensor([40, 40, 30, 30])
    network.loss(noise(4, 40, MEL), lengths, TARGETS, ONE).backward()
    silent = [n for n, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert silent == []


@of_all
def test_dropout_acts_in_training_and_not_in_evaluation(kind):
    network, features = built(kind, **SMALL, dropout=0.5), noise(4, 44, MEL)
    network.encoder.eval()  # so that only the one before the output is left
    assert not torch.equal(network.scores(features, LENGTHS), network.scores(features, LENGTHS))
    network.eval()
    assert torch.equal(network.scores(features, LENGTHS), network.scores(features, LENGTHS))


@of_all
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_it_computes_in_the_type_of_its_weights(kind, dtype):
    network = built(kind, **SMALL).eval().to(dtype)
    assert network.scores(noise(1, 20, MEL).to(dtype), torch.tensor([20])).dtype == dtype


@of_all
def test_two_utterances_are_learned(kind):
    network, features, lengths = built(kind, **SMALL, dropout=0.0), noise(2, 40, MEL), torch.tensor([40, 30])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        network.loss(features, lengths, torch.tensor([[7], [2]]), torch.tensor([1, 1])).backward()
        optimizer.step()
    assert network.eval().transcribe(features, lengths) == [[7], [2]]


@of_all
def test_several_labels_an_utterance_are_refused_for_it_has_one_class(kind):
    with pytest.raises(ValueError, match="an utterance has 2 labels; expected its class alone"):
        built(kind, **SMALL).loss(
            noise(1, 9, MEL), torch.tensor([9]), torch.tensor([[1, 2]]), torch.tensor([2])
        )


def test_no_class_at_all_is_refused():
    with pytest.raises(
        ValueError, match="there are 1 labels; expected 2 or more, of which label 0 is no class"
    ):
        Classifier(nn.Identity(), 8, 1, 0.0)
