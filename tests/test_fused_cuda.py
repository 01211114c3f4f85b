"""The fused CUDA path by hand: through triton's interpreter on a CPU and, marked `gpu`, as compiled on a GPU."""

import importlib
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from outlandish import kinds, kinds_by_hand, outlandish
from torch import Tensor
from torch.utils._pytree import tree_map

from specaug.augment.warp import Warp, source_frames

compiler = pytest.importorskip("triton.compiler")  # uninterpreted, as the rest of the process expects it
compiled = importlib.import_module("specaug.augment.fused_cuda")
BITS = {torch.float32: torch.int32, torch.bfloat16: torch.int16, torch.float16: torch.int16}
LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": lambda cells: cells,
    "channels first": lambda cells: cells.transpose(1, 2).contiguous().transpose(1, 2),
    "every other": lambda cells: cells.repeat_interleave(2, 0).repeat_interleave(2, 1)[::2, ::2],
}
Pair = tuple[Tensor, Tensor]


class Batch(NamedTuple):
    """The arguments of `warp_and_mask`, in their order."""

    features: Tensor
    lengths: Tensor
    centre: Tensor
    shift: Tensor
    last: Tensor
    freq: Pair
    time: Pair
    fill: Tensor


def on(device: str, batch: Batch) -> Batch:
    return tree_map(lambda part: part.to(device), batch)


class Fused(NamedTuple):
    module: ModuleType
    device: str  # that it runs on

    def __call__(self, batch: Batch, out: Tensor | None = None) -> Tensor:
        with np.errstate(all="ignore"):  # a GPU says nothing of infinity minus infinity
            return self.module.warp_and_mask(*on(self.device, batch), out)

    def rounded(self, cells: Tensor, dtype: torch.dtype) -> Tensor:
        """From float32 to `dtype`, to the nearest; but triton's interpreter cuts bfloat16 off."""
        cut = self.device == "cpu" and dtype == torch.bfloat16
        return (cells.view(torch.int32) >> 16 << 16).view(torch.float32).to(dtype) if cut else cells.to(dtype)


def interpreted() -> ModuleType:
    """A copy of the module for the CPU; the one that others import stays as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        module = module_from_spec(compiled.__spec__)
        compiled.__spec__.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def fused(request: pytest.FixtureRequest) -> Iterator[Fused]:
    """The path on each device, in tiles so small that a small utterance takes several programs."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    module = interpreted() if request.param == "cpu" else compiled
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TILE", 64)
        yield Fused(module, request.param)


def spans(*intervals: tuple[int, int]) -> Pair:
    starts, ends = torch.tensor(intervals, dtype=torch.int64).reshape(1, -1, 2).unbind(2)
    return starts, ends - starts


def one(features: Tensor, centre: int = 0, shift: int = 0, length: int = 0, **others: object) -> Batch:
    lengths = torch.tensor([length or features.shape[1]])
    warp = (torch.tensor([centre]), torch.tensor([shift]), lengths - 1)
    return Batch(features, lengths, *warp, spans(), spans(), torch.zeros(1))._replace(**others)


def noise(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)


def position_by_hand(batch: Batch, row: int, frame: int) -> Fraction:
    """Where a frame is read: on the line through (0, 0), (centre + shift, centre) and (last, last)."""
    centre, shift, last = (int(part[row]) for part in (batch.centre, batch.shift, batch.last))
    if frame == 0 or shift == 0:
        return Fraction(frame)
    corners = (0, 0), (centre + shift, centre), (last, last)
    (y0, x0), (y1, x1) = corners[:2] if frame <= centre + shift else corners[1:]
    return min(x0 + Fraction((frame - y0) * (x1 - x0), y1 - y0), Fraction(int(batch.lengths[row]) - 1))


def frame_by_hand(fused: Fused, batch: Batch, row: int, frame: int) -> Tensor:
    at = position_by_hand(batch, row, frame)
    before, rest = int(at), at - int(at)
    if rest == 0:
        return batch.features[row, before]
    low, high = batch.features[row, before].float(), batch.features[row, before + 1].float()
    share = torch.tensor(float(rest))
    return fused.rounded((1 - share) * low + share * high, batch.features.dtype)


def hides_by_hand(pair: Pair, row: int, place: int) -> bool:
    return any(
        start <= place < start + width for start, width in zip(pair[0][row], pair[1][row], strict=True)
    )


def by_hand(fused: Fused, batch: Batch) -> Tensor:
    answer = batch.features.clone()
    for row, length in enumerate(batch.lengths.tolist()):
        for frame in range(length):
            answer[row, frame] = frame_by_hand(fused, batch, row, frame)
            for channel in range(answer.shape[2]):
                if hides_by_hand(batch.time, row, frame) or hides_by_hand(batch.freq, row, channel):
                    answer[row, frame, channel] = fused.rounded(batch.fill, answer.dtype)[row]
    return answer


def same(one: Tensor, other: Tensor) -> bool:
    """Equal bit for bit, whatever the bits mean."""
    return torch.equal(*(cells.cpu().contiguous().view(BITS[cells.dtype]) for cells in (one, other)))


@st.composite
def warps(draw: st.DrawFn, time: int) -> tuple[int, int, int, int]:
    length = draw(st.integers(0, time))
    last = draw(st.sampled_from([length - 1, length]))
    ends = st.integers(0, last) | st.sampled_from([1, last - 1]) if last > 0 else st.just(0)
    centre = draw(ends)
    return length, centre, draw(ends) - centre, last


@st.composite
def pairs(draw: st.DrawFn, batch: int, size: int) -> Pair:
    masks = draw(st.integers(0, 3))
    starts = [draw(st.integers(0, size)) for _ in range(batch * masks)]
    both = [[start, draw(st.integers(0, min(3, size - start)))] for start in starts]
    return torch.tensor(both, dtype=torch.int64).reshape(batch, masks, 2).unbind(2)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Batches of any policy, precision and layout; draws are columns of tables, not contiguous."""
    batch, time, mel = draw(st.integers(1, 2)), draw(st.integers(1, 15)), draw(st.integers(1, 7))
    features = noise(batch, time, mel, dtype=draw(st.sampled_from(list(BITS))))
    warp = torch.tensor([draw(warps(time)) for _ in range(batch)]).to(draw(st.sampled_from([*BITS.values()])))
    masks = draw(pairs(batch, mel)), draw(pairs(batch, time))
    return Batch(LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))](features), *warp.T, *masks, noise(batch))


@settings(max_examples=30)
@given(batch=batches())
def test_every_cell_is_as_by_hand(fused: Fused, batch: Batch) -> None:
    assert same(fused(batch), by_hand(fused, batch))


@pytest.mark.parametrize("dtype", list(BITS))
def test_without_a_warp_every_bit_is_copied(fused: Fused, dtype: torch.dtype) -> None:
    ends, generator = torch.iinfo(BITS[dtype]), torch.Generator().manual_seed(0)
    words = torch.randint(ends.min, ends.max, (1, 12, 50), generator=generator, dtype=BITS[dtype])
    assert same(fused(one(words.view(dtype), centre=5)), words.view(dtype))


@pytest.mark.parametrize(("length", "last"), [(13, 12), (13, 13), (40, 39)])
def test_nothing_is_read_behind_an_utterance(fused: Fused, length: int, last: int) -> None:
    store = torch.full((2, 20, 5), float("nan"), device=fused.device)
    store[:1, :length] = noise(1, 20, 5)[:, :length]
    answer = fused(one(store[:1], 9, -4, length, last=torch.tensor([last])))
    assert not answer[:, :length].isnan().any()


def test_a_nan_reaches_only_the_frames_that_weigh_it(fused: Fused) -> None:
    features = noise(1, 17, 3)
    features[:, 5] = float("nan")
    warped = fused(one(features, 4, 4))  # frame y <= 8 reads y / 2, a later one 4 + (y - 8) * 12 / 8
    assert warped[0].isnan().any(dim=1).nonzero().flatten().tolist() == [9]


@pytest.mark.parametrize("dtype", list(BITS))
def test_infinite_and_huge_cells_come_out_as_their_weighted_sum(fused: Fused, dtype: torch.dtype) -> None:
    batch = one(outlandish(3, 300, dtype=dtype)[:1], 150, 60)
    answer = fused(batch).cpu()
    before, rest = source_frames(batch.lengths, Warp(batch.centre, batch.shift, batch.last), 300)
    assert torch.equal(kinds(answer), kinds_by_hand(batch.features, before, rest))


def test_a_hidden_cell_never_holds_nan(fused: Fused) -> None:
    batch = one(torch.full((1, 18, 6), float("nan")), 7, 4, freq=spans((2, 4)), time=spans((3, 9), (6, 11)))
    shown = fused(batch).isnan()
    assert [shown[0, :, 2:4].any().item(), shown[0, 3:11].any().item()] == [False, False]


def test_the_input_is_never_modified(fused: Fused) -> None:
    batch = on(fused.device, one(noise(1, 20, 5), 8, 5, freq=spans((1, 3)), time=spans((4, 9))))
    before = batch.features.clone()
    fused(batch)
    assert same(batch.features, before)


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_the_answer_is_written_where_asked_and_nowhere_else(fused: Fused, layout: str) -> None:
    batch = one(noise(1, 20, 5), 8, 5, freq=spans((1, 3)), time=spans((4, 9)))
    store = LAYOUTS[layout](torch.full((3, 24, 9), 7.0, device=fused.device))
    expected, out = store.clone(), store[1:2, 2:22, 3:8]
    expected[1:2, 2:22, 3:8] = by_hand(fused, batch)
    assert (fused(batch, out) is out, same(store, expected)) == (True, True)


@pytest.mark.parametrize("shape", [(0, 5, 4), (2, 0, 4), (2, 5, 0)])
def test_a_batch_without_cells_is_answered(fused: Fused, shape: tuple[int, int, int]) -> None:
    none = torch.zeros(shape[0], 0, dtype=torch.int64)
    batch = Batch(noise(*shape), *[none.sum(dim=1)] * 4, (none, none), (none, none), noise(shape[0]))
    assert fused(batch).shape == shape


@pytest.mark.parametrize("warp", [(46_340, 46_339, -1), (46_341, 46_340, -1), (70_001, 64_999, 3)])
def test_positions_are_exact_where_32_bits_end(
    fused: Fused, warp: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused.module, "TILE", 8192)
    batch, asked = one(noise(1, warp[0], 1), *warp[1:]), range(warp[0] - 1, 0, -997)
    assert same(fused(batch)[0, asked], torch.stack([frame_by_hand(fused, batch, 0, at) for at in asked]))


def test_a_precision_that_the_kernel_lacks_is_an_error(fused: Fused) -> None:
    with pytest.raises(ValueError, match=r"features is of torch\.float64; expected one of torch\.float32"):
        fused(one(noise(1, 6, 3, dtype=torch.float64)))


@pytest.mark.parametrize(
    ("out", "fault"),
    [
        (noise(1, 6, 3).half(), r"out is \(1, 6, 3\) of torch\.float16; expected .* torch\.float32"),
        (noise(1, 5, 3), r"out is \(1, 5, 3\) of .*; expected what features is, \(1, 6, 3\)"),
        (None, "out is the memory of features; expected memory of its own"),
    ],
)
def test_an_answer_that_cannot_be_written_is_an_error(out: Tensor | None, fault: str) -> None:
    features = noise(1, 6, 3)
    with pytest.raises(ValueError, match=fault):
        compiled.destination(features, features if out is None else out)


def ptx(cells: str, wide: bool) -> str:
    """What contiguous tensors of 40 channels are compiled to; no GPU is needed for it."""
    names = compiled.kernel.arg_names
    fixed = {"mel": 40, "channels": 64, "block": 32, "unit": 8, "wide": wide, "in_mel": 1, "out_mel": 1}
    kinds = dict.fromkeys(names, "i32") | dict.fromkeys(fixed, "constexpr")
    kinds |= dict.fromkeys(names[2:10], "*i64") | {"fill": "*fp32"} | dict.fromkeys(names[:2], f"*{cells}")
    at = {name: (place,) for place, name in enumerate(names)}
    aligned = {at[name]: [["tt.divisibility", 16]] for name in names if kinds[name].startswith("*")}
    source = compiler.ASTSource(compiled.kernel, kinds, {at[name]: fixed[name] for name in fixed}, aligned)
    target = importlib.import_module("triton.backends.compiler").GPUTarget("cuda", 90, 32)
    return str(compiler.compile(source, target=target, options={"enable_fp_fusion": False}).asm["ptx"])


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("cells", ["fp32", "bf16", "fp16"])
def test_compiled_code_moves_16_bytes_and_rounds_each_operation(
    cells: str, wide: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    code = ptx(cells, wide)
    stores, loads = re.findall(r"st\.global\S*", code), re.findall(r"ld\.global\S*\.v4\S*", code)
    assert (len(loads), {".v4." in store for store in stores}) == (2 * len(stores), {True})
    assert re.search(r"div\.rn\.f64" if wide else r"div\.rn\.f32", code)
    assert not re.search(r"fma\.|div\.full|div\.approx|\.ftz", code)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_grid_may_have_more_programs_than_its_second_axis_allows() -> None:
    features, zero = noise(70_000, 2, 3), torch.zeros(70_000, dtype=torch.int64)
    none = (zero[:, None], zero[:, None])
    batch = Batch(features, zero + 2, zero, zero, zero + 1, none, none, zero.float())
    assert same(Fused(compiled, "cuda")(batch), features)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype:UserWarning")
def test_the_launch_follows_the_current_stream_and_waits_for_nothing() -> None:
    batch = on("cuda", one(torch.zeros(1, 300, 80), 100, 30, fill=torch.ones(1), time=spans((40, 90))))
    compiled.warp_and_mask(*batch)  # compiled before the clock of the sleep runs
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        torch.cuda._sleep(200_000_000)  # cycles; the features come after them, on this stream alone
        batch.features.fill_(1.0)
        torch.cuda.set_sync_debug_mode("error")
        answer = compiled.warp_and_mask(*batch)
        torch.cuda.set_sync_debug_mode("default")
        assert bool((answer == 1.0).all())
