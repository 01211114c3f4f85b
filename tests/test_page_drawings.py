import json

import numpy as np
import pytest
import torch

from specaug.augment.apply import apply
from specaug.augment.draws import Draws, draw
from specaug.augment.keys import make_keys
from specaug.augment.masks import Masks
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
from specaug.augment.policy import LD, NONE, Policy
from specaug.augment.shares import hidden_shares
from specaug.augment.warp import Warp
from specaug.study.page.drawings import drawings

MEL, SEED, EPOCHS = 40, 7, 6
IDS, FRAMES = ["one", "two", "three"], [60, 41, 90]
POLICIES = {
    "LD": LD.scaled(time=0.2),
    "moves": Policy((SpecSub(t_max=9, N=2), SpliceOut(T=8, N=2), FrequencyMask(F=5), TimeMask(T=9, m_T=2))),
    "swaps": Policy((SpecSwap(F=4, T=9), PatchMask(t=4, f=5, share=0.3))),
    "gains": Policy((TimeMask(T=9, m_T=2), FilterAugment())),
}


def table(stretches, length):
    """Where each place is read, written out place by place."""
    pairs = dict(zip(stretches[::2], stretches[1::2], strict=True))
    found = []
    for place in range(length):
        found.append(pairs[place] if place in pairs else found[-1] + 1)
    return found


def replayed(rows, steps):
    """Features (frames, mel) after the steps but for warps and gains, and which cells are hidden."""
    hidden = np.zeros(rows.shape, dtype=bool)
    for kind, *values in steps:
        if kind == "s":
            rows, hidden = (array[table(values[1:], values[0])] for array in (rows, hidden))
        elif kind == "c":
            rows, hidden = (array[:, table(values[1:], values[0])] for array in (rows, hidden))
        elif kind == "p":
            tall, wide, across, digits = values
            bits = bin(int("1" + digits, 16))[3:]
            for number, bit in enumerate(bits):
                y, x = number // across * tall, number % across * wide
                hidden[y : y + tall, x : x + wide] |= bit == "1"
        elif kind in "tf":
            for start, width in zip(values[::2], values[1::2], strict=True):
                where = (slice(start, start + width), slice(None))
                hidden[where if kind == "t" else where[::-1]] = True
    return rows, hidden


def drawn(policy, epoch, place):
    lengths = torch.tensor([FRAMES[place]])
    return draw(policy, lengths, MEL, make_keys(SEED, epoch, [IDS[place]])), lengths


@pytest.mark.parametrize("name", POLICIES)
def test_a_page_moves_and_hides_the_cells_that_training_would(name):
    policy = POLICIES[name]
    told = json.loads(json.dumps(drawings(lambda epoch: policy, SEED, EPOCHS, IDS, FRAMES, MEL)))
    for place, frames in enumerate(FRAMES):
        for epoch in range(EPOCHS):
            draws, lengths = drawn(policy, epoch, place)
            features = torch.randn(1, frames, MEL, generator=torch.Generator().manual_seed(epoch))
            kept = Draws(tuple(s for s in draws.steps if type(s).__name__ not in ("Warp", "Gains")))
            rows, hidden = replayed(features[0].numpy(), told[place][epoch])
            left = int(draws.shortened(lengths)[0])
            assert len(rows) == left
            np.testing.assert_array_equal(
                np.where(hidden, 0.0, rows), apply(features, lengths, kept)[0, :left].numpy()
            )
            assert hidden.mean() == pytest.approx(float(hidden_shares(draws, lengths, MEL)[0, 0]))


def test_the_numbers_of_a_mask_are_those_that_were_drawn():
    told = drawings(lambda epoch: POLICIES["LD"], SEED, EPOCHS, IDS, FRAMES, MEL)
    seen = 0
    for place in range(len(IDS)):
        for epoch in range(EPOCHS):
            draws, _ = drawn(POLICIES["LD"], epoch, place)
            steps = {step[0]: step[1:] for step in told[place][epoch]}
            for step in draws.steps:
                if isinstance(step, Masks):
                    pairs = zip(step.spans.start[0].tolist(), step.spans.width[0].tolist(), strict=True)
                    expected = [number for pair in pairs if pair[1] for number in pair]
                    assert steps.get(step.axis[0], []) == expected
                    seen += bool(expected)
                if isinstance(step, Warp) and int(step.shift[0]):
                    expected = [int(step.centre[0]), int(step.shift[0]), int(step.last[0]), 0]
                    assert steps["w"] == expected
                    seen += 1
    assert seen > 2 * len(IDS) * EPOCHS


def test_a_gain_is_told_channel_by_channel_in_hundredths():
    policy = Policy((FilterAugment(),))
    ((first, *_), *_) = drawings(lambda epoch: policy, SEED, 1, IDS[:1], FRAMES[:1], MEL)
    draws, _ = drawn(policy, 0, 0)
    assert first == [["g", *(100 * draws.steps[0].gain[0]).round().int().tolist()]]


def test_a_warp_says_whether_all_channels_move_alike():
    for kind, told in (("linear", 0), ("sparse", 1)):
        policy = Policy((TimeWarp(W=10, warp=kind),))
        steps = [
            step for epoch in drawings(lambda epoch, p=policy: p, 0, 9, ["a"], [80], MEL)[0] for step in epoch
        ]
        assert {step[4] for step in steps} == {told}


def test_the_policy_may_change_from_epoch_to_epoch():
    told = drawings(lambda epoch: LD if epoch == 1 else NONE, SEED, 3, IDS, FRAMES, 80)
    alone = drawings(lambda epoch: LD, SEED, 3, IDS, FRAMES, 80)
    assert [[bool(steps) for steps in one] for one in told] == [[False, True, False]] * len(IDS)
    assert [one[1] for one in told] == [one[1] for one in alone]


def test_patches_behind_the_end_of_a_shorter_utterance_are_none():
    policy = Policy((PatchMask(t=4, f=5, share=1.0),))
    for steps, frames in zip(drawings(lambda epoch: policy, 0, 1, IDS, FRAMES, MEL), FRAMES, strict=True):
        _, hidden = replayed(np.zeros((frames, MEL)), steps[0])
        assert hidden.sum() == frames // 4 * 4 * MEL
    assert isinstance(draw(policy, torch.tensor(FRAMES), MEL, make_keys(0, 0, IDS)).steps[0], Patches)


def test_of_no_utterances_nothing_is_drawn():
    assert drawings(lambda epoch: LD, SEED, 3, [], [], MEL) == []
