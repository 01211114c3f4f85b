import pytest
import torch
from outlandish import kinds, kinds_by_hand, outlandish
from sizes import Sizes

from specaug.augment.apply import apply
from specaug.augment.draws import Draws, draw
from specaug.augment.engines import OVERRIDE, compiled_draws, engine_for, numba_path
from specaug.augment.keys import make_keys
from specaug.augment.operations import (
    FilterAugment,
    FrequencyMask,
    PatchMask,
    SpecSub,
    SpecSwap,
    SpliceOut,
    TimeMask,
    TimeWarp,
)
from specaug.augment.policy import LD, Policy
from specaug.augment.transform import SpecAugment
from specaug.augment.warp import source_frames

X = torch.ones(1, 4, 3)
NONE = Draws(())


@pytest.fixture
def unsaid(monkeypatch):
    monkeypatch.delenv(OVERRIDE, raising=False)


def test_an_unknown_engine_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="engine is 'fast'; expected one of plain, numba, triton"):
        engine_for(X, "fast")
    with pytest.raises(ValueError, match="engine is 'fast'; expected one of plain, numba, triton"):
        apply(X, torch.tensor([4]), NONE, engine="fast")


def test_an_unknown_engine_of_the_environment_is_refused_as_well(monkeypatch):
    monkeypatch.setenv(OVERRIDE, "fats")
    with pytest.raises(ValueError, match="engine is 'fats'; expected one of plain, numba, triton"):
        engine_for(X)


@pytest.mark.usefixtures("unsaid")
def test_the_plain_engine_takes_everything():
    for dtype in (torch.float16, torch.float64):
        assert engine_for(X.to(dtype), "plain") == "plain"
    assert engine_for(X.clone().requires_grad_(), "plain") == "plain"


@pytest.mark.usefixtures("unsaid")
def test_features_that_need_a_gradient_go_the_plain_way():
    features = X.clone().requires_grad_()
    assert engine_for(features) == "plain"
    with pytest.raises(ValueError, match=r"for torch.float32 on cpu with gradient it is 'plain'"):
        engine_for(features, "numba")


@pytest.mark.usefixtures("unsaid")
def test_an_engine_that_is_not_able_is_refused():
    with pytest.raises(
        ValueError, match=r"engine is 'triton'; for torch.float32 on cpu without gradient it is"
    ):
        engine_for(X, "triton")


def test_the_environment_may_ask_for_plain_at_any_time_and_then_draws_are_plain_too(monkeypatch):
    pytest.importorskip("numba")
    for said, expected in (("", "numba"), ("plain", "plain"), ("", "numba")):
        monkeypatch.setenv(OVERRIDE, said)
        assert engine_for(X) == expected
        assert (compiled_draws() is None) == (numba_path() is None) == (expected == "plain")


@pytest.mark.usefixtures("unsaid")
@pytest.mark.parametrize("engine", ["plain", "numba"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_infinite_and_huge_cells_come_out_as_their_weighted_sum(engine, dtype):
    if engine == "numba":
        pytest.importorskip("numba")
    features, lengths = outlandish(3, 300, dtype=dtype), torch.tensor([300, 300, 211])
    draws = draw(Policy((TimeWarp(W=80),)), lengths, 80, make_keys(0, 0, "abc"))
    before, rest = source_frames(lengths, draws.steps[0], 300)
    got = apply(features, lengths, draws, engine=engine)
    assert torch.equal(kinds(got), kinds_by_hand(features, before, rest))


LENGTHS = torch.tensor([1600, 1213, 700, 3, 0])


def by_engine(features: torch.Tensor, draws: Draws) -> list[torch.Tensor]:
    """What the plain way and the fused pass make of the same draws."""
    return [apply(features, LENGTHS, draws, engine=engine) for engine in ("plain", "numba")]


@pytest.mark.usefixtures("unsaid")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("epoch", range(3))
def test_the_engines_differ_by_a_rounding_of_what_they_read_and_hide_the_same_cells(dtype, epoch):
    pytest.importorskip("numba")
    features = torch.randn(5, 1600, 80, generator=torch.Generator().manual_seed(epoch)).to(dtype)
    draws = draw(LD, LENGTHS, 80, make_keys(0, epoch, "abcde"))
    plain, fused = by_engine(features, draws)
    before, _ = source_frames(LENGTHS, draws.steps[0], 1600)
    both = [
        features.double().abs().gather(1, frame.clamp(max=1599)[:, :, None].expand_as(features))
        for frame in (before, before + 1)
    ]
    near = 1e-6 if dtype == torch.float32 else torch.finfo(dtype).eps
    assert ((plain.double() - fused.double()).abs() <= near * torch.maximum(*both)).all()
    assert torch.equal(*by_engine(features, Draws(draws.steps[1:])))


@pytest.mark.usefixtures("unsaid")
@pytest.mark.parametrize("engine", ["plain", "numba"])
def test_nothing_that_is_made_is_larger_than_the_batch(engine):
    if engine == "numba":
        pytest.importorskip("numba")
    features, lengths = torch.zeros(2, 900, 80), torch.tensor([900, 700])
    draws = draw(LD, lengths, 80, make_keys(0, 0, ["a", "b"]))
    with Sizes() as sizes:
        apply(features, lengths, draws, engine=engine)
    assert sizes.largest == 4 * features.numel()


@pytest.mark.usefixtures("unsaid")
@pytest.mark.parametrize("engine", ["plain", "numba"])
def test_a_gradient_that_needs_what_lay_in_a_reused_output_is_refused(engine):
    if engine == "numba":
        pytest.importorskip("numba")
    augment, features, out = SpecAugment(LD, engine=engine), torch.ones(2, 90, 80), torch.empty(2, 90, 80)
    weight = torch.ones(80, requires_grad=True)
    loss = (augment(features, out=out) * weight).sum()
    loss.backward(retain_graph=True)
    augment(features, out=out)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


EVERY = Policy(
    (
        TimeWarp(W=5),
        SpliceOut(T=3),
        SpecSub(t_max=4),
        SpecSwap(F=2, T=3),
        FilterAugment(n_low=1, n_high=2, w_min=2),
        FrequencyMask(F=3, fill="mean"),
        TimeMask(p_S=0.2, p_M=0.1, m_T=3, fill=0.1),
        PatchMask(t=3, f=2, share=0.3, fill="noise"),
    )
)
POLICIES = pytest.mark.parametrize(
    "policy",
    [EVERY, Policy((TimeWarp(W=5, warp="sparse"),)), LD.replaced(F=5)],
    ids=["every", "sparse", "LD"],
)


@pytest.fixture(params=["plain", "numba"])
def installed(request, monkeypatch) -> None:
    """Each engine on the CPU, for drawing as well."""
    if request.param == "numba":
        pytest.importorskip("numba")
        monkeypatch.delenv(OVERRIDE, raising=False)
    else:
        monkeypatch.setenv(OVERRIDE, request.param)


@pytest.mark.usefixtures("installed")
@POLICIES
@pytest.mark.parametrize("default", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_the_default_type_of_torch_is_of_no_account(policy, default, dtype):
    features, lengths = torch.rand(2, 40, 8, dtype=dtype), torch.tensor([40, 31])
    wanted, _ = SpecAugment(policy).shortening(features, lengths)
    torch.set_default_dtype(default)
    try:
        got, _ = SpecAugment(policy).shortening(features, lengths)
    finally:
        torch.set_default_dtype(torch.float32)
    assert got.dtype == dtype
    assert torch.equal(got, wanted)


@pytest.mark.usefixtures("installed")
@POLICIES
def test_the_default_device_of_torch_is_of_no_account(policy):
    features, lengths = torch.rand(2, 40, 8), torch.tensor([40, 31])
    wanted, _ = SpecAugment(policy).shortening(features, lengths)
    augment = SpecAugment(policy)
    with torch.device("meta"):
        got, left = augment.shortening(features, lengths)
        whole, _ = augment.shortening(features)
    assert {part.device.type for part in (got, left, whole)} == {"cpu"}
    assert torch.equal(got, wanted)
