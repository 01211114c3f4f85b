import math
import random
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.search import END, Model, State, Step, fused, search

VOCAB, LONGEST = 3, 4  # the end and two labels


def told(seed: int, prefix: tuple[int, ...]) -> list[float]:
    """Log-probabilities after a prefix, of a model that remembers all of it."""
    chance = random.Random(f"{seed}/{prefix}")
    weights = [chance.gammavariate(0.7, 1) + 1e-3 for _ in range(VOCAB)]
    return [math.log(weight / sum(weights)) for weight in weights]


def remembering(label: Tensor, state: State) -> Step:
    """That model as a search asks it: each row of the state holds the seed, the number of calls, the labels so far."""
    rows = state[0].clone()
    for row, said in zip(rows, label.tolist(), strict=True):
        if row[1] > 0:  # what stands before the first label is no label
            row[1 + int(row[1])] = said
        row[1] += 1
    known = [(int(row[0]), tuple(row[2 : 1 + int(row[1])].int().tolist())) for row in rows]
    return Step(torch.tensor([told(seed, prefix) for seed, prefix in known]), (rows,))


def start(seeds: list[int]) -> State:
    rows = torch.zeros(len(seeds), LONGEST + 4, dtype=torch.float64)
    rows[:, 0] = torch.tensor(seeds)
    return (rows,)


def sentences(longest: int):
    """All that may be written: up to `longest` labels, and the end."""
    for size in range(longest + 1):
        yield from product(range(1, VOCAB), repeat=size)


def score_by_hand(seed: int, labels: tuple[int, ...]) -> float:
    return sum(told(seed, labels[:n])[label] for n, label in enumerate((*labels, END)))


def greedy_by_hand(seed: int, longest: int) -> list[int]:
    labels: list[int] = []
    while len(labels) < longest:
        row = told(seed, tuple(labels))
        best = row.index(max(row))
        if best == END:
            break
        labels.append(best)
    return labels


def found(seeds: list[int], longest: list[int], beam: int, **options):
    return search(remembering, start(seeds), torch.tensor(longest), beam, **options)


SEEDS = st.lists(st.integers(0, 10**6), min_size=1, max_size=3)


@given(SEEDS, st.integers(0, LONGEST))
def test_a_beam_of_1_takes_the_likeliest_label_each_time(seeds, longest):
    got = found(seeds, [longest] * len(seeds), 1)
    assert [one.labels for one in got] == [greedy_by_hand(seed, longest) for seed in seeds]


@given(SEEDS, st.integers(0, 3))
def test_a_beam_wide_enough_finds_the_best_of_all_sentences(seeds, longest):
    got = found(seeds, [longest] * len(seeds), 2 * VOCAB**longest)
    best = [max(sentences(longest), key=lambda labels: score_by_hand(seed, labels)) for seed in seeds]
    if longest == 0:
        assert [one.labels for one in got] == [[] for _ in seeds]
        return
    assert [tuple(one.labels) for one in got] == best


@given(SEEDS, st.integers(1, LONGEST), st.integers(1, 6))
def test_the_score_is_that_of_the_labels_and_the_end(seeds, longest, beam):
    for seed, one in zip(seeds, found(seeds, [longest] * len(seeds), beam), strict=True):
        assert one.score == pytest.approx(score_by_hand(seed, tuple(one.labels)), abs=1e-5)


@given(st.integers(0, 10**6), st.integers(1, LONGEST))
def test_a_wider_beam_never_ends_in_a_worse_score(seed, longest):
    scores = [found([seed], [longest], beam)[0].score for beam in range(1, 8)]
    assert scores == sorted(scores)


MISLEADING = {  # probabilities of the end, 1 and 2 after a prefix; what is not there ends for certain
    (): (0.0, 0.55, 0.45),
    (1,): (0.3, 0.4, 0.3),
    (2,): (0.0, 0.5, 0.5),
    (2, 1): (0.1, 0.45, 0.45),
    (2, 2): (0.1, 0.45, 0.45),
}


def misleading(label: Tensor, state: State) -> Step:
    (rows,) = remembering(label, state).state
    prefixes = [tuple(row[2 : 1 + int(row[1])].int().tolist()) for row in rows]
    known = torch.tensor([MISLEADING.get(prefix, (1.0, 0.0, 0.0)) for prefix in prefixes])
    return Step(known.clamp(min=1e-9).log(), (rows,))


def test_a_wider_beam_keeps_what_the_narrow_one_found_where_others_look_better_for_a_while():
    """Both sentences that start with 2 are ahead of (1, 1) after two labels (0.225 each against 0.22), and end badly."""
    scores = [search(misleading, start([0]), torch.tensor([LONGEST]), beam)[0].score for beam in (1, 2)]
    assert scores[0] == pytest.approx(math.log(0.55 * 0.4))
    assert scores[1] >= scores[0]


@given(SEEDS, st.integers(1, 5), st.data())
def test_an_utterance_is_searched_in_a_batch_as_it_is_alone(seeds, beam, data):
    longest = [data.draw(st.integers(0, LONGEST)) for _ in seeds]
    alone = [found([seed], [limit], beam)[0] for seed, limit in zip(seeds, longest, strict=True)]
    assert found(seeds, longest, beam) == alone


@given(SEEDS, st.integers(1, 3))
def test_a_bonus_counts_as_the_labels_do(seeds, longest):
    """Two nats for each label 2 that was said, taken from the state before the label that follows."""

    def bonus(state: State) -> Tensor:
        return 2.0 * (state[0][:, 2:] == 2).sum(dim=1).float()

    def score(seed: int, labels: tuple[int, ...]) -> float:
        return score_by_hand(seed, labels) + 2.0 * labels.count(2)

    got = found(seeds, [longest] * len(seeds), 2 * VOCAB**longest, bonus=bonus)
    best = [max(sentences(longest), key=lambda labels: score(seed, labels)) for seed in seeds]
    assert [tuple(one.labels) for one in got] == best
    narrow = found(seeds, [longest] * len(seeds), 2, bonus=bonus)
    for seed, one in zip(seeds, narrow, strict=True):
        assert one.score == pytest.approx(score(seed, tuple(one.labels)), abs=1e-4)


def tied(label: Tensor, state: State) -> Step:
    """Scores of which many are equal, and some cost nothing."""
    rows = remembering(label, state).state[0]
    known = [f"{int(row[0])}/{row[2 : 1 + int(row[1])].int().tolist()}" for row in rows]
    scores = [random.Random(one).choices((0.0, -0.5, -1.0), k=VOCAB) for one in known]
    return Step(torch.tensor(scores), (rows,))


def to_the_end(state: State) -> Tensor:
    """A bonus of nothing: it might rise, and so all hypotheses have to end."""
    return torch.zeros(len(state[0]))


@given(SEEDS, st.integers(1, 4), st.sampled_from([remembering, tied]), st.booleans(), st.data())
def test_what_is_found_is_what_is_found_when_all_hypotheses_have_ended(seeds, beam, model, lm, data):
    longest = torch.tensor([data.draw(st.integers(0, LONGEST)) for _ in seeds])
    state = start(seeds)
    if lm:
        said = start([seed + 1 for seed in seeds])
        model, state = fused(model, 1, Saying(model), 0.5), (*state, *said)
    assert search(model, state, longest, beam) == search(model, state, longest, beam, to_the_end)


class Saying:
    """A toy model as a language model."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def start(self, batch: int) -> State:
        return start([0] * batch)

    def __call__(self, last: Tensor, state: State) -> Step:
        return self.model(last, state)


PLAIN = {(): (0.01, 0.9, 0.09), (1,): (0.9, 0.05, 0.05)}  # a sentence of label 1, and then all is as likely


@pytest.mark.parametrize(("bonus", "asked"), [(None, 2), (to_the_end, LONGEST + 1)])
def test_a_model_is_asked_until_nothing_can_win_any_more(bonus, asked):
    calls = []

    def model(label: Tensor, state: State) -> Step:
        (rows,) = remembering(label, state).state
        calls.append(len(rows))
        prefixes = [tuple(row[2 : 1 + int(row[1])].int().tolist()) for row in rows]
        return Step(torch.tensor([PLAIN.get(prefix, (0.2, 0.4, 0.4)) for prefix in prefixes]).log(), (rows,))

    (one,) = search(model, start([0]), torch.tensor([LONGEST]), 2, bonus)
    assert one.labels == [1]
    assert len(calls) == asked


def test_an_utterance_that_is_done_waits_for_the_others():
    quick, slow = 0, 1

    def model(label: Tensor, state: State) -> Step:
        (rows,) = remembering(label, state).state
        ends = [bool(row[0] == quick or row[1] > LONGEST) for row in rows]
        return Step(
            torch.tensor([(0.9, 0.05, 0.05) if end else (0.05, 0.9, 0.05) for end in ends]).log(), (rows,)
        )

    got = search(model, start([quick, slow]), torch.tensor([LONGEST, LONGEST]), 3)
    assert [one.labels for one in got] == [[], [1] * LONGEST]


def test_a_beam_of_none_is_refused():
    with pytest.raises(ValueError, match="beam is 0; expected 1 or more"):
        found([1], [2], 0)
