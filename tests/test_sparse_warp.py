import re
from math import ceil, floor
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from outlandish import kinds, kinds_by_hand, outlandish
from scipy.interpolate import RBFInterpolator
from sizes import Sizes

from specaug.augment.sparse_warp import sparse_flow, sparse_warp

NAN = float("nan")
TIME = 24


class Case(NamedTuple):
    """One utterance: frames before its padding, and the frame that moves by `shift`."""

    length: int
    centre: int
    shift: int


def columns(cases: list[Case]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    lengths, centre, shift = torch.tensor(cases, dtype=torch.int64).reshape(-1, 3).unbind(1)
    return lengths, centre, shift


def noise(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Between -1 and 1, the same each time."""
    return (2 * torch.rand(shape, generator=torch.Generator().manual_seed(0)) - 1).to(dtype)


def bits(features: torch.Tensor) -> torch.Tensor:
    return features.contiguous().view(torch.int32)


def flow_by_hand(case: Case, time: int, mel: int) -> np.ndarray:
    """What scipy's spline says in every cell of the utterance; numpy's line, where there is one channel."""
    flow = np.zeros((time, mel))
    length, arrived = case.length, case.centre + case.shift
    if length < 3 or case.shift == 0:
        return flow
    last, middle, top = length - 1, (mel - 1) / 2, mel - 1
    if mel == 1:
        flow[:length, 0] = np.interp(np.arange(length), [0, arrived, last], [0, case.shift, 0])
        return flow
    known = [(arrived, middle), (0, 0), (0, middle), (0, top), (last, 0), (last, middle), (last, top)]
    spline = RBFInterpolator(
        np.array(known, float), np.array([case.shift, 0, 0, 0, 0, 0, 0.0]), kernel="linear", degree=1
    )
    cells = np.array([(frame, channel) for frame in range(length) for channel in range(mel)], float)
    flow[:length] = spline(cells).reshape(length, mel)
    return flow


def source_by_hand(case: Case, time: int, mel: int) -> list[list[float]]:
    """Where each cell is read, in frames."""
    flow = flow_by_hand(case, time, mel)
    source = []
    for frame in range(time):
        position = [float(frame - flow[frame, channel]) for channel in range(mel)]
        if frame < case.length:
            position = [min(max(at, 0.0), case.length - 1.0) for at in position]
        source.append([float(round(at)) if abs(at - round(at)) < 1e-9 else at for at in position])
    return source


def warped_by_hand(features: list[list[float]], case: Case) -> list[list[float]]:
    """The definition, one cell at a time."""
    time, mel = len(features), len(features[0])
    source = source_by_hand(case, time, mel)
    warped = []
    for frame in range(time):
        row = []
        for channel in range(mel):
            at = source[frame][channel]
            low, high = features[floor(at)][channel], features[ceil(at)][channel]
            row.append(low + (at - floor(at)) * (high - low))
        warped.append(row)
    return warped


@st.composite
def utterances(draw: st.DrawFn) -> Case:
    length = draw(st.integers(0, TIME))
    if length < 3:
        return Case(length, draw(st.integers(0, TIME)), draw(st.integers(-TIME, TIME)))
    centre, arrived = draw(st.integers(1, length - 2)), draw(st.integers(1, length - 2))
    return Case(length, centre, arrived - centre)


batches = st.lists(utterances(), min_size=1, max_size=4)
channels = st.integers(1, 6)


@given(cases=batches, mel=channels)
def test_the_flow_is_the_spline_that_scipy_gives(cases, mel):
    got = sparse_flow(*columns(cases), TIME, mel)
    by_hand = np.stack([flow_by_hand(case, TIME, mel) for case in cases])
    assert got.dtype == torch.float64
    assert np.abs(got.numpy() - by_hand).max() <= 1e-10


@pytest.mark.parametrize("case", [Case(1200, 81, -80), Case(1200, 1117, 80), Case(700, 350, 33)])
def test_the_flow_is_the_spline_that_scipy_gives_in_utterances_of_usual_length(case):
    got = sparse_flow(*columns([case]), case.length, 80)[0]
    assert np.abs(got.numpy() - flow_by_hand(case, case.length, 80)).max() <= 1e-9


@given(cases=batches, mel=channels)
def test_a_warped_cell_is_read_where_its_flow_says(cases, mel):
    features = noise(len(cases), TIME, mel)
    got = sparse_warp(features, *columns(cases)).double().numpy()
    by_hand = np.array([warped_by_hand(x.tolist(), case) for x, case in zip(features, cases, strict=True)])
    assert np.abs(got - by_hand).max() <= 1e-6


@pytest.mark.parametrize("case", [Case(400, 20, 90), Case(400, 380, -90)])
def test_a_flow_that_points_outside_the_utterance_reads_its_end(case):
    features = noise(1, 410, 41)
    outside = np.arange(400)[:, None] - flow_by_hand(case, 400, 41)
    assert outside.min() < -0.2 or outside.max() > 399.2
    got = sparse_warp(features, *columns([case]))[0].double().numpy()
    assert np.abs(got - np.array(warped_by_hand(features[0].tolist(), case))).max() <= 1e-6


@given(cases=batches, half=st.integers(0, 3))
def test_the_six_anchors_stay_and_the_point_arrives_to_the_bit(cases, half):
    mel = 2 * half + 1
    features = noise(len(cases), TIME, mel)
    for before, after, case in zip(features, sparse_warp(features, *columns(cases)), cases, strict=True):
        if case.length >= 3:
            anchors = [0, half, mel - 1]
            assert torch.equal(after[0, anchors], before[0, anchors])
            assert torch.equal(after[case.length - 1, anchors], before[case.length - 1, anchors])
            assert after[case.centre + case.shift, half] == before[case.centre, half]


def test_the_anchors_stay_and_the_point_arrives_in_an_utterance_of_a_minute():
    case = Case(6000, 1601, 80)
    features = torch.full((1, 6000, 81), NAN)
    places = [0, 0, 0, 1601, 5999, 5999, 5999], [0, 40, 80, 40, 0, 40, 80]
    features[0, *places] = torch.arange(7.0)
    places[0][3] = 1681
    assert sparse_warp(features, *columns([case]))[0, *places].tolist() == list(range(7))


@given(cases=batches, mel=channels)
def test_an_utterance_without_a_shift_or_of_two_frames_is_copied_to_the_bit(cases, mel):
    still = [case if case.length < 3 else case._replace(shift=0) for case in cases]
    features = noise(len(cases), TIME, mel)
    features[:, ::5] = NAN
    assert torch.equal(bits(sparse_warp(features, *columns(still))), bits(features))


@given(cases=batches, mel=channels)
def test_the_padding_stays_as_it_was_and_never_enters_the_speech(cases, mel):
    features = noise(len(cases), TIME, mel)
    padding = torch.arange(TIME) >= columns(cases)[0][:, None]
    got = sparse_warp(features, *columns(cases))
    assert torch.equal(got[padding], features[padding])
    spoilt = sparse_warp(features.masked_fill(padding[:, :, None], NAN), *columns(cases))
    assert torch.equal(spoilt[~padding], got[~padding])


@given(cases=batches, frame=st.integers(0, TIME - 1), mel=channels)
def test_a_value_that_is_not_a_number_reaches_the_cells_read_from_it_and_no_others(cases, frame, mel):
    features = noise(len(cases), TIME, mel)
    features[:, frame] = NAN
    got = sparse_warp(features, *columns(cases)).isnan().tolist()
    for utterance, case in enumerate(cases):
        source = source_by_hand(case, TIME, mel)
        by_hand = [[frame in (floor(at), ceil(at)) for at in row] for row in source]
        assert got[utterance] == by_hand


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_infinite_and_huge_cells_come_out_as_their_weighted_sum(dtype):
    case = Case(300, 150, 60)
    features = outlandish(1, 300, dtype=dtype)
    source = torch.tensor(source_by_hand(case, 300, features.shape[2]), dtype=torch.float64)[None]
    by_hand = kinds_by_hand(features, source.long(), source % 1)
    assert torch.equal(kinds(sparse_warp(features, *columns([case]))), by_hand)


def test_nothing_that_is_made_is_larger_than_a_number_in_float64_for_each_cell():
    features = torch.zeros(2, 900, 8)  # far more frames than channels: frames by frames would show
    with Sizes() as sizes:
        sparse_warp(features, *columns([Case(900, 300, 80), Case(700, 400, -80)]))
    assert sizes.largest == 8 * features.numel()


def test_an_utterance_alone_is_warped_as_it_is_in_a_batch():
    cases = [Case(24, 9, 4), Case(11, 5, -3), Case(2, 0, 0), Case(17, 8, 0), Case(3, 1, 0), Case(20, 2, 16)]
    features = noise(len(cases), 24, 7)
    got = sparse_warp(features, *columns(cases))
    for place, case in enumerate(cases):
        alone = sparse_warp(features[place : place + 1, : case.length], *columns([case]))[0]
        assert torch.allclose(alone, got[place, : case.length], rtol=0, atol=1e-6)


CASES = [Case(20, 8, 5), Case(13, 6, -3)]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_features_keep_their_type_and_are_rounded_to_it_once(dtype):
    features = noise(2, 20, 5, dtype=dtype)
    got = sparse_warp(features, *columns(CASES))
    exact = sparse_warp(features.double(), *columns(CASES))
    working = 2 * torch.finfo(torch.promote_types(dtype, torch.float32)).eps
    assert got.dtype == dtype
    assert ((got.double() - exact).abs() <= exact.abs() * torch.finfo(dtype).eps / 2 + working).all()


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(lambda x: x[:, ::2, ::3], id="steps"),
        pytest.param(lambda x: x.transpose(1, 2), id="transposed"),
        pytest.param(lambda x: x[:1].expand(2, -1, -1), id="expanded"),
    ],
)
def test_features_may_lie_in_memory_in_any_way(view):
    features = view(noise(2, 40, 40))[:, :20, :5]
    assert not features.is_contiguous()
    warped = sparse_warp(features.contiguous(), *columns(CASES))
    assert torch.equal(sparse_warp(features, *columns(CASES)), warped)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32])
def test_lengths_may_be_whole_numbers_of_any_width(dtype):
    cases = [Case(120, 90, 20), Case(100, 60, -20)]
    features = noise(2, 120, 5)
    narrow = [column.to(dtype) for column in columns(cases)]
    assert torch.equal(sparse_warp(features, *narrow), sparse_warp(features, *columns(cases)))


@pytest.mark.parametrize("shape", [(0, 20, 5), (2, 0, 5), (2, 20, 0)])
def test_a_batch_may_be_empty(shape):
    cases = [Case(min(case.length, shape[1]), *case[1:]) for case in CASES[: shape[0]]]
    assert sparse_warp(torch.zeros(shape), *columns(cases)).shape == shape


@pytest.mark.parametrize("shift", [0, 3])
def test_the_input_is_not_modified_and_the_output_is_new(shift):
    cases = [case._replace(shift=shift) for case in CASES]
    features, arguments = noise(2, 20, 5), columns(cases)
    got = sparse_warp(features, *arguments)
    got += 1
    assert torch.equal(features, noise(2, 20, 5))
    assert all(torch.equal(x, y) for x, y in zip(arguments, columns(cases), strict=True))


@pytest.mark.parametrize("mel", [1, 3])
def test_the_gradient_is_that_of_finite_differences(mel):
    features = noise(2, 20, mel, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: sparse_warp(x, *columns(CASES)), features)


@pytest.mark.parametrize(
    ("case", "name", "value", "fit"),
    [
        pytest.param(Case(9, 0, 2), "centre", 0, "1..7", id="from the first"),
        pytest.param(Case(9, 8, -2), "centre", 8, "1..7", id="from the last"),
        pytest.param(Case(9, 4, -4), "centre + shift", 0, "1..7", id="to the first"),
        pytest.param(Case(9, 4, 4), "centre + shift", 8, "1..7", id="to the last"),
        pytest.param(Case(3, 1, 1), "centre + shift", 2, "1..1", id="no room"),
    ],
)
@pytest.mark.parametrize("mel", [1, 4])
def test_a_point_that_moves_must_start_and_arrive_between_the_ends(case, name, value, fit, mel):
    message = f"{name} is {value} in an utterance of {case.length} frames; expected a frame in {fit}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        sparse_warp(noise(2, 20, mel), *columns([Case(20, 4, 4), case]))
