import pytest
import torch
from counting import philox_by_hand
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.philox import below, philox

words = st.integers(0, 2**32 - 1)


def philox_of(counter: list[int], key: list[int]) -> list[int]:
    got = philox(tuple(torch.tensor([c]) for c in counter), tuple(torch.tensor([k]) for k in key))
    return [word.item() for word in got]


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [  # kat_vectors of Random123, the generator's own release
        pytest.param(
            "00000000 00000000 00000000 00000000",
            "00000000 00000000",
            "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
            id="zeros",
        ),
        pytest.param(
            "ffffffff ffffffff ffffffff ffffffff",
            "ffffffff ffffffff",
            "408f276d 41c83b0e a20bc7c6 6d5451fd",
            id="ones",
        ),
        pytest.param(
            "243f6a88 85a308d3 13198a2e 03707344",
            "a4093822 299f31d0",
            "d16cfe09 94fdcceb 5001e420 24126ea1",
            id="pi",
        ),
    ],
)
def test_philox_gives_the_published_answers(counter, key, answer):
    numbers = [[int(word, 16) for word in text.split()] for text in (counter, key, answer)]
    assert philox_of(numbers[0], numbers[1]) == numbers[2]


@given(
    counter=st.lists(words, min_size=4, max_size=4),
    key=st.lists(words, min_size=2, max_size=2),
)
def test_philox_is_its_definition_in_whole_numbers(counter, key):
    assert philox_of(counter, key) == philox_by_hand(counter, key)


def test_a_word_does_not_depend_on_the_words_beside_it():
    block, name, seed = torch.arange(3)[None, :], torch.tensor([[7], [2**32 - 1]]), torch.tensor([[5], [6]])
    got = torch.stack(philox((block, name, name, name), (seed, seed)))
    for i in range(2):
        for j in range(3):
            counter = [j, *[name[i].item()] * 3]
            assert got[:, i, j].tolist() == philox_by_hand(counter, [seed[i].item()] * 2)


@given(word=words, bound=st.integers(1, 2**31))
def test_a_word_is_brought_below_a_bound_in_proportion_and_rounded_down(word, bound):
    assert below(torch.tensor([word]), torch.tensor([bound])).item() == word * bound // 2**32


def test_the_largest_word_stays_below_the_largest_bound():
    assert below(torch.tensor([2**32 - 1]), torch.tensor([2**31])).item() == 2**31 - 1
