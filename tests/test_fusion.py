"""Shallow fusion, against a search through all sentences."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_search import LONGEST, VOCAB, remembering, score_by_hand, sentences, start

from models.bilstm import BiLSTMCTC
from models.conformer import ConformerCTC
from models.language import LSTMLM
from models.las import LAS
from models.search import Step, fused, search


class Saying:
    """The toy model as a language model."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def start(self, batch: int):
        return start([self.seed] * batch)

    def __call__(self, last, state):
        return remembering(last, state)


SEED, WEIGHT = st.integers(0, 10**6), st.sampled_from([0.0, 0.35, 1.0, 3.0])


def found(heard: int, said: int, weight: float, beam: int):
    lm = Saying(said)
    state = (*start([heard]), *lm.start(1))
    return search(fused(remembering, 1, lm, weight), state, torch.tensor([LONGEST - 1]), beam)[0]


def score(heard: int, said: int, weight: float, labels: tuple[int, ...]) -> float:
    return score_by_hand(heard, labels) + weight * score_by_hand(said, labels)


@given(SEED, SEED, WEIGHT)
def test_a_wide_beam_finds_the_best_sentence_by_both_models(heard, said, weight):
    got = found(heard, said, weight, 2 * VOCAB ** (LONGEST - 1))
    best = max(sentences(LONGEST - 1), key=lambda labels: score(heard, said, weight, labels))
    assert tuple(got.labels) == best
    assert got.score == pytest.approx(score(heard, said, weight, best), abs=1e-4)


@given(SEED, SEED, WEIGHT)
def test_a_wider_beam_is_never_worse(heard, said, weight):
    scores = [found(heard, said, weight, beam).score for beam in range(1, 7)]
    assert all(a <= b + 1e-5 for a, b in pairwise(scores))


class Insisting:
    """A language model for which label 2 alone comes, up to three times."""

    def start(self, batch: int):
        return (torch.zeros(batch, dtype=torch.long),)

    def __call__(self, last, state):
        count = state[0] + (last != 0)
        log_probs = torch.full((len(last), 5), -50.0)
        log_probs[count < 3, 2] = 0.0
        log_probs[count >= 3, 0] = 0.0
        return Step(log_probs, (count,))


@pytest.mark.gpu
def test_a_language_model_may_keep_its_state_on_the_host():
    """As n-grams do."""

    class Hosted(Insisting):
        def __call__(self, last, state):
            said = super().__call__(last.cpu(), state)
            return Step(said.log_probs.to(last.device), said.state)

    network = LAS(mel=8, vocab=5, width=8).eval().cuda()
    features, lengths = torch.randn(2, 60, 8).cuda(), torch.tensor([60, 48]).cuda()
    assert network.transcribe(features, lengths, beam=4, lm=Hosted(), weight=100.0) == [[2, 2, 2]] * 2


@pytest.mark.parametrize(("kind", "beam"), [(LAS, 1), (LAS, 4), (BiLSTMCTC, 4)])
def test_a_network_writes_what_the_language_model_insists_on(kind, beam):
    torch.manual_seed(0)
    network = kind(mel=8, vocab=5, width=8).eval()
    features, lengths = torch.randn(2, 60, 8), torch.tensor([60, 48])
    heard = network.transcribe(features, lengths, beam=beam)
    assert heard == network.transcribe(features, lengths, beam=beam, lm=Insisting(), weight=0.0)
    assert heard != [[2, 2, 2]] * 2
    assert network.transcribe(features, lengths, beam=beam, lm=Insisting(), weight=100.0) == [[2, 2, 2]] * 2


@pytest.mark.parametrize("labels", [3, 9])
@pytest.mark.parametrize(("kind", "beam"), [(LAS, 1), (LAS, 4), (BiLSTMCTC, 4), (ConformerCTC, 1)])
def test_a_language_model_of_other_labels_is_refused(kind, beam, labels):
    network, lm = kind(mel=16, vocab=7, width=8).eval(), LSTMLM(vocab=labels, width=8).eval()
    features, lengths = torch.randn(2, 60, 16), torch.tensor([60, 48])
    with pytest.raises(ValueError, match=f"lm is a language model of {labels} labels; expected the 7 of the"):
        network.transcribe(features, lengths, beam=beam, lm=lm, weight=0.3)
