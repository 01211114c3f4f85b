import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.rows import channels_at, frames_at

BATCH, TIME, MEL = 2, 5, 3


def noise() -> torch.Tensor:
    return torch.rand(BATCH, TIME, MEL, generator=torch.Generator().manual_seed(0))


def tables(size: int) -> st.SearchStrategy[list[list[int]]]:
    row = st.lists(st.integers(0, size - 1), min_size=size, max_size=size)
    return st.lists(row, min_size=BATCH, max_size=BATCH)


@given(source=tables(TIME))
def test_a_frame_is_the_frame_of_its_utterance_that_the_source_names(source):
    before, after = noise().tolist(), frames_at(noise(), torch.tensor(source)).tolist()
    assert after == [[before[u][frame] for frame in source[u]] for u in range(BATCH)]


@given(source=tables(MEL))
def test_a_channel_is_the_channel_of_its_utterance_that_the_source_names(source):
    before, after = noise().tolist(), channels_at(noise(), torch.tensor(source)).tolist()
    by_hand = [[[row[channel] for channel in source[u]] for row in before[u]] for u in range(BATCH)]
    assert after == by_hand


@pytest.mark.parametrize(("read", "size"), [(frames_at, TIME), (channels_at, MEL)])
def test_what_is_read_is_a_copy(read, size):
    features = noise()
    read(features, torch.arange(size).expand(BATCH, size)).fill_(7.0)
    assert torch.equal(features, noise())


@pytest.mark.parametrize(("read", "size"), [(frames_at, TIME), (channels_at, MEL)])
def test_the_gradient_counts_how_often_each_place_was_read(read, size):
    features = noise().requires_grad_()
    read(features, torch.zeros(BATCH, size, dtype=torch.int64)).sum().backward()
    first = (slice(None), 0) if read is frames_at else (..., 0)
    counts = torch.zeros(BATCH, TIME, MEL)
    counts[first] = size
    assert torch.equal(features.grad, counts)
