import pytest
import torch
from standins import OneLayer
from torch import Tensor

from specaug.errors import UserError
from specaug.training.trial import dry_run, longest


def test_the_dry_run_takes_the_longest_utterances_and_leaves_the_network_as_it_was(tone_corpus):
    part, network = tone_corpus.parts["train"], OneLayer()
    dry_run(network, part, 2)
    assert network.layer.weight.grad is None
    assert network.training


@pytest.mark.parametrize(("at_once", "tried"), [(1, 1), (2, 2), (3, 2), (100, 2)])
def test_few_of_the_longest_are_tried_however_many_are_worked_on_at_once(tone_corpus, at_once, tried):
    """On the CPU each takes a large network a minute."""
    part = tone_corpus.parts["train"]
    assert longest(part, at_once).lengths.tolist() == sorted(part.frames)[-tried:]


class Failing(OneLayer):
    """Breaks one of the promises of a network."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    def loss(self, *batch: Tensor) -> Tensor:
        loss = super().loss(*batch)
        if self.fault == "raises":
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied\nand more")
        if self.fault == "key":
            raise KeyError("width")
        return loss * float("nan") if self.fault == "nan" else loss

    def transcribe(self, *batch: Tensor) -> list[list[int]]:
        assert not torch.is_grad_enabled()
        written = super().transcribe(*batch)
        return written[1:] if self.fault == "few" else written

    def scores(self, features: Tensor, lengths: Tensor) -> Tensor:
        if self.fault == "no scores":
            raise KeyError("scores")
        return torch.zeros(len(features), 4 if self.fault == "label 0" else 3)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            "raises",
            "network Failing fails on its first batch: RuntimeError: mat1 and mat2 shapes cannot be multiplied",
        ),
        ("key", "network Failing fails on its first batch: KeyError: 'width'"),
        ("nan", "network Failing: loss of the first batch is nan; expected a finite one"),
        ("few", "network Failing transcribes 1 of 2 utterances"),
    ],
)
def test_a_network_that_breaks_its_promises_is_told_in_one_line(tone_corpus, fault, words):
    with pytest.raises(UserError) as caught:
        dry_run(Failing(fault), tone_corpus.parts["train"], 2)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("no scores", "network Failing fails on its first batch: KeyError: 'scores'"),
        (
            "label 0",
            "network Failing: scores are [2, 4]; expected [2, 3], one for each class and none for label 0",
        ),
    ],
)
def test_of_classes_the_scores_are_tried_too(tone_corpus, fault, words):
    part = tone_corpus.parts["train"]
    with pytest.raises(UserError) as caught:
        dry_run(Failing(fault), part, 2, classes=3)
    assert str(caught.value) == words
    dry_run(Failing(fault), part, 2)
    dry_run(Failing(""), part, 2, classes=3)
