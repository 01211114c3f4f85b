import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numba")

from specaug.augment import fused_cpu
from specaug.augment.fused_cpu import accepts, check, warp_and_mask
from specaug.augment.fused_draws import compiled

NAN = float("nan")
TIME, MEL = 24, 5
words = st.integers(0, 2**32 - 1)


class Case(NamedTuple):
    """One utterance: its frames, what moves where, the frame that stays, (start, width) of masks, their fill."""

    length: int
    centre: int
    shift: int
    last: int
    freq: list[tuple[int, int]]
    time: list[tuple[int, int]]
    fill: float


def augment(features: torch.Tensor, cases: list[Case], out: torch.Tensor | None = None) -> torch.Tensor:
    lengths, centre, shift, last = (torch.tensor([case[i] for case in cases]).long() for i in range(4))
    freq, time = spans_of([case.freq for case in cases]), spans_of([case.time for case in cases])
    fill = torch.tensor([case.fill for case in cases])
    return warp_and_mask(features, lengths, centre, shift, last, freq, time, fill, out)


def spans_of(spans: list[list[tuple[int, int]]]) -> tuple[torch.Tensor, torch.Tensor]:
    masks = len(spans[0]) if spans else 0
    table = torch.tensor(spans, dtype=torch.int64).reshape(len(spans), masks, 2)
    return table[..., 0], table[..., 1]


def noise(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Between -1 and 1, the same each time."""
    return (2 * torch.rand(shape, generator=torch.Generator().manual_seed(0)) - 1).to(dtype)


@contextmanager
def threads(count: int, grain: int = 1) -> Iterator[None]:
    """So many torch threads, however little there is to do."""
    before = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fused_cpu, "GRAIN", grain)
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)


@st.composite
def interval_lists(draw, size: int, count: int) -> list[tuple[int, int]]:
    widths = [draw(st.integers(0, size)) for _ in range(count)]
    return [(draw(st.integers(0, size - width)), width) for width in widths]


@st.composite
def batches(draw, warped: bool = True) -> list[Case]:
    masks = [draw(st.integers(0, 3)) for _ in range(2)]
    cases = []
    for length in draw(st.lists(st.integers(0, TIME), min_size=1, max_size=3)):
        last, centre, shift = draw(st.sampled_from([length - 1, length])), 0, 0
        if warped and length >= 3:
            centre = draw(st.integers(1, last - 1))
            shift = draw(st.integers(1, last - 1)) - centre
        freq, time = draw(interval_lists(MEL, masks[0])), draw(interval_lists(length, masks[1]))
        cases.append(Case(length, centre, shift, last, freq, time, draw(st.sampled_from([0.0, 0.5, -1.25]))))
    return cases


def source_by_hand(frame: int, case: Case) -> Fraction:
    """Where a frame of the output is read: on the line through (0, 0), (target, centre), (last, last)."""
    target = case.centre + case.shift
    if case.shift == 0 or frame >= case.length:
        return Fraction(frame)
    if frame <= target:
        return Fraction(frame * case.centre, target)
    source = case.last - Fraction((case.last - frame) * (case.last - case.centre), case.last - target)
    return min(source, Fraction(case.length - 1))


def hidden_by_hand(frame: int, channel: int, case: Case) -> bool:
    in_time = any(start <= frame < start + width for start, width in case.time)
    in_freq = any(start <= channel < start + width for start, width in case.freq)
    return frame < case.length and (in_time or in_freq)


def augmented_by_hand(features: torch.Tensor, cases: list[Case]) -> torch.Tensor:
    """One cell at a time, in float64."""
    output, given = features.double(), features.double().tolist()
    for utterance, case in enumerate(cases):
        for frame in range(features.shape[1]):
            source = source_by_hand(frame, case)
            weight = float(source - floor(source))
            for channel in range(features.shape[2]):
                low, high = (given[utterance][place][channel] for place in (floor(source), ceil(source)))
                value = (1 - weight) * low + weight * high
                hidden = hidden_by_hand(frame, channel, case)
                output[utterance, frame, channel] = case.fill if hidden else value
    return output


@given(cases=batches(), count=st.integers(1, 3))
def test_each_cell_is_hidden_or_read_along_the_warp(cases, count):
    features = noise(len(cases), TIME, MEL)
    with threads(count):
        got = augment(features, cases)
    assert got.dtype == torch.float32
    assert (got - augmented_by_hand(features, cases)).abs().max() <= 1e-6


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@given(cases=batches(warped=False))
def test_without_a_warp_what_is_not_hidden_keeps_its_bits(dtype, cases):
    features = noise(len(cases), TIME, MEL, dtype=dtype)
    got = augment(features, cases)
    assert got.dtype == dtype
    assert torch.equal(got.double(), augmented_by_hand(features, cases))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@given(cases=batches())
def test_the_half_types_are_rounded_once(dtype, cases):
    features = noise(len(cases), TIME, MEL, dtype=dtype)
    got = augment(features, cases)
    assert got.dtype == dtype
    half_a_step = torch.finfo(dtype).eps / 4  # below 1; a fill is held exactly
    assert (got.double() - augmented_by_hand(features, cases)).abs().max() <= half_a_step + 1e-6


@given(cases=batches())
def test_the_padding_stays_as_it_was_and_never_enters_the_speech(cases):
    features = noise(len(cases), TIME, MEL)
    padding = torch.arange(TIME) >= torch.tensor([case.length for case in cases])[:, None]
    got = augment(features, cases)
    assert torch.equal(got[padding], features[padding])
    spoilt = augment(features.masked_fill(padding[:, :, None], NAN), cases)
    assert torch.equal(spoilt[~padding], got[~padding])
    assert spoilt[padding].isnan().all()


@given(cases=batches(), frame=st.integers(0, TIME - 1), channel=st.integers(0, MEL - 1))
def test_a_value_that_is_not_a_number_reaches_the_frames_read_from_it_and_no_others(cases, frame, channel):
    features = noise(len(cases), TIME, MEL)
    features[:, frame, channel] = NAN
    got = augment(features, cases).isnan()
    for utterance, case in enumerate(cases):
        expected = set()
        for output in range(TIME):
            source = source_by_hand(output, case)
            if frame in (floor(source), ceil(source)) and not hidden_by_hand(output, channel, case):
                expected.add((output, channel))
        assert set(map(tuple, got[utterance].nonzero().tolist())) == expected


@pytest.mark.parametrize("last", [2999, 3000])
def test_thirty_seconds_are_warped_to_the_bits_of_the_formula(last):
    case = Case(3000, 1601, 80, last, [], [], 0.0)
    features = noise(1, 3000, 7)
    sources = [source_by_hand(frame, case) for frame in range(3000)]
    low = features[0, [floor(source) for source in sources]]
    high = features[0, [ceil(source) for source in sources]]
    weight = torch.tensor([[source - floor(source)] for source in sources], dtype=torch.float64).float()
    assert torch.equal(augment(features, [case])[0], (1 - weight) * low + weight * high)


CASES = [Case(24, 8, 5, 23, [(1, 2)], [(3, 4)], 0.0), Case(13, 6, -3, 13, [(4, 1)], [(0, 2)], 0.5)]
VIEWS = [
    pytest.param(lambda x: x[:, 3:27, 2:7], id="part"),
    pytest.param(lambda x: x[:, :48:2, :15:3], id="steps"),
    pytest.param(lambda x: x.transpose(1, 2)[:, :24, :5], id="transposed"),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("view", VIEWS)
def test_features_and_output_may_lie_in_memory_in_any_way(view, dtype):
    features, whole = view(noise(2, 50, 50, dtype=dtype)), torch.full((2, 50, 50), 9.0, dtype=dtype)
    out = view(whole)
    before = features.clone(memory_format=torch.contiguous_format)
    assert not features.is_contiguous()
    assert augment(features, CASES, out) is out
    assert torch.equal(features, before)
    assert torch.equal(out, augment(before, CASES))
    assert (whole == 9).sum() == whole.numel() - out.numel()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("shift", [0, 3])
def test_either_of_them_alone_may(view, shift):
    cases = [case._replace(shift=shift) for case in CASES]
    features, out = view(noise(2, 50, 50)), view(torch.zeros(2, 50, 50))
    dense = features.clone(memory_format=torch.contiguous_format)
    expected = augment(dense, cases)
    assert torch.equal(augment(features, cases), expected)
    assert torch.equal(augment(dense, cases, out), expected)


@pytest.mark.parametrize("shape", [(0, 4, 3), (2, 0, 3), (2, 4, 0)])
def test_nothing_comes_of_nothing(shape):
    cases = [Case(0, 0, 0, -1, [], [], 0.0)] * shape[0]
    assert augment(torch.zeros(shape), cases).shape == shape


def test_what_is_small_may_share_its_memory_and_be_of_32_bits():
    features, length, fill = noise(1, TIME, MEL).expand(2, -1, -1), torch.tensor(20).int(), torch.tensor(0.5)
    numbers = [(length - less).expand(2) for less in (0, 9, 15, 1)]
    spans = torch.tensor([[3]]).expand(2, 2), torch.tensor([[2]]).expand(2, 2)
    got = warp_and_mask(features, *numbers, spans_of([[], []]), spans, fill.expand(2))
    assert torch.equal(got, augment(features, [Case(20, 11, 5, 19, [], [(3, 2)], 0.5)] * 2))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("features", torch.zeros(2, 4, 3).double()),
        ("lengths", torch.tensor([4])),
        ("centre", torch.tensor([1, 1, 1])),
        ("fill", torch.zeros(1)),
        ("freq", (torch.zeros(2, 1), torch.zeros(2, 2))),
        ("time", (torch.zeros(1, 1), torch.zeros(1, 1))),
        ("out", torch.zeros(2, 4, 4)),
        ("out", torch.zeros(2, 4, 3).half()),
    ],
)
def test_what_does_not_fit_is_refused_by_name(name, value):
    none = torch.zeros(2, 0).long()
    given = {"features": torch.zeros(2, 4, 3), "freq": (none, none), "time": (none, none), name: value}
    vectors = {key: given.get(key, torch.zeros(2)) for key in ("lengths", "centre", "shift", "last", "fill")}
    spans = {"freq": given["freq"], "time": given["time"]}
    with pytest.raises(ValueError, match=rf"^{name} .*; expected "):
        check(given["features"], vectors, spans, given.get("out", torch.zeros(2, 4, 3)))


def test_it_says_what_it_accepts():
    dense = torch.zeros(1, 1)
    assert all(map(accepts, [dense, dense.half(), dense.bfloat16()]))
    assert not any(map(accepts, [dense.double(), dense.to("meta"), dense.to_sparse()]))


def test_one_thread_wakes_no_others_and_nor_does_little_work(monkeypatch):
    woken = []
    monkeypatch.setattr(fused_cpu, "run", lambda work, data, threads: woken.append(threads))
    for count, grain in ((1, 1), (2, TIME * MEL * 2), (2, 1)):
        with threads(count, grain):
            augment(noise(2, TIME, MEL), CASES)
    assert woken == [1, 1, 2]


def test_callers_at_once_get_their_own_answers():
    batches = [noise(2, TIME, MEL) + number for number in range(20)]
    expected = [augment(batch, CASES) for batch in batches]
    with threads(2), ThreadPoolExecutor(4) as callers:
        got = list(callers.map(lambda batch: augment(batch, CASES), batches))
    assert all(map(torch.equal, got, expected))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_its_parents_threads():
    with threads(2):
        expected = augment(noise(2, TIME, MEL), CASES)
        child = multiprocessing.get_context("fork").Process(target=compare, args=(expected,))
        child.start()
        child.join(60)
    exit_status = child.exitcode
    child.kill()
    assert exit_status == 0


def compare(expected: torch.Tensor) -> None:
    assert torch.equal(augment(noise(2, TIME, MEL), CASES), expected)


def test_a_function_is_compiled_where_nothing_can_be_kept():
    assert compiled(eval("lambda number: number + 1"))(1) == 2  # it has no file, so numba has no folder
