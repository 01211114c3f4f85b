import math
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.ctc import CTC, merge, valid


class Told(CTC):
    """A network whose log-probabilities are its input: `vocab` mel channels, every frame kept."""

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        return features, lengths


def log_probs(batch: int, frames: int, vocab: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, frames, vocab, generator=generator).log_softmax(dim=-1)


def merge_by_hand(path: list[int]) -> list[int]:
    """One frame at a time: a label is spelt where it is no blank and the frame before had another."""
    spelt = []
    for frame, label in enumerate(path):
        if label != 0 and (frame == 0 or path[frame - 1] != label):
            spelt.append(label)
    return spelt


def likelihood_by_hand(probs: list[list[float]], target: list[int]) -> float:
    """The sum, over every path that spells the target, of the product of its frames' probabilities."""
    paths = product(range(len(probs[0])), repeat=len(probs))
    return sum(
        math.prod(frame[label] for frame, label in zip(probs, path, strict=True))
        for path in paths
        if merge_by_hand(list(path)) == target
    )


def loss_of(said: Tensor, lengths: list[int], targets: list[list[int]]) -> float:
    longest = max(len(target) for target in targets)
    padded = torch.tensor([target + [1] * (longest - len(target)) for target in targets], dtype=torch.int64)
    counts = torch.tensor([len(target) for target in targets])
    return Told().loss(said, torch.tensor(lengths), padded, counts).item()


@pytest.mark.parametrize(
    "target",
    [
        pytest.param([1], id="one label"),
        pytest.param([2, 1], id="two labels"),
        pytest.param([1, 1], id="the same twice, which needs a blank between"),
        pytest.param([1, 2, 1, 2], id="a label a frame"),
    ],
)
def test_the_loss_is_that_of_the_sum_over_all_alignments(target):
    said = log_probs(1, 4, 3)
    by_hand = -math.log(likelihood_by_hand(said[0].exp().tolist(), target)) / len(target)
    assert loss_of(said, [4], [target]) == pytest.approx(by_hand, rel=1e-5)


def test_the_loss_of_a_batch_is_the_sum_of_its_utterances_a_label():
    said, lengths, targets = log_probs(3, 4, 3), [4, 3, 2], [[1, 2], [2], [1]]
    by_hand = -sum(
        math.log(likelihood_by_hand(frames[:n].exp().tolist(), target))
        for frames, n, target in zip(said, lengths, targets, strict=True)
    )
    assert loss_of(said, lengths, targets) == pytest.approx(by_hand / 4, rel=1e-5)


def test_an_empty_transcript_costs_the_blanks_and_is_divided_by_1():
    said = log_probs(1, 4, 3)
    assert loss_of(said, [4], [[]]) == pytest.approx(-said[0, :, 0].sum().item(), rel=1e-5)


def test_a_transcript_longer_than_its_frames_has_no_likelihood():
    assert loss_of(log_probs(1, 2, 3), [2], [[1, 1]]) == math.inf


@given(path=st.lists(st.integers(0, 3), max_size=12))
def test_repeats_are_merged_before_blanks_are_removed(path):
    assert merge(path) == merge_by_hand(path)


@pytest.mark.parametrize(
    ("path", "spelt"),
    [([], []), ([0, 0], []), ([1, 1, 0, 1], [1, 1]), ([0, 2, 2, 3, 0], [2, 3]), ([1, 2, 1], [1, 2, 1])],
)
def test_a_path_spells_its_labels(path, spelt):
    assert merge(path) == spelt


@given(paths=st.lists(st.lists(st.integers(0, 3), max_size=8), min_size=1, max_size=4))
def test_a_transcript_is_the_best_path_up_to_the_end_of_the_utterance(paths):
    said = torch.zeros(len(paths), 8, 4)
    said[:, :, 3] = 1.0  # what the padding says
    for utterance, path in enumerate(paths):
        for frame, label in enumerate(path):
            said[utterance, frame, label] = 2.0
    lengths = torch.tensor([len(path) for path in paths])
    assert Told().transcribe(said, lengths) == [merge_by_hand(path) for path in paths]


@given(lengths=st.lists(st.integers(0, 9), min_size=1, max_size=4))
def test_the_frames_before_the_length_are_valid(lengths):
    by_hand = [[frame < length for frame in range(9)] for length in lengths]
    assert valid(torch.tensor(lengths), 9).tolist() == by_hand


def test_a_transcript_is_the_best_path_of_the_emissions_which_are_log_probabilities():
    said, lengths = log_probs(3, 6, 4), torch.tensor([6, 4, 0])
    emitted, frames = Told().emissions(said, lengths)
    paths = emitted.argmax(dim=-1).tolist()
    assert frames.tolist() == [6, 4, 0]
    assert (emitted.exp().sum(dim=-1) - 1).abs().max() < 1e-5
    by_hand = [merge_by_hand(path[:n]) for path, n in zip(paths, frames.tolist(), strict=True)]
    assert Told().transcribe(said, lengths) == by_hand


def test_a_beam_writes_the_likeliest_labels_over_all_paths():
    """Frame by frame the blank is the likeliest, and yet label 1 is likelier than nothing: 0.64 against 0.36."""
    rows = torch.tensor([[[0.6, 0.4, 1e-9], [0.6, 0.4, 1e-9]]]).log()
    assert Told().transcribe(rows, torch.tensor([2])) == [[]]
    assert Told().transcribe(rows, torch.tensor([2]), beam=4) == [[1]]


def test_a_beam_of_none_is_refused():
    with pytest.raises(ValueError, match="beam is 0; expected 1 or more"):
        Told().transcribe(log_probs(1, 2, 3), torch.tensor([2]), beam=0)
