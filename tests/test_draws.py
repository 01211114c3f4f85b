import os
import subprocess
import sys
from dataclasses import astuple, replace
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.draws import draw, id_words, make_keys
from specaug.augment.policy import LB, LD, Policy

policies = st.builds(
    Policy,
    warp=st.integers(0, 12),
    freq_width=st.integers(0, 8),
    freq_masks=st.integers(0, 3),
    time_width=st.integers(0, 50),
    time_fraction=st.sampled_from([0.0, 0.2, 0.29, 1.0]),
    time_masks=st.integers(0, 3),
)
all_lengths = st.lists(st.integers(0, 60), min_size=1, max_size=5)


def ids(count: int) -> list[str]:
    return [f"utterance {number}" for number in range(count)]


def drawn(policy: Policy, lengths: list[int], names: list[str], seed: int = 0, epoch: int = 0) -> list[tuple]:
    """For each utterance: centre, shift, and the starts and widths of its masks."""
    got = draw(policy, torch.tensor(lengths), 8, make_keys(seed, epoch, names))
    parts = (got.centre, got.shift, got.freq.start, got.freq.width, got.time.start, got.time.width)
    return list(zip(*(part.tolist() for part in parts), strict=True))


def chi_square(first: torch.Tensor, second: torch.Tensor, cells: list[tuple[int, int, Fraction]]) -> float:
    """How far the counts of pairs lie from what their probabilities say; every pair is one of `cells`."""
    pairs = list(zip(first.flatten().tolist(), second.flatten().tolist(), strict=True))
    expected = {(a, b): float(p) * len(pairs) for a, b, p in cells}
    assert sum(p for _, _, p in cells) == 1
    assert set(pairs) <= expected.keys()
    return sum((pairs.count(pair) - mean) ** 2 / mean for pair, mean in expected.items())


def places(widest: int, size: int) -> list[tuple[int, int, Fraction]]:
    """Each (width, start) that fits, with its probability: width ~ U{0..widest}, start ~ U{0..size - width}."""
    return [
        (width, start, Fraction(1, widest + 1) * Fraction(1, size - width + 1))
        for width in range(widest + 1)
        for start in range(size - width + 1)
    ]


def many(policy: Policy, length: int, mel: int = 8, count: int = 20_000):
    return draw(policy, torch.full((count,), length), mel, make_keys(0, 0, ids(count)))


def test_every_width_up_to_the_widest_is_equally_likely():
    width = many(Policy(freq_width=27, freq_masks=1), 10, mel=80, count=28_000).freq.width
    cells = [(f, 0, Fraction(1, 28)) for f in range(28)]
    assert chi_square(width, torch.zeros_like(width), cells) < 55.48  # 99.9 %, 27 degrees of freedom


def test_a_channel_mask_has_any_width_and_lies_wherever_it_fits():
    freq = many(Policy(freq_width=3, freq_masks=1), 10, mel=6).freq
    assert chi_square(freq.width, freq.start, places(3, 6)) < 46.80  # 99.9 %, 21 degrees of freedom


def test_a_frame_mask_has_any_width_and_lies_wherever_it_fits():
    time = many(Policy(time_width=3, time_masks=1), 6).time
    assert chi_square(time.width, time.start, places(3, 6)) < 46.80  # 99.9 %, 21 degrees of freedom


def test_a_frame_mask_is_no_wider_than_the_share_p_of_its_utterance():
    time = many(Policy(time_width=50, time_fraction=0.29, time_masks=1), 11).time  # floor(3.19) = 3
    assert chi_square(time.width, time.start, places(3, 11)) < 74.75  # 99.9 %, 41 degrees of freedom


def test_a_frame_mask_may_hide_all_of_a_short_utterance():
    time = many(Policy(time_width=50, time_masks=1), 5).time
    assert chi_square(time.width, time.start, places(5, 5)) < 45.31  # 99.9 %, 20 degrees of freedom


def test_the_warp_moves_any_frame_away_from_the_ends_by_any_shift_either_way():
    got = many(Policy(warp=2), 12)
    cells = [(c, w, Fraction(1, 30)) for c in range(3, 9) for w in range(-2, 3)]  # 2 < c < 12 - 1 - 2
    assert chi_square(got.centre, got.shift, cells) < 58.30  # 99.9 %, 29 degrees of freedom


@pytest.mark.parametrize("pair", ["two channel masks", "two frame masks", "channels and frames", "warp"])
def test_one_draw_says_nothing_of_another(pair):
    policy = Policy(warp=2, freq_width=4, freq_masks=2, time_width=4, time_masks=2)
    got = many(policy, 8)
    first, second = {
        "two channel masks": (got.freq.width[:, 0], got.freq.width[:, 1]),
        "two frame masks": (got.time.width[:, 0], got.time.width[:, 1]),
        "channels and frames": (got.freq.width[:, 0], got.time.width[:, 0]),
        "warp": (got.shift + 2, got.freq.width[:, 0]),
    }[pair]
    cells = [(a, b, Fraction(1, 25)) for a in range(5) for b in range(5)]
    assert chi_square(first, second, cells) < 51.18  # 99.9 %, 24 degrees of freedom


def test_no_channel_mask_shares_its_numbers_with_a_frame_mask():
    masks = 200
    policy = Policy(freq_width=500, freq_masks=masks, time_width=500, time_masks=masks)
    got = draw(policy, torch.tensor([500]), 500, make_keys(0, 0, ["a"]))
    pairs = [
        set(zip(*(row[0].tolist() for row in astuple(spans)), strict=True)) for spans in (got.freq, got.time)
    ]
    # Of 200 x 200 pairs, equal by chance with probability 1/501 * mean of 1/(501 - width) = 1/501 * 6.8/501
    assert len(pairs[0] & pairs[1]) < 10


@given(policy=policies, lengths=all_lengths, seed=st.integers(0, 2**64 - 1))
def test_every_mask_lies_inside_its_utterance_and_is_no_wider_than_its_policy(policy, lengths, seed):
    for length, (_, _, f0, f, t0, t) in zip(
        lengths, drawn(policy, lengths, ids(len(lengths)), seed), strict=True
    ):
        widest = min(policy.time_width, int(Fraction(str(policy.time_fraction)) * length))
        assert len(f0) == len(f) == policy.freq_masks
        assert len(t0) == len(t) == policy.time_masks
        assert all(0 <= w <= policy.freq_width and 0 <= s <= 8 - w for s, w in zip(f0, f, strict=True))
        assert all(0 <= w <= widest and 0 <= s <= length - w for s, w in zip(t0, t, strict=True))


@pytest.mark.parametrize("length", range(16))
def test_a_short_utterance_is_warped_by_as_much_as_leaves_it_a_frame_to_move(length):
    W = max((W for W in range(5) if any(W < c < length - 1 - W for c in range(length))), default=0)
    got = many(Policy(warp=4), length, count=2000)
    assert set(got.shift.tolist()) == set(range(-W, W + 1))
    if length >= 3:
        assert set(got.centre.tolist()) == {c for c in range(length) if W < c < length - 1 - W}


@given(policy=policies, lengths=all_lengths, order=st.randoms(use_true_random=False))
def test_an_utterance_is_drawn_alone_as_it_is_in_any_batch(policy, lengths, order):
    names = ids(len(lengths))
    alone = [drawn(policy, [n], [name])[0] for n, name in zip(lengths, names, strict=True)]
    turned = order.sample(range(len(lengths)), len(lengths))
    batch = drawn(policy, [lengths[i] for i in turned], [names[i] for i in turned])
    assert batch == [alone[i] for i in turned]


def test_two_policies_with_one_seed_share_their_numbers():
    lengths, names = [40, 60], ids(2)
    policies = [replace(policy, freq_width=8) for policy in (LB, LD)]
    one, two = (drawn(policy, lengths, names) for policy in policies)
    for (centre, shift, *single), (other_centre, other_shift, *double) in zip(one, two, strict=True):
        assert (centre, shift) == (other_centre, other_shift)
        assert single == [masks[:1] for masks in double]
        assert all(len(masks) == 2 for masks in double)


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
    policy = Policy(warp=9, freq_width=8, freq_masks=3, time_width=60, time_masks=3)
    call = {"seed": 0, "epoch": 0, "names": ["a"]}
    one, same, other = (drawn(policy, [60], **c)[0] for c in (call, dict(call), {**call, **changed}))
    assert one == same
    assert all(mine != theirs for mine, theirs in zip(one[2:], other[2:], strict=True))
    assert one[:2] != other[:2]


@pytest.mark.parametrize("column", range(5))
def test_every_word_of_a_key_matters(column):
    policy = Policy(time_width=1000, time_masks=4)
    keys = make_keys(0, 0, ["a"])
    changed = keys.clone()
    changed[0, column] ^= 1
    one, other = (draw(policy, torch.tensor([1000]), 8, k).time.width for k in (keys, changed))
    assert not torch.equal(one, other)


def test_the_words_of_an_id_are_its_sha_256():
    # FIPS 180-2, appendix B.1: SHA-256 of "abc" begins ba7816bf 8f01cfea; read with the low byte first
    assert id_words("abc") == [0xBF1678BA, 0xEACF018F]


def test_a_key_is_two_words_of_seed_the_epoch_and_two_words_of_the_id():
    keys = make_keys(0x1_2345_6789, 7, ["abc", "abc"])
    assert keys.tolist() == [[0x2345_6789, 1, 7, 0xBF1678BA, 0xEACF018F]] * 2


def test_no_utterances_have_no_keys():
    keys = make_keys(0, 0, [])
    assert keys.shape == (0, 5)
    assert draw(LD, torch.zeros(0, dtype=torch.int64), 80, keys).time.start.shape == (0, 2)


def test_keys_do_not_depend_on_the_hash_seed_of_python(root):
    program = "from specaug import make_keys; print(make_keys(1, 2, ['a', 'b']).tolist(), hash('a'))"
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=root,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    one, two = (run.communicate()[0].rsplit(" ", 1) for run in runs)
    assert one[0] == two[0] == str(make_keys(1, 2, ["a", "b"]).tolist())
    assert one[1] != two[1]  # the two did have different hashes


def test_masks_wider_than_the_features_are_refused():
    keys = make_keys(0, 0, ["a"])
    with pytest.raises(ValueError, match=r"F \(freq_width\) is 9; expected at most the 8 mel channels"):
        draw(Policy(freq_width=9, freq_masks=1), torch.tensor([5]), 8, keys)
    draw(Policy(freq_width=8, freq_masks=1), torch.tensor([5]), 8, keys)
