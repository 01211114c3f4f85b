import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from specaug.speech.chance import generator

words = st.lists(st.one_of(st.integers(), st.text("abc", max_size=4)), min_size=1, max_size=3)


@given(said=words)
def test_the_same_words_give_the_same_numbers(said):
    assert np.array_equal(generator(*said).random(5), generator(*said).random(5))


@given(said=words, place=st.integers(0, 2))
def test_one_other_word_gives_other_numbers(said, place):
    other = [f"{word}!" if i == place % len(said) else word for i, word in enumerate(said)]
    assert not np.array_equal(generator(*said).random(5), generator(*other).random(5))


def test_the_numbers_of_neighbours_are_uniform_and_independent():
    first = np.array([generator("string", number).random() for number in range(2000)])
    counts = np.histogram(first, 10, (0, 1))[0]
    assert ((counts - 200) ** 2 / 200).sum() < 27.9  # 0.1% quantile of chi-square with 9 degrees of freedom
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 3.3 / 2000**0.5  # 0.1% of a normal, both sides


def test_numpys_global_generator_is_neither_read_nor_moved():
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 - the state that must not move
    generator("a").random(3)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
