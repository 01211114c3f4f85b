import subprocess
import sys
from fractions import Fraction

import pytest
import torch
from counting import chi_square, ids, many
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.drawn import tensors
from specaug.augment.draws import draw
from specaug.augment.fills import Fills
from specaug.augment.keys import make_keys
from specaug.augment.masks import Masks, Spans
from specaug.augment.operations import OPERATIONS, FrequencyMask, SpliceOut, TimeMask, TimeWarp
from specaug.augment.policy import LB, LD, NONE, Policy, paper_policy

SMALL = paper_policy(W=2, F=4, m_F=2, T=4, m_T=2)
symbols = st.fixed_dictionaries(  # and no policies: to check a tuple is to draw from the random state
    {
        "W": st.integers(0, 12),
        "F": st.integers(0, 8),
        "m_F": st.integers(0, 3),
        "T": st.integers(0, 50),
        "p": st.sampled_from([0.0, 0.2, 0.29, 1.0]),
        "m_T": st.integers(0, 3),
        "p_S": st.sampled_from([None, 0.0, 0.3]),
        "p_M": st.sampled_from([None, 0.03]),
        "bounds": st.sampled_from(["closed", "paper", "lingvo"]),
    }
)
all_lengths = st.lists(st.integers(0, 60), min_size=1, max_size=5)
POLICY_OF_ALL = Policy(
    tuple(
        kind(**({"W": 9} if name == "TimeWarp" else {"F": 9} if name == "FrequencyMask" else {}))
        for name, kind in OPERATIONS.items()
    )
)


def drawn(policy: Policy, lengths: list[int], names: list[str], seed: int = 0, epoch: int = 0) -> list[list]:
    """For each utterance, operation after operation: centre and shift, or the starts and widths of the masks."""
    got = draw(policy, torch.tensor(lengths), 8, make_keys(seed, epoch, names))
    return [[told(step, place) for step in got.steps] for place in range(len(lengths))]


def told(step: object, place: int) -> tuple:
    if isinstance(step, Masks):
        return step.spans.start[place].tolist(), step.spans.width[place].tolist()
    return step.centre[place].item(), step.shift[place].item()


# Made when a policy was a warp, frequency masks and time masks, and nothing else: what LD drew for utterances of
# 1600, 400 and 90 frames and 80 channels, with the keys of seed 7, epoch 3, and a, b and c. Runs of that time can
# be made again as long as it holds.
LD_OF_OLD = [  # (centre, shift), (starts, widths) of channels, (starts, widths) of frames
    ((428, -44), ([0, 45], [14, 22]), ([1416, 466], [36, 39])),
    ((218, 16), ([33, 24], [13, 15]), ([123, 299], [46, 45])),
    ((45, -13), ([60, 14], [9, 12]), ([11, 12], [78, 66])),
]


def test_the_numbers_of_ld_are_those_of_old():
    got = draw(LD, torch.tensor([1600, 400, 90]), 80, make_keys(7, 3, ["a", "b", "c"]))
    rows = [tuple(told(step, place) for step in got.steps) for place in range(3)]
    assert rows == LD_OF_OLD


@pytest.mark.parametrize("pair", ["two channel masks", "two frame masks", "channels and frames", "warp"])
def test_one_draw_says_nothing_of_another(pair):
    warp, freq, time = many(*SMALL.operations, length=8).steps
    first, second = {
        "two channel masks": (freq.spans.width[:, 0], freq.spans.width[:, 1]),
        "two frame masks": (time.spans.width[:, 0], time.spans.width[:, 1]),
        "channels and frames": (freq.spans.width[:, 0], time.spans.width[:, 0]),
        "warp": (warp.shift + 2, freq.spans.width[:, 0]),
    }[pair]
    cells = [(a, b, Fraction(1, 25)) for a in range(5) for b in range(5)]
    assert chi_square(first, second, cells) < 51.18  # 99.9 %, 24 degrees of freedom


def test_no_channel_mask_shares_its_numbers_with_a_frame_mask():
    masks = 200
    policy = paper_policy(F=500, m_F=masks, T=500, m_T=masks)
    freq, time = draw(policy, torch.tensor([500]), 500, make_keys(0, 0, ["a"])).steps
    pairs = [
        set(zip(step.spans.start[0].tolist(), step.spans.width[0].tolist(), strict=True))
        for step in (freq, time)
    ]
    # Of 200 x 200 pairs, equal by chance with probability 1/501 * mean of 1/(501 - width) = 1/501 * 6.8/501
    assert len(pairs[0] & pairs[1]) < 10


@given(symbols=symbols, lengths=all_lengths, order=st.randoms(use_true_random=False))
def test_an_utterance_is_drawn_alone_as_it_is_in_any_batch(symbols, lengths, order):
    policy, names = paper_policy(**symbols), ids(len(lengths))
    alone = [drawn(policy, [n], [name])[0] for n, name in zip(lengths, names, strict=True)]
    turned = order.sample(range(len(lengths)), len(lengths))
    batch = drawn(policy, [lengths[i] for i in turned], [names[i] for i in turned])
    assert batch == [alone[i] for i in turned]


@pytest.mark.parametrize("p", [0.0, 0.05, 0.5])
def test_p_narrows_time_masks_and_leaves_frequency_masks_as_they_are(p):
    lengths, keys = torch.tensor([30, 7, 200]), make_keys(0, 0, ["a", "b", "c"])
    narrow, wide = (
        draw(Policy((FrequencyMask(F=27, m_F=4), TimeMask(T=100, p=share))), lengths, 40, keys).steps
        for share in (p, 1.0)
    )
    assert torch.equal(narrow[0].spans.start, wide[0].spans.start)  # torchaudio's p narrows both
    assert torch.equal(narrow[0].spans.width, wide[0].spans.width)
    assert wide[0].spans.width.max() > 20


def test_two_policies_with_one_seed_share_their_numbers():
    lengths, names = [40, 60], ids(2)
    one, two = (drawn(policy.replaced(F=8), lengths, names) for policy in (LB, LD))
    for (warp, *single), (other, *double) in zip(one, two, strict=True):
        assert warp == other
        assert single == [tuple(part[:1] for part in masks) for masks in double]
        assert all(len(part) == 2 for masks in double for part in masks)


@pytest.mark.parametrize("kind", [FrequencyMask, TimeMask])
def test_an_operation_listed_twice_goes_on_where_its_first_stopped(kind):
    size, count = ("F", "m_F") if kind is FrequencyMask else ("T", "m_T")
    twice = Policy((kind(**{size: 5, count: 1}), TimeWarp(W=3), kind(**{size: 5, count: 2})))
    once = Policy((kind(**{size: 5, count: 3}),))
    for (first, _, second), (all_three,) in zip(
        drawn(twice, [50, 9], ids(2)), drawn(once, [50, 9], ids(2)), strict=True
    ):
        assert tuple(a + b for a, b in zip(first, second, strict=True)) == all_three


def test_what_follows_a_cut_is_drawn_for_what_it_has_left():
    policy = Policy((SpliceOut(N=3, T=30), TimeMask(T=100, m_T=4), TimeMask(T=None, p_S=0.5, m_T=3)))
    lengths = torch.tensor([160, 145, 131])
    draws = draw(policy, lengths, 8, make_keys(0, 0, ids(3)))
    cuts, masks, adaptive = draws.steps
    left = cuts.shortened(lengths)
    assert (left < lengths).all()
    assert torch.equal(draws.shortened(lengths), left)
    assert (masks.spans.start + masks.spans.width <= left[:, None]).all()
    assert (adaptive.spans.width <= left[:, None] // 2).all()
    assert (masks.spans.width > 30).any()


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"seed": 1}, id="seed"),
        pytest.param({"seed": 2**32}, id="upper half of the seed"),
        pytest.param({"seed": -1}, id="negative seed"),
        pytest.param({"epoch": 1}, id="epoch"),
        pytest.param({"names": ["b"]}, id="utterance"),
    ],
)
def test_another_key_gives_other_draws(changed):
    policy = paper_policy(W=9, F=8, m_F=3, T=60, m_T=3)
    call = {"seed": 0, "epoch": 0, "names": ["a"]}
    one, same, other = (drawn(policy, [60], **c)[0] for c in (call, dict(call), {**call, **changed}))
    assert one == same
    assert all(mine != theirs for mine, theirs in zip(one, other, strict=True))


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32])
def test_lengths_and_keys_may_be_whole_numbers_of_any_size(dtype):
    lengths, keys = torch.tensor([60, 9]), make_keys(0, 0, ids(2)) & 0x7FFF  # what 16 bits hold
    small = draw(SMALL, lengths.to(dtype), 8, keys.to(dtype))
    assert str(small) == str(draw(SMALL, lengths, 8, keys))


def test_nothing_is_drawn_from_a_policy_that_does_nothing():
    idle = Policy((TimeWarp(W=0), FrequencyMask(F=0), TimeMask(m_T=0)))
    for policy in (NONE, idle):
        assert draw(policy, torch.tensor([5]), 8, make_keys(0, 0, ["a"])).steps == ()


def test_no_utterances_draw_nothing():
    _, _, time = draw(LD, torch.zeros(0, dtype=torch.int64), 80, make_keys(0, 0, [])).steps
    assert time.spans.start.shape == (0, 2)


def test_draws_on_a_device_lie_there():
    draws = draw(SMALL, torch.tensor([9]), 8, make_keys(0, 0, ["a"])).to(torch.device("meta"))
    warp, freq, time = draws.steps
    tensors = [warp.centre, warp.shift, warp.last, freq.spans.start, time.spans.width, time.fills.keys]
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_masks_know_their_axis_and_their_fill():
    keys = make_keys(0, 0, ["a"])
    policy = Policy((FrequencyMask(F=1, fill="mean"), TimeMask(T=1, fill=-3.5)))
    freq, time = draw(policy, torch.tensor([9]), 8, keys).steps
    assert [(step.axis, step.fills.fill) for step in (freq, time)] == [("freq", "mean"), ("time", -3.5)]
    assert isinstance(time.spans, Spans)
    assert isinstance(time.fills, Fills)
    assert torch.equal(time.fills.keys, keys)


def test_masks_wider_than_the_features_are_refused():
    keys = make_keys(0, 0, ["a"])
    with pytest.raises(
        ValueError, match=r"FrequencyMask .*'F': 9.* needs 9 mel channels; the features have 8"
    ):
        draw(Policy((FrequencyMask(F=9),)), torch.tensor([5]), 8, keys)
    draw(Policy((FrequencyMask(F=8), FrequencyMask(F=9, m_F=0))), torch.tensor([5]), 8, keys)


def test_lengths_that_no_utterances_have_are_refused(root):
    # In a process of its own, where the annotations are not checked before the values are
    program = """
import torch
from specaug import LD, draw, make_keys
for wrong in (torch.tensor([9, -5]), torch.tensor([9.7, 5.0]), torch.tensor([[9], [5]])):
    try:
        draw(LD, wrong, 80, make_keys(0, 0, "ab"))
    except ValueError as error:
        print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=root, check=True, capture_output=True, text=True
    )
    expected = "expected whole numbers of shape (2,), one per utterance"
    assert run.stdout.splitlines() == [
        "lengths are [9, -5]; expected 0 frames or more",
        f"lengths are torch.float32 of shape (2,); {expected}",
        f"lengths are torch.int64 of shape (2, 1); {expected}",
    ]


def test_what_is_no_policy_no_tensor_and_no_number_is_refused_by_its_name(root):
    # In a process of its own, where the annotations are not checked before the values are
    program = """
import torch
from specaug import LD, draw, make_keys
n, keys = torch.tensor([5]), make_keys(0, 0, ["a"])
for wrong in (("LD", n, 80, keys), (LD, [5], 80, keys), (LD, n, 80.5, keys), (LD, n, 80, keys.tolist())):
    try:
        draw(*wrong)
    except TypeError as error:
        print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=root, check=True, capture_output=True, text=True
    )
    policy, lengths, mel, keys = run.stdout.splitlines()
    assert policy == "policy: 'LD' is a str; expected a Policy, such as specaug.LD"
    assert lengths == "lengths: [5] is a list; expected a torch.Tensor (see torch.as_tensor)"
    assert mel == "mel is 80.5; expected a whole number"
    assert keys.endswith("is a list; expected a torch.Tensor (see torch.as_tensor)")


@pytest.mark.parametrize("column", range(5))
@pytest.mark.parametrize("past", [-(2**32), 2**32, 2**62])
def test_of_a_key_32_bits_of_each_number_count(column, past):
    lengths, keys = torch.tensor([400, 400]), make_keys(0, 0, "ab")
    other = keys.clone()
    other[:, column] += past
    both = [draw(POLICY_OF_ALL, lengths, 80, each) for each in (keys, other)]
    one, two = ([drawn for step in draws.steps for drawn in tensors(step)] for draws in both)
    assert all(map(torch.equal, one, two))


def test_keys_and_lengths_on_two_devices_are_refused():
    with pytest.raises(ValueError, match="lengths are on cpu and keys on meta; expected one device"):
        draw(LD, torch.tensor([5]), 80, make_keys(0, 0, ["a"]).to("meta"))


def test_keys_of_another_shape_or_type_are_refused(root):
    # In a process of its own, where the annotations are not checked before the values are
    program = """
import torch
from specaug import LD, draw, make_keys
keys = make_keys(0, 0, ["a"])
for wrong in (keys[:, :4], keys[0], keys[:0], keys.double()):
    try:
        draw(LD, torch.tensor([5]), 80, wrong)
    except ValueError as error:
        print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=root, check=True, capture_output=True, text=True
    )
    got = ["int64 of shape (1, 4)", "int64 of shape (5,)", "int64 of shape (0, 5)", "float64 of shape (1, 5)"]
    expected = "; expected whole numbers of shape (1, 5), from make_keys"
    assert run.stdout.splitlines() == [f"keys are torch.{kind}{expected}" for kind in got]


@pytest.mark.gpu
@pytest.mark.parametrize("policy", [LD, POLICY_OF_ALL], ids=["LD", "every operation"])
def test_draws_on_a_gpu_are_those_of_the_host(policy):
    lengths, keys = torch.tensor([400, 31, 3, 0]), make_keys(5, 1, ids(4))
    host, device = draw(policy, lengths, 80, keys), draw(policy, lengths.cuda(), 80, keys.cuda())
    for one, other in zip(host.steps, device.steps, strict=True):
        assert str(one) == str(other.to(torch.device("cpu")))
