import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.language import LSTMLM
from models.search import END
from specaug.errors import UserError
from specaug.training import language
from specaug.training.decoding import LanguageModel
from specaug.training.language import loss_of, perplexity_of, trained_language

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


def test_it_learns_what_comes_after_what_to_the_same_bits_each_time(tmp_path):
    options = LanguageModel(steps=150, batch=2, peak=0.02)
    told: list[tuple[int, int]] = []
    one, other = model(dropout=0.1), model(dropout=0.1)
    trained_language(one, SENTENCES, options, tmp_path / "one", lambda done, of: told.append((done, of)))
    trained_language(other, SENTENCES, options, tmp_path / "other")
    assert told == [(step, 150) for step in range(1, 151)]
    assert all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))
    assert not one.training
    step = one(torch.tensor([1]), one(torch.tensor([END]), one.start(1)).state)
    assert step.log_probs[0, 2].exp() > 0.9  # after 1 comes 2
    assert loss_of(one, SENTENCES) < 0.75 * math.log(VOCAB)


class Killed(Exception):  # noqa: N818 (no error)
    """What ends a process."""


@pytest.mark.parametrize("killed_at", [1, 5, 6, 12, 29])
def test_a_killed_one_goes_on_to_the_bits_of_an_unbroken_one(tmp_path, monkeypatch, killed_at):
    """A checkpoint every 5 steps, now and then within an epoch of 2; the first kill leaves none."""
    monkeypatch.setattr(language, "EVERY", 5)
    options = LanguageModel(steps=30, batch=3, peak=0.02)
    path, steps = tmp_path / "lm.ckpt", []

    def dies(done: int, _: int) -> None:
        steps.append(done)
        if done == killed_at and len(steps) == killed_at:
            raise Killed

    whole, broken, again = model(dropout=0.1), model(dropout=0.1), model(seed=1, dropout=0.1)
    trained_language(whole, SENTENCES, options, tmp_path / "whole.ckpt")
    with pytest.raises(Killed):
        trained_language(broken, SENTENCES, options, path, dies)
    again = again if killed_at >= 5 else model(dropout=0.1)  # the checkpoint holds the weights
    torch.manual_seed(12345)
    trained_language(again, SENTENCES, options, path, dies)
    assert steps[killed_at:] == list(range(killed_at // 5 * 5 + 1, 31))
    assert all(map(torch.equal, whole.state_dict().values(), again.state_dict().values()))


def test_a_damaged_checkpoint_of_a_language_model_is_named(tmp_path):
    (tmp_path / "lm.ckpt").write_bytes(b"no checkpoint")
    with pytest.raises(UserError, match=r"lm\.ckpt: damaged, or no checkpoint"):
        trained_language(model(), SENTENCES, LanguageModel(steps=3), tmp_path / "lm.ckpt")


@pytest.mark.parametrize("together", [1, 3, 10])
def test_the_perplexity_is_that_of_each_label_and_end_however_many_are_looked_at_together(together):
    lm = model(dropout=0.5).train()
    found = perplexity_of(lm, SENTENCES, together)
    logs = [value for sentence in SENTENCES for value in said_by_hand(lm, sentence)]
    assert found == pytest.approx(math.exp(-sum(logs) / len(logs)), rel=1e-4)


def test_it_has_as_many_parameters_as_it_says():
    assert sum(p.numel() for p in LSTMLM(30).parameters()) == pytest.approx(150_000, rel=0.1)
