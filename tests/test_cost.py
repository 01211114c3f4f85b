"""What a pass takes: FLOPs and memory by hand, and the laws by which they grow."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from models.bilstm import BiLSTMCTC
from models.conformer import ConformerCTC
from models.las import LAS
from models.transducer import ConformerTransducer
from specaug.study.cost.counting import Counted, counted, loss_of, saved
from specaug.study.cost.laws import Law, lengths_for
from specaug.study.cost.made_up import batch_of, made_up

MEL, VOCAB, EVERY = 16, 11, 0.0625  # EVERY: labels a frame
FLOAT = 4  # bytes


class Asked(nn.Module):
    """A network whose loss is the sum of what its layers make of the features."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def read(self, features: Tensor) -> Tensor:
        return self.layers(features)

    def loss(self, features: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        return self.read(features).sum()

    def transcribe(self, features: Tensor, lengths: Tensor) -> list[list[int]]:
        return [[] for _ in lengths]


class Turned(Asked):
    """Convolutions over time."""

    def read(self, features: Tensor) -> Tensor:
        return self.layers(features.transpose(1, 2))


class Recurrent(Asked):
    """An LSTM's outputs."""

    def read(self, features: Tensor) -> Tensor:
        return self.layers[0](features)[0]


class Attentive(Asked):
    """Two heads, attending to all frames."""

    def read(self, features: Tensor) -> Tensor:
        batch, frames, _ = features.shape
        heads = self.layers(features).view(batch, frames, 2, MEL // 2).transpose(1, 2)
        return F.scaled_dot_product_attention(heads, heads, heads)


def of(network: nn.Module, utterances: int, frames: int) -> Counted:
    """The costs of a pass over utterances of equal length."""
    return counted(network, batch_of(made_up([frames] * utterances, EVERY, MEL, VOCAB)))


def test_flops_of_linear_layers_are_those_of_a_hand_count():
    n, t, wide = 3, 40, 24
    network = Asked(nn.Linear(MEL, wide), nn.Linear(wide, 5))
    forward = 2 * n * t * (MEL * wide + wide * 5)
    backward = forward + 2 * n * t * wide * 5  # by the weights of both; by the input of the second alone
    assert of(network, n, t).flops == forward + backward


def test_flops_of_a_convolution_are_those_of_a_hand_count():
    n, t, wide, kernel = 2, 30, 7, 3
    after = 15  # frames, with stride 2
    forward = 2 * n * after * MEL * wide * kernel
    network = Turned(nn.Conv1d(MEL, wide, kernel, stride=2, padding=1))
    assert of(network, n, t).flops == 2 * forward  # by the weight, not by the features


@pytest.mark.parametrize("first", [True, False])
def test_flops_of_an_lstm_are_those_of_a_hand_count(first):
    n, t, cells = 3, 20, 6
    network = Recurrent(nn.LSTM(MEL, cells, batch_first=first))
    forward = sum(2 * 4 * cells * (MEL + cells) for _ in range(n) for _ in range(t))
    assert of(network, n, t).flops == 3 * forward


def test_flops_of_two_layers_of_lstm_both_ways_are_those_of_four():
    n, t, cells = 2, 10, 4
    network = Recurrent(nn.LSTM(MEL, cells, num_layers=2, bidirectional=True, batch_first=True))
    one, two = (2 * n * t * 4 * cells * (inputs + cells) for inputs in (MEL, 2 * cells))
    assert of(network, n, t).flops == 3 * 2 * (one + two)


def test_an_lstm_of_one_cell_counts_what_its_steps_count():
    class Stepwise(Recurrent):
        def read(self, features: Tensor) -> Tensor:
            state, out = None, []
            for frame in features.unbind(dim=1):
                state = self.layers[0](frame, state)
                out.append(state[0])
            return torch.stack(out)

    n, t, cells = 2, 9, 5
    forward = 2 * n * t * 4 * cells * (MEL + cells)
    # torch's own counter: no gradient goes to the features, nor to the first state, which is not there
    own = of(Stepwise(nn.LSTMCell(MEL, cells)), n, t).flops
    first = 2 * n * 4 * cells * cells
    assert own == forward + 2 * n * t * 4 * cells * (MEL + cells) + (t - 1) * first


def test_flops_of_attention_are_those_of_a_hand_count():
    n, t = 2, 33
    linear = 2 * n * t * MEL * MEL
    product = 2 * n * t * t * MEL  # queries by keys, over both heads; shares by values take as many
    forward, again = 2 * product, product
    assert of(Attentive(nn.Linear(MEL, MEL)), n, t).flops == 2 * linear + forward + again + 2 * forward


def test_what_linear_layers_save_is_their_inputs_and_no_weight():
    n, t, wide = 2, 50, 8
    network = Asked(nn.Linear(MEL, wide), nn.ReLU(), nn.Linear(wide, 3))
    features, hidden = n * t * MEL * FLOAT, n * t * wide * FLOAT
    assert of(network, n, t).activations == features + hidden + 2 * max(features, hidden)


def test_what_is_saved_twice_counts_once():
    class Twice(Asked):
        def read(self, features: Tensor) -> Tensor:
            return self.layers[0](features) + self.layers[1](features)

    n, t = 2, 50
    features = n * t * MEL * FLOAT
    assert of(Twice(nn.Linear(MEL, 4), nn.Linear(MEL, 4)), n, t).activations == 3 * features


def test_running_means_are_no_activations():
    network, batch = Turned(nn.BatchNorm1d(MEL)), batch_of(made_up([20], EVERY, MEL, VOCAB))
    with saved(network) as watch:
        loss_of(network, batch, False)
    assert not watch.weights & set(watch.sizes)


def test_moved_bytes_of_a_sum_are_its_inputs_and_outputs():
    n, t, wide = 1, 30, 4
    small, large = (of(Asked(nn.Linear(MEL, wide)), n, frames).moved for frames in (t, 2 * t))
    # product, sum, gradient of the sum spread out and made whole, product by the weight, bias: by 30 frames more
    by_frame = (large - small) / t / FLOAT
    assert by_frame >= MEL + wide + wide + wide + MEL  # at least: read, written, summed, read twice
    assert by_frame <= 3 * (MEL + 3 * wide)


def test_an_lstm_starts_an_operation_a_frame():
    network = Recurrent(nn.LSTM(MEL, 4, batch_first=True))
    assert of(network, 2, 40).launches - of(network, 2, 30).launches == 2 * 10  # forward, backward
    assert abs(of(network, 2, 40).launches - of(network, 1, 40).launches) < 5


def test_half_precision_saves_about_half():
    network = Asked(*(nn.Sequential(nn.Linear(MEL, 64), nn.Tanh(), nn.Linear(64, MEL)) for _ in range(3)))
    batch = batch_of(made_up([200] * 4, EVERY, MEL, VOCAB))
    whole, half = (counted(network, batch, precision).activations for precision in (False, True))
    assert 0.4 < half / whole < 0.75  # the features stay whole, the weights are copied


def test_counting_leaves_weights_and_no_gradient():
    network = Asked(nn.Linear(MEL, 4))
    before = network.layers[0].weight.clone()
    of(network, 2, 20)
    assert torch.equal(network.layers[0].weight, before)
    assert all(p.grad is None for p in network.parameters())


NETWORKS = {
    "bilstm": lambda: BiLSTMCTC(mel=MEL, vocab=VOCAB, width=64),
    "conformer": lambda: ConformerCTC(mel=MEL, vocab=VOCAB, width=64, depth=1),
    "las": lambda: LAS(mel=MEL, vocab=VOCAB, width=64, depth=1, channels=8),
    "transducer": lambda: ConformerTransducer(mel=MEL, vocab=VOCAB, width=64, depth=1, predictor=64),
}


@pytest.mark.parametrize("network", [Asked(nn.Linear(MEL, 9)), Attentive(nn.Linear(MEL, MEL))])
def test_twice_the_batch_takes_twice_the_flops_and_activations(network):
    two, four = (of(network, n, 64) for n in (2, 4))
    assert four.flops == 2 * two.flops
    assert four.activations == pytest.approx(2 * two.activations)
    assert two.moved < four.moved < 2 * two.moved  # weights are read once


@pytest.mark.parametrize("name", NETWORKS)
def test_each_utterance_adds_as_much_as_the_last_and_flops_begin_with_none(name):
    network = NETWORKS[name]()
    two, four, six = (of(network, n, 64) for n in (2, 4, 6))
    assert six.flops == pytest.approx(3 * two.flops, rel=0.001)
    assert six.activations - four.activations == pytest.approx(four.activations - two.activations, rel=0.1)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_law_from_short_utterances_holds_for_long_ones(name):
    network = NETWORKS[name]()
    seen = {(n, t): of(network, n, t) for n in (1, 2) for t in (64, 128)}
    there = of(network, 3, 192)
    for place, field in enumerate(Counted._fields):
        law = Law.through(lambda n, t, place=place: seen[n, t][place], 64, 128)
        rel = 0.03 if field == "flops" else 0.1
        assert law.of(3, 192) == pytest.approx(there[place], rel=rel), field


@settings(max_examples=30)
@given(st.tuples(*[st.integers(0, 1000)] * 4), st.integers(1, 300), st.integers(1, 300))
def test_a_law_is_found_again_in_its_costs(told, frames, more):
    law = Law(*map(float, told))
    found = Law.through(law.of, frames, frames + more)
    for n, t in ((1, 5), (7, 400)):
        assert found.of(n, t) == pytest.approx(law.of(n, t), rel=1e-3, abs=1e-2 * (1 + max(told)))


@given(st.floats(0.1, 1e5))
def test_lengths_that_are_looked_at_are_a_half_and_a_quarter(typical):
    quarter, half = lengths_for(typical)
    assert half == 2 * quarter
    assert quarter % 8 == 0
    assert quarter == 64 or math.isclose(quarter, typical / 4, abs_tol=8.2)


@given(st.lists(st.integers(0, 90), min_size=1, max_size=5), st.floats(0, 2))
def test_made_up_utterances_have_the_lengths_that_are_asked_for(frames, labels):
    part = made_up(frames, labels, 3, VOCAB)
    assert list(part.frames) == [max(1, n) for n in frames]
    batch = batch_of(part)
    assert batch.lengths.tolist() == list(part.frames)
    assert batch.target_lengths.tolist() == [max(1, round(n * labels)) for n in part.frames]
    assert all(0 < label < VOCAB for own in part.labels for label in own)
