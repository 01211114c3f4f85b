import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.apply import apply
from specaug.augment.draws import draw
from specaug.augment.keys import make_keys
from specaug.augment.operations import FrequencyMask, SpliceOut, TimeMask, TimeWarp
from specaug.augment.policy import LB, LD, NONE, SM, Policy, paper_policy
from specaug.augment.transform import SpecAugment

SMALL = paper_policy(W=5, F=4, m_F=2, T=9, p=0.5, m_T=2)
LENGTHS = torch.tensor([40, 31, 3, 0])


def noise(batch: int = 4, time: int = 40, mel: int = 80) -> torch.Tensor:
    """No zeros, the same each time."""
    return torch.rand(batch, time, mel, generator=torch.Generator().manual_seed(0)) + 0.5


def test_training_is_a_draw_and_its_application():
    features, keys = noise(), make_keys(3, 1, "abcd")
    got = SpecAugment(SMALL)(features, LENGTHS, keys)
    assert torch.equal(got, apply(features, LENGTHS, draw(SMALL, LENGTHS, 80, keys)))
    assert not torch.equal(got, features)


def test_evaluation_is_the_identity_and_counts_no_call():
    augment = SpecAugment(LD, seed=0)
    augment.eval()
    assert torch.equal(augment(noise(), LENGTHS), noise())
    augment.train()
    assert torch.equal(augment(noise(), LENGTHS), SpecAugment(LD, seed=0)(noise(), LENGTHS))


def test_the_input_is_never_modified():
    features, lengths = noise(), LENGTHS.clone()
    SpecAugment(LD)(features, lengths).fill_(7.0)
    assert torch.equal(features, noise())
    assert torch.equal(lengths, LENGTHS)


def test_nothing_past_the_length_of_an_utterance_changes():
    padding = torch.arange(40) >= LENGTHS[:, None]
    augment = SpecAugment(LD)
    for _ in range(20):
        assert torch.equal(augment(noise(), LENGTHS)[padding], noise()[padding])


def test_without_lengths_every_frame_is_speech():
    got = SpecAugment(LD, seed=1)(noise())
    assert torch.equal(got, SpecAugment(LD, seed=1)(noise(), torch.full((4,), 40)))
    assert not torch.equal(got, noise())


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(NONE, id="None"),
        pytest.param(Policy((FrequencyMask(F=27, m_F=0), TimeMask(T=100, m_T=0))), id="no masks"),
        pytest.param(Policy((TimeWarp(W=0), FrequencyMask(F=0, m_F=2), TimeMask(T=0, m_T=2))), id="width 0"),
        pytest.param(Policy((TimeMask(T=100, p=0.0),)), id="no share"),
    ],
)
def test_a_count_or_width_of_0_is_the_identity(policy):
    augment = SpecAugment(policy)
    assert all(torch.equal(augment(noise(), LENGTHS), noise()) for _ in range(20))


@pytest.mark.parametrize(
    "change",
    [
        {"W": 2},
        {"F": 3},
        {"m_F": 1},
        {"T": 5},
        {"p": 0.1},
        {"m_T": 1},
        {"p_S": 0.1},
        {"p_M": 0.03},
        {"warp": "sparse"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_parameter_of_a_policy_matters(change):
    one, other = SpecAugment(SMALL), SpecAugment(SMALL.replaced(**change))
    assert not all(torch.equal(one(noise()), other(noise())) for _ in range(5))


@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=5),
    order=st.randoms(use_true_random=False),
    epoch=st.integers(0, 9),
)
def test_an_utterance_alone_comes_out_as_it_does_in_any_batch(lengths, order, epoch):
    features, augment = noise(len(lengths)), SpecAugment(SMALL)
    turned = order.sample(range(len(lengths)), len(lengths))
    keys = make_keys(0, epoch, [f"utterance {i}" for i in turned])
    batch = augment(features[turned], torch.tensor([lengths[i] for i in turned]), keys)
    for place, i in enumerate(turned):
        n = lengths[i]
        alone = augment(features[i : i + 1, :n], torch.tensor([n]), make_keys(0, epoch, [f"utterance {i}"]))
        assert torch.equal(batch[place, :n], alone[0])


@pytest.mark.parametrize("batch", [1, 2, 17, 64])
def test_an_utterance_comes_out_alike_in_batches_of_any_size(batch):
    lengths = [(17 * place + 40) % 41 for place in range(batch)]
    features, augment = noise(batch), SpecAugment(SMALL)
    keys = make_keys(0, 0, [f"utterance {place}" for place in range(batch)])
    together = augment(features, torch.tensor(lengths), keys)
    for place, n in enumerate(lengths):
        alone = augment(features[place : place + 1, :n], torch.tensor([n]), keys[place : place + 1])
        assert torch.equal(together[place, :n], alone[0])


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_the_shortest_utterances_are_masked_and_not_warped(length):
    augment = SpecAugment(LD)
    for _ in range(50):
        got = augment(noise(1, length), torch.tensor([length]))
        assert ((got == 0) | (got == noise(1, length))).all()


def test_a_batch_of_no_utterances_is_a_batch_of_none():
    assert SpecAugment(LD)(noise()[:0], LENGTHS[:0]).shape == (0, 40, 80)


def test_two_modules_with_one_seed_give_one_sequence_of_masks():
    one, other = SpecAugment(LD, seed=0), SpecAugment(LD, seed=0)
    sequence = [one(noise(), LENGTHS) for _ in range(4)]
    assert all(torch.equal(other(noise(), LENGTHS), got) for got in sequence)
    assert not any(torch.equal(sequence[i], sequence[j]) for i in range(4) for j in range(i))


def test_another_seed_gives_another_sequence():
    assert not torch.equal(SpecAugment(LD, seed=0)(noise()), SpecAugment(LD, seed=1)(noise()))


def test_each_utterance_of_a_call_has_masks_of_its_own():
    got = SpecAugment(LD)(noise(1).expand(4, -1, -1))
    assert not any(torch.equal(got[i], got[j]) for i in range(4) for j in range(i))


def test_keys_alone_decide_where_they_are_given():
    keys = make_keys(5, 2, "abcd")
    one, other = SpecAugment(LD, seed=0), SpecAugment(LD, seed=1)
    first = one(noise(), LENGTHS, keys)
    assert torch.equal(one(noise(), LENGTHS, keys), first)
    assert torch.equal(other(noise(), LENGTHS, keys), first)
    assert torch.equal(one(noise(), LENGTHS), SpecAugment(LD, seed=0)(noise(), LENGTHS))


def test_what_one_mask_hides_two_masks_of_the_same_seed_hide_too():
    single, double = (
        SpecAugment(policy.replaced(W=0), seed=4)(noise(8, 300), torch.full((8,), 300)) == 0
        for policy in (LB, LD)
    )
    assert (double | ~single).all()
    assert double.sum() > single.sum() > 0


def test_the_global_random_state_is_neither_read_nor_moved():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = SpecAugment(LD)(noise(), LENGTHS)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(SpecAugment(LD)(noise(), LENGTHS), one)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_features_keep_their_type(dtype):
    got = SpecAugment(LD)(noise().to(dtype), LENGTHS)
    assert got.dtype == dtype
    assert (got == 0).any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_half_types_hide_the_frames_that_float32_hides_where_they_cannot_count_them(dtype):
    features, keys, augment = noise(8, 1600), make_keys(0, 0, "abcdefgh"), SpecAugment(LD)
    exact, hidden = (augment(x, None, keys) == 0 for x in (features, features.to(dtype)))
    frames = exact.all(dim=2)
    assert frames[:, 1024:].any()
    assert frames[:, :1024].any()
    assert torch.equal(hidden, exact)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16])
def test_lengths_may_be_whole_numbers_of_any_size(dtype):
    assert torch.equal(SpecAugment(LD)(noise(), LENGTHS.to(dtype)), SpecAugment(LD)(noise(), LENGTHS))


def test_features_narrower_than_a_mask_are_refused():
    with pytest.raises(ValueError, match=r"FrequencyMask .*needs 27 mel channels; the features have 26"):
        SpecAugment(LD)(noise(mel=26))


def test_the_output_is_written_where_it_is_asked_to_be():
    out = torch.full_like(noise(), 9.0)
    assert SpecAugment(LD)(noise(), LENGTHS, out=out) is out
    assert torch.equal(out, SpecAugment(LD)(noise(), LENGTHS))


def test_an_output_that_autograd_knows_nothing_of_is_written_all_the_same():
    with torch.inference_mode():
        out = torch.empty_like(noise())
        assert torch.equal(SpecAugment(LD)(noise(), LENGTHS, out=out), SpecAugment(LD)(noise(), LENGTHS))


def test_the_output_of_evaluation_is_written_where_it_is_asked_to_be():
    out, augment = torch.full_like(noise(), 9.0), SpecAugment(LD).eval()
    assert augment(noise(), LENGTHS, out=out) is out
    assert torch.equal(out, noise())
    with pytest.raises(ValueError, match=r"out is \(4, 40, 80\) torch.float64 on cpu; expected"):
        augment(noise(), LENGTHS, out=out.double())


def test_what_shortens_utterances_is_asked_for_with_their_lengths():
    augment, keys = SpecAugment(Policy((SpliceOut(N=2, T=9),))), make_keys(0, 0, "abcd")
    with pytest.raises(ValueError, match=r"SpliceOut shortens utterances; call shortening"):
        augment(noise(), LENGTHS)
    features, lengths = augment.shortening(noise(), LENGTHS, keys)
    draws = draw(augment.policy, LENGTHS, 80, keys)
    assert torch.equal(features, apply(noise(), LENGTHS, draws))
    assert lengths.tolist() == draws.shortened(LENGTHS).tolist() != LENGTHS.tolist()


def test_cuts_that_cut_nothing_need_no_lengths():
    assert torch.equal(SpecAugment(Policy((SpliceOut(N=0),)))(noise(), LENGTHS), noise())


def test_an_unknown_engine_is_refused_when_the_module_is_made():
    with pytest.raises(ValueError, match="engine is 'fast'; expected one of plain, numba, triton"):
        SpecAugment(LD, engine="fast")


def test_anything_but_a_policy_is_refused_when_the_module_is_made(root):
    # In a process of its own, where the annotations are not checked before the values are
    program = (
        "from specaug import SpecAugment\ntry: SpecAugment('LD')\nexcept ValueError as error: print(error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=root, check=True, capture_output=True, text=True
    )
    assert run.stdout == "policy is 'LD'; expected a Policy, such as specaug.LD\n"


NO_TENSORS = """
import numpy as np, torch
from specaug import LD, SpecAugment, make_keys
x, augment = torch.ones(2, 9, 80), SpecAugment(LD)
for given in (
    lambda: augment(x.numpy()),
    lambda: augment(None),
    lambda: augment(x, [9, 5]),
    lambda: augment(x, keys=(1, 2)),
    lambda: augment(x, out=x.tolist()),
    lambda: augment.eval()(x, [9, 5]),
    lambda: SpecAugment(LD, seed="a"),
    lambda: SpecAugment(LD, seed=1.0),
):
    try: given()
    except TypeError as error: print(error)
print(SpecAugment(LD, seed=np.int64(3)).seed)
"""


def test_what_is_no_tensor_and_no_seed_is_refused_by_its_name(root):
    # In a process of its own, where the annotations are not checked before the values are
    run = subprocess.run(
        [sys.executable, "-c", NO_TENSORS], cwd=root, check=True, capture_output=True, text=True
    )
    wanted = "; expected a torch.Tensor (see torch.as_tensor)"
    features, *said = run.stdout.splitlines()
    assert features.startswith("features: array([[[1., 1., ")
    assert features.endswith(f"is a ndarray{wanted}")
    assert said == [
        f"features: None is a NoneType{wanted}",
        f"lengths: [9, 5] is a list{wanted}",
        f"keys: (1, 2) is a tuple{wanted}",
        f"out: [[[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1. is a list{wanted}",
        f"lengths: [9, 5] is a list{wanted}",
        "seed is 'a'; expected a whole number",
        "seed is 1.0; expected a whole number",
        "3",
    ]


def test_the_help_of_the_call_is_about_masks():
    told = SpecAugment.forward.__doc__
    assert all(f"{name}: " in told for name in ("features", "lengths", "keys", "output"))
    assert "`out`" in told


def test_the_module_prints_the_policy_in_force():
    assert repr(SpecAugment(SM, seed=3)) == "SpecAugment(W=40 F=15 m_F=2 T=70 p=0.2 m_T=2, seed=3)"


def test_the_module_prints_an_engine_that_was_asked_for():
    assert repr(SpecAugment(engine="plain")) == "SpecAugment(nothing, seed=0, engine='plain')"


def test_the_module_adds_nothing_to_a_checkpoint():
    assert SpecAugment(LD).state_dict() == {}
