from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.apply import apply
from specaug.augment.draws import Draws
from specaug.augment.fills import Fills
from specaug.augment.masks import Masks, Spans
from specaug.augment.warp import Warp

NAN = float("nan")


class Case(NamedTuple):
    """One utterance: frames before its padding, what moves where, and the (start, width) of each mask."""

    length: int
    centre: int
    shift: int
    freq: list[tuple[int, int]]
    time: list[tuple[int, int]]
    beyond: int = 0  # frames between the last of the utterance and the one that stays: 1 in the authors' code


def spans_of(spans: list[list[tuple[int, int]]]) -> Spans:
    table = torch.tensor(spans, dtype=torch.int64).reshape(len(spans), -1, 2)
    return Spans(table[..., 0], table[..., 1])


def draws_of(cases: list[Case], fill: float | str = 0.0) -> Draws:
    fills = Fills(fill, torch.zeros(len(cases), 5, dtype=torch.int64))
    warp = Warp(
        centre=torch.tensor([case.centre for case in cases]),
        shift=torch.tensor([case.shift for case in cases]),
        last=torch.tensor([case.length - 1 + case.beyond for case in cases]),
    )
    freq = Masks("freq", spans_of([case.freq for case in cases]), fills)
    return Draws((warp, freq, Masks("time", spans_of([case.time for case in cases]), fills)))


def lengths_of(cases: list[Case]) -> torch.Tensor:
    return torch.tensor([case.length for case in cases])


def noise(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Between -1 and 1, the same each time."""
    return (2 * torch.rand(shape, generator=torch.Generator().manual_seed(0)) - 1).to(dtype)


@st.composite
def interval_lists(draw, size: int, count: int) -> list[tuple[int, int]]:
    widths = [draw(st.integers(0, size)) for _ in range(count)]
    return [(draw(st.integers(0, size - width)), width) for width in widths]


@st.composite
def batches(draw, time: int = 24, mel: int = 5) -> list[Case]:
    masks = [draw(st.integers(0, 2)) for _ in range(2)]
    beyond = draw(st.integers(0, 1))
    cases = []
    for length in draw(st.lists(st.integers(0, time), min_size=1, max_size=3)):
        centre, shift = 0, 0
        if length >= 3:
            centre = draw(st.integers(1, length - 2))
            shift = draw(st.integers(1, length - 2 + beyond)) - centre
        freq = draw(interval_lists(mel, masks[0]))
        cases.append(Case(length, centre, shift, freq, draw(interval_lists(length, masks[1])), beyond))
    return cases


def source_by_hand(frame: int, case: Case) -> Fraction:
    """Where one frame of the output is read: on the line through (0, 0), (target, centre), (last, last)."""
    end, target = case.length - 1, case.centre + case.shift
    last = end + case.beyond
    if case.shift == 0 or frame > end:
        return Fraction(frame)
    if frame <= target:
        return Fraction(frame * case.centre, target)
    return min(last - Fraction((last - frame) * (last - case.centre), last - target), Fraction(end))


def warped_by_hand(features: list[list[float]], case: Case) -> list[list[float]]:
    """Each frame read between the two around its source, weighted by how near they are."""
    output = []
    for frame in range(len(features)):
        source = source_by_hand(frame, case)
        below, rest = floor(source), source - floor(source)
        row = features[below]
        if rest:
            row = [
                float((1 - rest) * Fraction(a) + rest * Fraction(b))
                for a, b in zip(row, features[below + 1], strict=True)
            ]
        output.append(row)
    return output


def hidden_by_hand(frame: int, channel: int, case: Case) -> bool:
    in_time = any(start <= frame < start + width for start, width in case.time)
    in_freq = any(start <= channel < start + width for start, width in case.freq)
    return frame < case.length and (in_time or in_freq)


@given(cases=batches(), fill=st.sampled_from([0.0, -2.5]))
def test_each_cell_is_hidden_or_read_along_the_warp(cases, fill):
    features = noise(len(cases), 24, 5)
    got = apply(features, lengths_of(cases), draws_of(cases, fill)).tolist()
    for utterance, case in enumerate(cases):
        warped = warped_by_hand(features[utterance].tolist(), case)
        for frame in range(24):
            for channel in range(5):
                value = got[utterance][frame][channel]
                if hidden_by_hand(frame, channel, case):
                    assert value == fill
                else:
                    assert abs(value - warped[frame][channel]) <= 1e-6


@given(cases=batches())
def test_the_padding_stays_as_it_was_and_never_enters_the_speech(cases):
    features = noise(len(cases), 24, 5)
    lengths = lengths_of(cases)
    padding = torch.arange(24) >= lengths[:, None]
    got = apply(features, lengths, draws_of(cases))
    assert torch.equal(got[padding], features[padding])
    spoilt = apply(features.masked_fill(padding[:, :, None], NAN), lengths, draws_of(cases))
    assert torch.equal(spoilt[~padding], got[~padding])


@given(cases=batches())
def test_the_ends_stay_and_the_centre_arrives_to_the_bit(cases):
    features = noise(len(cases), 24, 5)
    bare = [case._replace(freq=[], time=[]) for case in cases]
    got = apply(features, lengths_of(bare), draws_of(bare))
    for before, after, case in zip(features, got, bare, strict=True):
        if case.length >= 3:
            assert torch.equal(after[0], before[0])
            assert case.beyond or torch.equal(after[case.length - 1], before[case.length - 1])
            assert torch.equal(after[case.centre + case.shift], before[case.centre])


def test_a_warp_is_exact_in_an_utterance_of_thirty_seconds():
    case = Case(3000, 1601, 80, [], [])
    features = noise(1, 3000, 2)
    got = apply(features, lengths_of([case]), draws_of([case]))[0].double()
    by_hand = torch.tensor(warped_by_hand(features[0].tolist(), case), dtype=torch.float64)
    assert (got - by_hand).abs().max() <= 1e-6


@given(cases=batches(), frame=st.integers(0, 23), channel=st.integers(0, 4))
def test_a_value_that_is_not_a_number_reaches_the_frames_read_from_it_and_no_others(cases, frame, channel):
    features = noise(len(cases), 24, 5)
    features[:, frame, channel] = NAN
    got = apply(features, lengths_of(cases), draws_of(cases)).isnan()
    for utterance, case in enumerate(cases):
        expected = set()
        for output in range(24):
            source = source_by_hand(output, case)
            if frame in (floor(source), ceil(source)) and not hidden_by_hand(output, channel, case):
                expected.add((output, channel))
        assert set(map(tuple, got[utterance].nonzero().tolist())) == expected


def test_an_infinite_value_stays_where_the_warp_reads_it_whole():
    case = Case(10, 4, 2, [], [])
    features = noise(1, 10, 1)
    features[0, 4] = float("inf")
    got = apply(features, lengths_of([case]), draws_of([case]))
    assert got[0, 6] == float("inf")
    assert not got[0, [0, 9]].isinf().any()


CASES = [Case(20, 8, 5, [(1, 2)], [(3, 4)]), Case(13, 6, -3, [(4, 1)], [(0, 2)])]


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_features_keep_their_type_and_its_precision(dtype, moved):
    cases = CASES if moved else [case._replace(shift=0) for case in CASES]
    features = noise(2, 20, 5, dtype=dtype)
    got = apply(features, lengths_of(cases), draws_of(cases))
    exact = apply(features.double(), lengths_of(cases), draws_of(cases))
    assert got.dtype == dtype
    assert (got.double() - exact).abs().max() <= 2 * torch.finfo(dtype).eps


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single_and_rounded_once(dtype):
    features = noise(2, 20, 5, dtype=dtype)
    got = apply(features, lengths_of(CASES), draws_of(CASES)).double()
    exact = apply(features.double(), lengths_of(CASES), draws_of(CASES))
    half_a_step = torch.finfo(dtype).eps / 2 * exact.abs()
    assert ((got - exact).abs() <= half_a_step + 2e-7).all()


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(lambda x: x[:, ::2, ::3], id="steps"),
        pytest.param(lambda x: x.transpose(1, 2)[:, :20, :5], id="transposed"),
        pytest.param(lambda x: x[:1].expand(2, -1, -1)[:, :20, :5], id="expanded"),
    ],
)
def test_features_may_lie_in_memory_in_any_way(view):
    features = view(noise(2, 40, 40))[:, :20, :5]
    assert not features.is_contiguous()
    arguments = lengths_of(CASES), draws_of(CASES)
    assert torch.equal(apply(features, *arguments), apply(features.contiguous(), *arguments))


@pytest.mark.parametrize("shift", [0, 3])
def test_the_input_is_not_modified_and_the_output_is_new(shift):
    cases = [case._replace(shift=shift) for case in CASES]
    features, lengths, draws = noise(2, 20, 5), lengths_of(cases), draws_of(cases)
    got = apply(features, lengths, draws)
    got += 1
    assert torch.equal(features, noise(2, 20, 5))
    assert torch.equal(lengths, lengths_of(cases))
    assert str(draws) == str(draws_of(cases))


@pytest.mark.parametrize("fill", [0.0, "mean"])
@pytest.mark.parametrize("shift", [0, 3])
def test_a_hidden_cell_has_no_gradient_and_a_read_one_has(shift, fill):
    case = Case(20, 8, shift, [], [(0, 20)])
    features = noise(1, 20, 5).requires_grad_()
    apply(features, lengths_of([case]), draws_of([case], fill)).sum().backward()
    assert not features.grad.any()
    features.grad = None
    case = case._replace(time=[])
    apply(features, lengths_of([case]), draws_of([case])).sum().backward()
    assert features.grad.all()


def steps_back(features: torch.Tensor) -> int:
    """How many steps a gradient takes from what became of features that need one."""
    seen, left = set(), [features.grad_fn]
    while left:
        if (step := left.pop()) not in seen and step is not None:
            seen.add(step)
            left += [before for before, _ in step.next_functions]
    return len(seen)


@pytest.mark.parametrize("shift", [0, 3])
def test_a_gradient_takes_as_many_steps_back_through_a_batch_as_through_an_utterance(shift):
    case = Case(20, 8, shift, [(1, 2), (4, 1)], [(3, 4), (0, 1)])
    one, many = (
        apply(noise(count, 20, 5).requires_grad_(), lengths_of([case] * count), draws_of([case] * count))
        for count in (1, 20)
    )
    assert steps_back(many) == steps_back(one) > 0
    assert torch.equal(
        many, apply(noise(20, 20, 5), lengths_of([case] * 20), draws_of([case] * 20), None, "plain")
    )


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_draws_and_lengths_may_be_whole_numbers_of_either_size(dtype):
    fills = Fills(0.0, torch.zeros(2, 5, dtype=dtype))
    warp = Warp(
        torch.tensor([8, 6], dtype=dtype), torch.tensor([5, -3]).to(dtype), torch.tensor([19, 12]).to(dtype)
    )
    spans = [
        Spans(torch.tensor([[1], [4]], dtype=dtype), torch.tensor([[2], [1]], dtype=dtype)),
        Spans(torch.tensor([[3], [0]], dtype=dtype), torch.tensor([[4], [2]], dtype=dtype)),
    ]
    draws = Draws((warp, Masks("freq", spans[0], fills), Masks("time", spans[1], fills)))
    got = apply(noise(2, 20, 5), lengths_of(CASES).to(dtype), draws)
    assert torch.equal(got, apply(noise(2, 20, 5), lengths_of(CASES), draws_of(CASES)))
