import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from specaug.augment.apply import apply
from specaug.augment.draws import draw
from specaug.augment.engines import OVERRIDE
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
from specaug.augment.policy import Policy


def noise(*shape: int) -> torch.Tensor:
    """Between -1 and 1, the same each time."""
    return 2 * torch.rand(shape, generator=torch.Generator().manual_seed(0)) - 1


fills = st.sampled_from([0.0, -2.5, "mean", "noise"])
operations = st.permutations(range(10)).flatmap(
    lambda order: st.tuples(
        st.builds(TimeWarp, W=st.just(4), warp=st.sampled_from(["linear", "sparse"])),
        *(st.builds(FrequencyMask, F=st.just(3), fill=fills) for _ in range(2)),
        *(st.builds(TimeMask, T=st.just(6), fill=fills) for _ in range(2)),
        st.builds(PatchMask, t=st.just(3), f=st.just(3), share=st.just(0.2), fill=fills),
        st.just(SpecSub(t_max=4, N=2)),
        st.just(SpecSwap(F=2, T=4)),
        st.just(SpliceOut(N=2, T=3)),
        st.just(FilterAugment(n_low=1, n_high=2, w_min=2)),
    ).map(lambda all_ten: tuple(all_ten[place] for place in order))
)


@settings(phases=[Phase.generate])  # an order that fails takes minutes to shrink
@given(operations=operations, count=st.integers(1, 10), seed=st.integers(0, 99))
def test_operations_in_any_order_are_applied_as_one_after_the_other(operations, count, seed):
    lengths, features = torch.tensor([20, 13, 2, 0]), noise(4, 20, 8)
    draws = draw(Policy(operations[:count]), lengths, 8, make_keys(seed, 0, "abcd"))
    one_by_one, left = features, lengths
    for step in draws.steps:
        one_by_one, left = step.apply(one_by_one, left), step.shortened(left)
    assert torch.equal(apply(features, lengths, draws, engine="plain"), one_by_one)
    assert torch.equal(draws.shortened(lengths), left)


@settings(phases=[Phase.generate])
@given(operations=operations, count=st.integers(1, 10), seed=st.integers(0, 99))
def test_the_fused_pass_does_the_same_in_any_order(operations, count, seed):
    pytest.importorskip("numba")
    lengths, features = torch.tensor([20, 13, 2, 0]), noise(4, 20, 8)
    draws = draw(Policy(operations[:count]), lengths, 8, make_keys(seed, 0, "abcd"))
    plain = apply(features, lengths, draws, engine="plain")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(OVERRIDE, raising=False)
        for out in (None, torch.empty_like(features)):
            got = apply(features, lengths, draws, out, engine="numba")
            assert (got - plain).abs().max() <= 2e-6
    assert torch.equal(features, noise(4, 20, 8))


LAST = {
    "nothing": (),
    "a mask": (TimeWarp(W=4), TimeMask(T=6)),
    "a mask of noise": (TimeWarp(W=4), TimeMask(T=6, fill="noise")),
    "a copy": (TimeMask(T=6), SpecSub()),
    "two means": (FrequencyMask(F=3, fill="mean"), TimeMask(T=6, fill="mean")),
    "a warp after a mean": (TimeMask(T=6, fill="mean"), TimeWarp(W=4), FrequencyMask(F=3, fill="mean")),
}


@pytest.mark.parametrize("operations", LAST.values(), ids=LAST)
@pytest.mark.parametrize("strided", [False, True], ids=["whole", "strided"])
def test_the_output_is_written_where_it_is_asked_to_be_and_returned(operations, strided):
    features, lengths = noise(2, 20, 5), torch.tensor([20, 13])
    draws = draw(Policy(operations), lengths, 5, make_keys(0, 0, "ab"))
    out = torch.full((2, 40, 10), 9.0)[:, ::2, 5:] if strided else torch.full((2, 20, 5), 9.0)
    assert apply(features, lengths, draws, out=out) is out
    assert torch.equal(out, apply(features, lengths, draws))
    assert torch.equal(features, noise(2, 20, 5))


@pytest.mark.parametrize("operations", LAST.values(), ids=LAST)
def test_the_output_is_never_the_features(operations):
    features, lengths = noise(2, 20, 5), torch.tensor([20, 13])
    draws = draw(Policy(operations), lengths, 5, make_keys(0, 0, "ab"))
    assert apply(features, lengths, draws).data_ptr() != features.data_ptr()
