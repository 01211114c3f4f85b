import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.language import LSTMLM
from models.search import END
from specaug.training.decoding import LanguageModel
from specaug.training.language import loss_of, trained_language

VOCAB = 4
SENTENCES = [[1, 2, 3], [1, 2, 3, 1, 2, 3], [2, 3], [3, 1, 2]]  # 1 goes before 2, 2 before 3


def model(seed: int = 0, **sizes) -> LSTMLM:
    torch.manual_seed(seed)
    return LSTMLM(VOCAB, **{"width": 8, "depth": 2, "dropout": 0.0, **sizes}).eval()


def said_by_hand(lm: LSTMLM, sentence: list[int]) -> list[float]:
    """The log-probabilities of the labels of a sentence and of its end, asked one after the other."""
    state, last, found = lm.start(1), END, []
    for label in (*sentence, END):
        step = lm(torch.tensor([last]), state)
        assert step.log_probs.exp().sum().item() == pytest.approx(1, abs=1e-5)
        found.append(step.log_probs[0, label].item())
        state, last = step.state, label
    return found


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(1, VOCAB - 1), max_size=5), min_size=1, max_size=4))
def test_the_loss_is_what_is_said_step_by_step_per_label_and_end(sentences):
    lm = model()
    logs = [value for sentence in sentences for value in said_by_hand(lm, sentence)]
    assert loss_of(lm, sentences).item() == pytest.approx(-sum(logs) / len(logs), rel=1e-4)


def test_each_hypothesis_has_a_state_of_its_own():
    lm = model()
    first = lm(torch.tensor([END, END]), lm.start(2))
    both = lm(torch.tensor([1, 3]), first.state)
    for row, label in enumerate((1, 3)):
        alone = lm(torch.tensor([label]), lm(torch.tensor([END]), lm.start(1)).state)
        assert torch.allclose(both.log_probs[row], alone.log_probs[0], atol=1e-6)


def test_it_learns_what_comes_after_what_to_the_same_bits_each_time():
    options = LanguageModel(steps=150, batch=2, peak=0.02)
    told: list[tuple[int, int]] = []
    one, other = model(dropout=0.1), model(dropout=0.1)
    trained_language(one, SENTENCES, options, lambda done, of: told.append((done, of)))
    trained_language(other, SENTENCES, options)
    assert told == [(step, 150) for step in range(1, 151)]
    assert all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))
    assert not one.training
    step = one(torch.tensor([1]), one(torch.tensor([END]), one.start(1)).state)
    assert step.log_probs[0, 2].exp() > 0.9  # after 1 comes 2
    assert loss_of(one, SENTENCES) < 0.75 * math.log(VOCAB)


def test_it_has_as_many_parameters_as_it_says():
    assert sum(p.numel() for p in LSTMLM(30).parameters()) == pytest.approx(150_000, rel=0.1)
