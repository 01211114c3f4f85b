from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from specaug.augment.apply import apply
from specaug.augment.draws import Draws, draw
from specaug.augment.fills import Fills
from specaug.augment.keys import make_keys
from specaug.augment.masks import Masks
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
from specaug.augment.patches import Patches
from specaug.augment.policy import Policy
from specaug.augment.shares import hidden_shares

MEL, MARK = 6, 1000.0
WARP, SUB, SWAP = TimeWarp(W=3), SpecSub(t_max=5, N=2), SpecSwap(F=2, T=5)
CUT, FILTER = SpliceOut(N=2, T=6), FilterAugment(n_low=1, n_high=2, w_min=2)
FREQ, TIME, PATCH = FrequencyMask(F=3, m_F=2), TimeMask(T=7, m_T=2), PatchMask(t=3, f=2, share=0.3)
POLICIES = {
    "nothing": (),
    "channels": (FREQ,),
    "frames": (TIME,),
    "warp, channels, frames": (WARP, FREQ, TIME),
    "all channels": (FrequencyMask(F=6, m_F=5), TIME),
    "mean and noise": (replace(FREQ, fill="mean"), replace(TIME, fill="noise")),
    "filter": (FREQ, FILTER, TIME),
    "patches": (PATCH,),
    "patches and masks": (FREQ, PATCH, TIME),
    "patches of noise": (TIME, replace(PATCH, fill="noise")),
    "copies of what is hidden": (FREQ, TIME, SUB),
    "copies before": (SUB, TIME),
    "swaps of what is hidden": (TIME, PATCH, SWAP),
    "cuts of what is hidden": (FREQ, TIME, CUT),
    "cuts before": (CUT, TIME, FREQ),
    "everything": (WARP, TIME, SWAP, FREQ, CUT, PATCH, SUB, TIME, FILTER),
}


def marked(draws: Draws, axis: str | None) -> Draws:
    """The same draws where masks hide cells with MARK, those of an axis alone where it is given."""
    steps = []
    for step in draws.steps:
        if isinstance(step, Masks | Patches):
            counts = axis is None or (isinstance(step, Masks) and step.axis == axis)
            if counts:
                steps.append(replace(step, fills=Fills(MARK, step.fills.keys)))
        else:
            steps.append(step)
    return Draws(tuple(steps))


def shares_by_hand(draws: Draws, lengths: Tensor, axis: str | None) -> list[float]:
    """The share of each utterance's cells that hold MARK once all was applied; gains move it by little."""
    got = apply(torch.ones(len(lengths), 30, MEL), lengths, marked(draws, axis))
    shares = []
    for rows, left in zip(got.tolist(), draws.shortened(lengths).tolist(), strict=True):
        cells = [value > MARK / 2 for row in rows[:left] for value in row]
        shares.append(sum(cells) / len(cells) if cells else 0.0)
    return shares


@pytest.mark.parametrize("operations", POLICIES.values(), ids=POLICIES)
@given(lengths=st.lists(st.integers(0, 30), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_hidden_shares_are_those_that_counting_gives(
    operations: tuple[Operation, ...], lengths: list[int], seed: int
):
    frames = torch.tensor(lengths)
    draws = draw(Policy(operations), frames, MEL, make_keys(seed, 0, [str(n) for n in range(len(lengths))]))
    cells, rows, columns = hidden_shares(draws, frames, MEL).tolist()
    assert cells == pytest.approx(shares_by_hand(draws, frames, None))
    assert rows == pytest.approx(shares_by_hand(draws, frames, "time"))
    assert columns == pytest.approx(shares_by_hand(draws, frames, "freq"))


def test_no_utterances_have_no_shares():
    none = torch.zeros(0, dtype=torch.int64)
    for operations in ((FREQ,), (PATCH,)):
        draws = draw(Policy(operations), none, MEL, make_keys(0, 0, []))
        assert hidden_shares(draws, none, MEL).shape == (3, 0)
