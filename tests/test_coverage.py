from fractions import Fraction
from itertools import combinations, product

import pytest
import torch
from counting import ids

from specaug.augment.coverage import Coverage
from specaug.augment.draws import draw
from specaug.augment.keys import make_keys
from specaug.augment.operation import Operation
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
from specaug.augment.policy import LD, LIBRI_FULL_ADAPT, NONE, Policy
from specaug.augment.shares import hidden_shares

Cells = frozenset[tuple[int, int]]
Chances = list[tuple[Cells, Fraction]]  # every set of cells that an operation can hide, and how likely it is


def intervals_by_hand(size: int, wished: int, cap: int, bounds: str) -> list[tuple[int, int, Fraction]]:
    """Each (start, end) of a mask with its probability; the same one may be there twice."""
    tops = range(wished) if bounds == "lingvo" else range(min(wished, cap, size) + 1)
    found = []
    for top in tops:
        width = min(top, max(cap, 1), size)
        starts = [start for start in range(size + 1) if start + width <= size]
        if bounds == "paper" and len(starts) > 1:
            starts.pop()
        found += [(start, start + width, Fraction(1, len(tops) * len(starts))) for start in starts]
    return found


def hides_by_hand(operation: Operation, tau: int, mel: int) -> list[Chances]:
    """What each mask of an operation can hide."""
    if isinstance(operation, PatchMask):
        t, f = operation.t, operation.f
        corners = [(y * t, x * f) for y in range(tau // t) for x in range(mel // f)]
        chosen = list(combinations(corners, int(operation.share * len(corners))))
        sets = [
            frozenset((y + i, x + j) for y, x in some for i in range(t) for j in range(f)) for some in chosen
        ]
        return [[(cells, Fraction(1, len(sets))) for cells in sets]]
    if isinstance(operation, FrequencyMask):
        spans = intervals_by_hand(mel, operation.F, mel, operation.bounds)
        sets = [(frozenset((y, x) for y in range(tau) for x in range(a, b)), p) for a, b, p in spans]
        return [sets] * operation.m_F
    assert isinstance(operation, TimeMask)
    adaptive = None if operation.p_S is None else int(operation.p_S * tau)
    wished = min((size for size in (operation.T, adaptive) if size is not None), default=tau)
    spans = intervals_by_hand(tau, wished, int(operation.p * tau), operation.bounds)
    count = operation.m_T if operation.p_M is None else min(operation.m_T, int(operation.p_M * tau))
    return [[(frozenset((y, x) for y in range(a, b) for x in range(mel)), p) for a, b, p in spans]] * count


def share_by_hand(operations: tuple[Operation, ...], tau: int, mel: int) -> Fraction:
    """The expected share of cells hidden, over everything that can happen."""
    masks = [mask for operation in operations for mask in hides_by_hand(operation, tau, mel)]
    total = Fraction(0)
    for outcome in product(*masks):
        chance = Fraction(1)
        for _, p in outcome:
            chance *= p
        total += chance * len(frozenset().union(*(cells for cells, _ in outcome)))
    return total / (tau * mel)


def only(kind: type[Operation], operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    return tuple(operation for operation in operations if isinstance(operation, kind))


TINY = {
    "one of each": (FrequencyMask(F=2), TimeMask(T=3)),
    "two of each": (FrequencyMask(F=1, m_F=2), TimeMask(T=2, m_T=2)),
    "paper": (FrequencyMask(F=2, bounds="paper"), TimeMask(T=4, m_T=2, bounds="paper")),
    "lingvo": (FrequencyMask(F=3, bounds="lingvo"), TimeMask(T=4, m_T=2, p=0.5, bounds="lingvo")),
    "lingvo's least cap": (TimeMask(T=3, p=0.125, bounds="lingvo"),),
    "share": (TimeMask(T=4, p=0.5, m_T=3),),
    "adaptive": (TimeMask(T=None, p_S=0.5, p_M=0.5, m_T=3), FrequencyMask(F=2)),
    "patches": (PatchMask(t=2, f=2, share=0.5),),
    "patches and masks": (PatchMask(t=2, f=1, share=0.5), TimeMask(T=2), FrequencyMask(F=1)),
    "listed twice": (TimeMask(T=2), FrequencyMask(F=1), TimeMask(T=3, bounds="paper"), FrequencyMask(F=2)),
}


@pytest.mark.parametrize(("tau", "mel"), [(4, 3), (5, 3), (1, 3)], ids=str)
@pytest.mark.parametrize("operations", TINY.values(), ids=TINY)
def test_coverage_is_that_of_everything_that_can_happen(operations, tau, mel):
    got = Policy(operations).coverage([tau], mel)
    wanted = (operations, only(TimeMask, operations), only(FrequencyMask, operations))
    expected = [float(share_by_hand(some, tau, mel)) for some in wanted]
    assert [got.cells, got.frames, got.channels] == pytest.approx(expected, abs=1e-12)


def lengths_by_hand(cuts: int, T: int, tau: int) -> dict[int, Fraction]:
    """How likely each length is after cuts of 0 to T frames, one after the other."""
    if not cuts:
        return {tau: Fraction(1)}
    chances: dict[int, Fraction] = {}
    widths = [width for width in range(T + 1) if width < tau or width == 0]
    for width in widths:
        for left, p in lengths_by_hand(cuts - 1, T, tau - width).items():
            chances[left] = chances.get(left, Fraction(0)) + p / len(widths)
    return chances


def test_what_cuts_have_left_is_what_is_covered():
    masks = (TimeMask(T=2), FrequencyMask(F=1))
    got = Policy((SpliceOut(N=2, T=3), *masks)).coverage([5], 2)
    lengths = lengths_by_hand(2, 3, 5)
    assert sum(lengths.values()) == 1
    assert min(lengths) == 1
    expected = sum(p * share_by_hand(masks, tau, 2) for tau, p in lengths.items() if tau)
    assert got.cells == pytest.approx(float(expected), abs=1e-12)


LENGTHS = [60, 31, 9, 2]
DRAWN = {
    "LD": LD.scaled(time=0.1).replaced(F=5),
    "paper": Policy((FrequencyMask(F=5, m_F=2, bounds="paper"), TimeMask(T=20, m_T=2, bounds="paper"))),
    "lingvo": Policy(
        (
            TimeWarp(W=5, bounds="lingvo"),
            FrequencyMask(F=5, m_F=2, bounds="lingvo"),
            TimeMask(T=20, p=0.2, m_T=3, bounds="lingvo"),
        )
    ),
    "adaptive": LIBRI_FULL_ADAPT.replaced(F=5, p_S=0.2, p_M=0.1),
    "patches": Policy((TimeMask(T=9), PatchMask(t=5, f=3, share=0.3), FrequencyMask(F=4))),
    "cuts": Policy((SpliceOut(N=2, T=20), FrequencyMask(F=4), TimeMask(T=None, p=0.4, m_T=2))),
    "swaps afterwards": Policy((TimeMask(T=15, m_T=2), PatchMask(t=4, f=4, share=0.2), SpecSwap(F=3, T=9))),
    "copies before, gains after": Policy((SpecSub(), TimeMask(T=15), FilterAugment(w_min=1), TimeMask(T=5))),
}


@pytest.mark.parametrize("policy", DRAWN.values(), ids=DRAWN)
def test_coverage_is_the_mean_of_ten_thousand_draws(policy):
    lengths = torch.tensor(LENGTHS * 2500)
    draws = draw(policy, lengths, 10, make_keys(1, 0, ids(len(lengths))))
    counted = (
        hidden_shares(draws, lengths, 10).view(3, 2500, 4).mean(dim=2)
    )  # of sets of four, one of each length
    mean, error = counted.mean(dim=1), counted.std(dim=1) / 2500**0.5
    got = policy.coverage(LENGTHS, 10)
    expected = torch.tensor([got.cells, got.frames, got.channels], dtype=torch.float64)
    assert (
        (mean - expected).abs() <= 3.3 * error + 1e-12
    ).all()  # 99.9 % of means lie in 3.3 standard errors


MASK = TimeMask(T=5)


@pytest.mark.parametrize(
    "operations",
    [
        pytest.param((MASK, TimeWarp(W=3)), id="warp"),
        pytest.param((MASK, SpecSub()), id="copies"),
        pytest.param((MASK, SpliceOut()), id="cuts"),
        pytest.param((PatchMask(), SpecSub()), id="copies of patches"),
        pytest.param((MASK, SpecSwap(), FrequencyMask(F=3), MASK), id="swaps between masks"),
    ],
)
def test_there_is_no_coverage_where_what_is_hidden_is_moved(operations):
    assert Policy(operations).coverage([50], 20) is None


def test_what_never_does_anything_does_not_move_what_is_hidden():
    policy = Policy((MASK, TimeWarp(W=0), SpecSub(N=0), SpliceOut(T=0)))
    assert policy.coverage([50], 20) == Policy((MASK,)).coverage([50], 20)


@pytest.mark.parametrize("policy", [NONE, Policy((TimeWarp(W=3), SpecSwap(), SpliceOut()))], ids=str)
def test_a_policy_without_masks_covers_nothing(policy):
    assert policy.coverage([50, 7], 20) == Coverage(0.0, 0.0, 0.0)


def test_every_utterance_counts_alike_and_an_empty_one_as_covered_by_nothing():
    policy = Policy((MASK, FrequencyMask(F=3)))
    one, other = (policy.coverage([tau], 20) for tau in (50, 7))
    both = policy.coverage([50, 7, 0], 20)
    assert both.cells == pytest.approx((one.cells + other.cells) / 3)
    assert both.channels == pytest.approx((one.channels + other.channels) / 3)


@pytest.mark.parametrize("make", [tuple, iter, torch.tensor, lambda lengths: torch.tensor(lengths).short()])
def test_lengths_may_be_any_whole_numbers_one_after_the_other(make):
    assert LD.coverage(make([400, 31, 31]), 80) == LD.coverage([400, 31, 31], 80)


@pytest.mark.parametrize(
    "lengths",
    [
        pytest.param([], id="none"),
        pytest.param(torch.zeros(0, dtype=torch.int64), id="no numbers"),
        pytest.param([9, -5], id="negative"),
        pytest.param(torch.tensor([9.7]), id="fractions"),
        pytest.param(torch.tensor([[9, 9]]), id="rows"),
    ],
)
def test_lengths_that_no_utterances_have_are_refused(lengths):
    with pytest.raises(ValueError, match="expected whole numbers, 0 or more, of at least one") as caught:
        LD.coverage(lengths, 80)
    assert str(caught.value).startswith(f"lengths are {lengths!r};")


@pytest.mark.parametrize(
    ("policy", "mel", "message"),
    [
        (LD, 20, r"FrequencyMask \(.*\) needs 27 mel channels; the features have 20"),
        (NONE, 0, "mel is 0; expected at least 1 channel"),
    ],
    ids=str,
)
def test_too_few_channels_are_refused_as_when_drawn_from(policy, mel, message):
    with pytest.raises(ValueError, match=message):
        policy.coverage([50], mel)
