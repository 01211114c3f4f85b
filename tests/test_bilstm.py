import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.bilstm import BiLSTM, BiLSTMCTC, turn


def packed_by_torch(layer: BiLSTM, hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The bidirectional LSTM of torch, over a packed sequence, with the same weights."""
    both = nn.LSTM(
        layer.forwards.input_size, layer.forwards.hidden_size, batch_first=True, bidirectional=True
    )
    weights = dict(layer.forwards.named_parameters())
    weights |= {f"{name}_reverse": weight for name, weight in layer.backwards.named_parameters()}
    both.load_state_dict(weights)
    packed = pack_padded_sequence(hidden, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(both(packed)[0], batch_first=True, total_length=hidden.shape[1])[0]


@pytest.mark.parametrize("lengths", [[7], [7, 7], [7, 1, 4], [3, 2], [1]], ids=str)
def test_a_layer_is_the_packed_bidirectional_lstm(lengths):
    torch.manual_seed(0)
    layer, hidden = BiLSTM(5, 6), torch.randn(len(lengths), 7, 5)
    got = layer(hidden, torch.tensor(lengths))
    assert (got - packed_by_torch(layer, hidden, torch.tensor(lengths))).abs().max() < 1e-6


def test_the_padding_comes_out_as_0():
    got = BiLSTM(5, 6)(torch.randn(2, 7, 5), torch.tensor([4, 0]))
    assert not got[0, 4:].any()
    assert not got[1].any()
    assert got[0, :4].all()


def test_frames_are_read_in_the_order_that_is_asked_for():
    hidden = torch.arange(12.0).reshape(2, 3, 2)
    got = turn(hidden, torch.tensor([[2, 1, 0], [1, 0, 2]]))
    assert got.tolist() == [[[4, 5], [2, 3], [0, 1]], [[8, 9], [6, 7], [10, 11]]]


def test_gradients_are_those_of_the_packed_lstm():
    torch.manual_seed(0)
    layer, lengths, weights = BiLSTM(5, 6), torch.tensor([7, 1, 4]), torch.randn(3, 7, 12)
    ours, theirs = (torch.ones(3, 7, 5).cumsum(1).requires_grad_() for _ in range(2))
    (layer(ours, lengths) * weights).sum().backward()
    (packed_by_torch(layer, theirs, lengths) * weights).sum().backward()
    assert (ours.grad - theirs.grad).abs().max() < 1e-6


def test_depth_width_and_dropout_are_those_that_are_asked_for():
    network = BiLSTMCTC(mel=8, vocab=5, width=6, depth=3, dropout=0.25)
    assert [(layer.forwards.input_size, layer.backwards.hidden_size) for layer in network.layers] == [
        (6, 6),
        (12, 6),
        (12, 6),
    ]
    assert network.dropout.p == 0.25
