import pytest
import torch
from standins import OneLayer, Plan
from torch import nn

from specaug.errors import UserError
from specaug.training.checkpoints import weights_of
from specaug.training.fit import train


class Wider(OneLayer):
    """Has one more label."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(self.layer.in_features, self.layer.out_features + 1)


class Deeper(OneLayer):
    """Has one more layer."""

    def __init__(self) -> None:
        super().__init__()
        self.further = nn.Linear(2, 2)


@pytest.fixture(scope="module")
def checkpoint(tone_corpus, tmp_path_factory):
    plan = Plan(folder=tmp_path_factory.mktemp("run"), prepared=tone_corpus, steps=6)
    train(plan.job())
    return plan.folder / "last.ckpt"


def test_the_weights_of_the_same_network_are_read(checkpoint):
    network = OneLayer()
    state = weights_of(checkpoint, network)
    network.load_state_dict(state)
    assert torch.equal(network.layer.weight, state["layer.weight"])


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (Wider(), r"layer.weight is 6 x \d+; expected 7 x \d+"),
        (Deeper(), "it has no further.weight"),
        (nn.Linear(1, 1), "it has no weight"),
        (nn.Module(), "it has layer.bias, which the network has not"),
    ],
    ids=["vocabulary", "deeper", "other", "none"],
)
def test_another_network_is_told_what_differs(checkpoint, network, words):
    with pytest.raises(UserError, match=rf"last\.ckpt: of another network or vocabulary: {words}"):
        weights_of(checkpoint, network)


def test_a_run_does_not_go_on_from_another_network_and_loads_nothing(checkpoint, tone_corpus):
    network = Wider()
    before = network.layer.weight.detach().clone()
    with pytest.raises(UserError, match="of another network or vocabulary"):
        train(Plan(folder=checkpoint.parent, prepared=tone_corpus, network=network).job())
    assert torch.equal(network.layer.weight, before)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04"])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "last.ckpt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"last\.ckpt: damaged, or no checkpoint"):
        weights_of(path, OneLayer())
