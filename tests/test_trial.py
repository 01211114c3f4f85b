import pytest
import torch
from standins import OneLayer
from torch import Tensor

from specaug.errors import UserError
from specaug.training import trial
from specaug.training.fit import Decoder
from specaug.training.trial import dry_run, longest, try_decoders


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


class Beaming(OneLayer):
    """Keeps how it was asked; cannot do with a beam of 3, and leaves one out with a beam of 4."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[list[int], list[int], dict[str, float]]] = []

    def transcribe(self, features: Tensor, lengths: Tensor, **told: float) -> list[list[int]]:
        assert not torch.is_grad_enabled()
        assert not self.training
        if told["beam"] == 3:
            raise ValueError("beam is 3\nand more")
        self.asked.append(([*features.shape], lengths.tolist(), told))
        return super().transcribe(features, lengths)[told["beam"] == 4 :]


def asked(
    part, monkeypatch, size: int, *decoders: Decoder
) -> list[tuple[list[int], list[int], dict[str, float]]]:
    network = Beaming()
    monkeypatch.setattr(trial.copy, "deepcopy", lambda it: it)
    try_decoders(network, part, size, decoders)
    return network.asked


def test_each_decoding_is_tried_once_by_the_candidate_that_tells_most(tone_corpus, monkeypatch):
    first = Decoder(
        "lm", [{"beam": 2}, {"beam": 2, "weight": 0.1, "coverage": 0.2}, {"beam": 2, "weight": 0.3}]
    )
    told = [
        one[2]
        for one in asked(tone_corpus.parts["train"], monkeypatch, 2, first, Decoder("b", [{"beam": 1}]))
    ]
    assert told == [first.candidates[1], {"beam": 1}]


def test_decodings_are_tried_on_a_few_beginnings_of_which_one_is_padded(tone_corpus, monkeypatch):
    part, decoder = tone_corpus.parts["train"], Decoder("b", [{"beam": 2}])
    most, mel = max(part.frames), OneLayer().layer.in_features
    assert most > 40
    for brief, lengths in ((40, [20, 40]), (10 * most, longest(part, 2).lengths.tolist())):
        monkeypatch.setattr(trial, "BRIEF", brief)
        assert asked(part, monkeypatch, 2, decoder) == [([2, lengths[-1], mel], lengths, {"beam": 2})]


@pytest.mark.parametrize(
    ("beam", "words"),
    [
        (3, "network Beaming: decoding wide fails on its first batch: ValueError: beam is 3"),
        (4, "network Beaming: decoding wide transcribes 1 of 2 utterances"),
    ],
)
def test_a_decoding_that_the_network_cannot_do_is_told_in_one_line(tone_corpus, beam, words):
    network, fine = Beaming(), Decoder("narrow", [{"beam": 2}])
    with pytest.raises(UserError) as caught:
        try_decoders(network, tone_corpus.parts["train"], 2, [fine, Decoder("wide", [{"beam": beam}])])
    assert str(caught.value) == words
    assert network.training
    assert network.asked == []
