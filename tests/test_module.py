from typing import Any

import lightning as L
import pytest
import torch
from standins import ALPHABET, MEL, OneLayer, quiet_trainer
from torch import Tensor, nn

from models.classifier import ConformerClassifier
from specaug.speech.classes import Classes
from specaug.training.data import evaluation_loader, training_loader
from specaug.training.module import Evaluated, Recognizer
from specaug.training.options import Training
from specaug.training.ranks import ALONE, Rank
from specaug.training.schedule import Schedule

pytestmark = [
    pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`"),
]

OPTIONS = Training(batch=2, peak=0.02, schedule=Schedule(s_r=3, s_i=6, s_f=12))


class Rates(L.Callback):
    """Keeps the learning rate with which each step is made."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        self.rates.append(optimizer.param_groups[0]["lr"])


def test_step_n_counted_from_1_is_made_at_the_rate_of_the_schedule_at_n(tone_corpus):
    rates = Rates()
    quiet_trainer(4, rates).fit(
        Recognizer(OneLayer(), OPTIONS), training_loader(tone_corpus.parts["train"], 2, 0)
    )
    factors = [1 / 3, 2 / 3, 1, 1, 1, 1, *(0.01 ** (n / 6) for n in range(1, 7))]
    assert rates.rates == pytest.approx([0.02 * factor for factor in factors])


def test_one_step_moves_the_weights_as_adamw_would(tone_corpus):
    network, twin = OneLayer(dropout=0), OneLayer(dropout=0)
    options = Training(batch=5, peak=0.02, weight_decay=0.5, schedule=Schedule(s_r=0, s_i=6, s_f=12))
    loader = training_loader(tone_corpus.parts["train"], 5, 0)
    quiet_trainer(1).fit(Recognizer(network, options), loader)
    batch = next(iter(loader))
    optimizer = torch.optim.AdamW(twin.parameters(), lr=0.02, weight_decay=0.5)
    twin.loss(*batch[1:5]).backward()
    optimizer.step()
    assert torch.allclose(network.layer.weight, twin.layer.weight, atol=1e-6)
    assert not torch.allclose(network.layer.weight, OneLayer().layer.weight, atol=1e-3)


def test_evaluation_gives_the_loss_the_labels_and_what_the_network_wrote(tone_corpus):
    network = OneLayer(dropout=0)
    module = Recognizer(network, OPTIONS).eval()
    batch = next(iter(evaluation_loader(tone_corpus.parts["dev"], 2)))
    got: Any = module.validation_step(batch, 0)
    assert isinstance(got, Evaluated)
    assert got.ids == ["dev-0", "dev-1"]
    assert got.labels == len("dad") + len("a cab b")
    assert float(got.loss.detach()) == float(network.loss(*batch[1:5]).detach())
    assert got.transcripts == network.transcribe(batch.features, batch.lengths)


class Counted(ConformerClassifier):
    """Counts the batches that its encoder sees."""

    seen = 0

    def __init__(self) -> None:
        super().__init__(MEL, 4, width=8, depth=1, heads=2)
        nn.init.normal_(self.output.weight)
        self.encoder.register_forward_hook(self.count)

    def count(self, *_: object) -> None:
        self.seen += 1


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_classes_and_their_scores_are_of_one_pass_and_as_the_network_tells_them(tone_corpus, precision):
    torch.manual_seed(0)
    network = Counted()
    options = Training(batch=2, precision=precision, schedule=OPTIONS.schedule)
    module = Recognizer(network, options, Classes(("a", "b", "c"))).eval()
    batch = next(iter(evaluation_loader(tone_corpus.parts["dev"], 2)))
    batch = batch._replace(targets=torch.tensor([[1], [3]]), target_lengths=torch.tensor([1, 1]))
    got: Any = module.validation_step(batch, 0)
    assert network.seen == 2  # the loss, and the scores
    with module.precision():
        assert float(got.loss.detach()) == float(network.loss(*batch[1:5]).detach())
        assert got.transcripts == network.transcribe(batch.features, batch.lengths)
        assert got.scores == network.scores(batch.features, batch.lengths).tolist()


@pytest.mark.parametrize("ranks", [1, 2, 3, 5, 7])
def test_the_mean_of_the_ranks_losses_and_gradients_is_that_of_the_whole_batch(tone_corpus, ranks):
    def loss_and_gradient(rank: Rank) -> tuple[Tensor, Tensor]:
        module = Recognizer(OneLayer(dropout=0), OPTIONS)
        batch = next(iter(training_loader(tone_corpus.parts["train"], 5, 0, rank)))
        loss = module.training_step(batch, 0)
        loss.backward()
        gradient = module.network.layer.weight.grad
        assert gradient is not None
        return loss.detach(), gradient

    shares = [loss_and_gradient(Rank(number, ranks)) for number in range(ranks)]
    loss, gradient = loss_and_gradient(ALONE)
    assert torch.allclose(torch.stack([share[0] for share in shares]).mean(), loss, rtol=1e-5)
    assert torch.allclose(torch.stack([share[1] for share in shares]).mean(dim=0), gradient, atol=1e-5)


def test_the_weights_of_the_network_are_those_of_the_module():
    module = Recognizer(OneLayer(), OPTIONS)
    assert set(module.state_dict()) == {"network.layer.weight", "network.layer.bias"}
    assert ALPHABET.size == module.state_dict()["network.layer.bias"].shape[0]
