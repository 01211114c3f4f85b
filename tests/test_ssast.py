import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pretexts import batch, built, masks, noise, small
from torch import Tensor

from models.ast import AST, SIZES
from models.ssast import SSAST, info_nce


def info_nce_by_hand(vectors: list, cells: list, there: list) -> tuple[float, float]:
    """Utterance by utterance, patch by patch: -log softmax of the own patch, and whether the best is as it is."""
    surprises, found = [], []
    for cs, xs, known in zip(vectors, cells, there, strict=True):
        some = [i for i, is_there in enumerate(known) if is_there]
        for i in some:
            products = [sum(a * b for a, b in zip(cs[i], xs[j], strict=True)) for j in some]
            own = products[some.index(i)]
            surprises.append(math.log(sum(math.exp(product - own) for product in products)))
            found.append(xs[some[products.index(max(products))]] == xs[i])
    return sum(surprises) / len(surprises), sum(found) / len(found)


@given(
    there=st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=3),
    seed=st.integers(0, 1000),
)
def test_info_nce_is_the_surprise_at_the_own_patch_among_those_of_the_utterance(there, seed):
    there[0][0] = True
    vectors, cells = (noise(len(there), 4, 3, seed=seed + k) for k in range(2))
    contrast, found = info_nce(vectors, cells, torch.tensor(there))
    by_hand = info_nce_by_hand(vectors.tolist(), cells.tolist(), there)
    assert (contrast.item(), found.item()) == pytest.approx(by_hand, rel=1e-4, abs=1e-6)


def test_patches_of_equal_cells_are_found_with_each_other_and_a_vector_that_tells_nothing_finds_none():
    cells = torch.tensor([[[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]])
    there = torch.tensor([[True, True, True, False]])
    vectors = torch.tensor([[[0.0, 3.0], [0.0, 1.0], [0.0, 2.0], [0.0, 0.0]]])
    contrast, found = info_nce(vectors, cells, there)
    assert found.item() == pytest.approx(2 / 3)  # the second takes another for its own
    assert (contrast.item(), found.item()) == pytest.approx(
        info_nce_by_hand(vectors.tolist(), cells.tolist(), there.tolist()), rel=1e-5
    )
    _, found = info_nce(torch.zeros(1, 3, 2), torch.eye(3)[None, :, :2], torch.ones(1, 3, dtype=torch.bool))
    assert found.item() == pytest.approx(1 / 3)  # all products are equal, and the patches are not


def test_a_patch_that_is_alone_is_found_without_surprise():
    contrast, found = info_nce(noise(1, 1, 3), noise(1, 1, 3, seed=2), torch.tensor([[True]]))
    assert (contrast.item(), found.item()) == (0.0, 1.0)


def test_mixed_precision_does_not_blur_the_products():
    vectors, cells, there = noise(2, 5, 64), noise(2, 5, 64, seed=2), torch.ones(2, 5, dtype=torch.bool)
    with torch.autocast("cpu", torch.bfloat16):
        mixed, _ = info_nce(vectors, cells, there)
    assert torch.equal(mixed, info_nce(vectors, cells, there)[0])


def test_the_joint_loss_is_info_nce_and_ten_times_the_squared_error():
    network, given = built("ssast").eval(), batch()
    total, parts = network.loss(*given)
    assert total.item() == pytest.approx(
        parts["contrastive"].item() + 10 * parts["reconstruction"].item(), rel=1e-6
    )
    assert parts.keys() == {"contrastive", "reconstruction", "retrieval"}


@pytest.mark.parametrize(
    ("kind", "part"), [("generative", "reconstruction"), ("discriminative", "contrastive")]
)
def test_an_ablation_is_one_part_of_the_joint_objective_with_the_same_weights(kind, part):
    joint, half, given = built("ssast").eval(), built(kind).eval(), batch()
    half.load_state_dict({name: joint.state_dict()[name] for name in half.state_dict()})
    total, parts = half.loss(*given)
    together = joint.loss(*given)[1]
    assert torch.equal(total, together[part])
    assert all(torch.equal(value, together[name]) for name, value in parts.items())
    told = {"reconstruction"} if kind == "generative" else {"contrastive", "retrieval"}
    assert parts.keys() == told


def test_the_encoder_receives_one_vector_in_the_place_of_each_hidden_patch():
    network, (features, lengths, hidden) = built("ssast").eval(), batch()
    received: list[tuple[Tensor, ...]] = []
    network.encoder.body.register_forward_pre_hook(lambda _, given: received.append(given))
    network.loss(features, lengths, hidden)
    network.encoder(features, lengths)
    (masked, there, _), (every, _, _) = received
    expected = (network.unseen + network.encoder.positions.grid[:7]).flatten(0, 1).expand_as(masked)
    at = hidden.flatten(1)
    assert torch.equal(masked[at], expected[at])
    assert torch.equal(masked[~at], every[~at])
    assert there.sum(dim=1).tolist() == [14, 10, 6]


def test_the_discriminative_picture_is_made_of_hidden_patches_of_the_utterance():
    network, (features, lengths, hidden) = built("discriminative").eval(), batch()
    got = network.reconstruction(features, lengths, hidden)
    for utterance in range(3):
        true, shown = (
            {
                tuple(of[utterance, 4 * row : 4 * row + 4, 8 * column : 8 * column + 8].flatten().tolist())
                for row, column in hidden[utterance].nonzero().tolist()
            }
            for of in (features, got)
        )
        assert shown <= true


@pytest.mark.parametrize("weight", [0.0, -1.0, float("inf"), float("nan")])
def test_a_weight_that_leaves_a_part_out_is_refused(weight):
    with pytest.raises(ValueError, match=f"weight is {weight}; expected a number above 0"):
        SSAST(small(), weight)


@pytest.mark.parametrize(("t", "f"), [pytest.param(16, 16, id="patches"), pytest.param(2, 128, id="frames")])
@pytest.mark.parametrize(("size", "millions"), [("tiny", 6), ("small", 23), ("base", 89)])
def test_a_network_is_as_large_as_the_paper_says(size, millions, t, f):
    width, depth, heads = SIZES[size]
    with torch.device("meta"):
        network = SSAST(AST(128, width, depth, heads, t, f))
    assert sum(weight.numel() for weight in network.parameters()) / 1e6 == pytest.approx(millions, rel=0.08)


@pytest.mark.parametrize(("t", "f"), [pytest.param(16, 16, id="patches"), pytest.param(2, 128, id="frames")])
@pytest.mark.parametrize(
    "size", [pytest.param("tiny"), pytest.param("small"), pytest.param("base", marks=pytest.mark.slow)]
)
def test_two_steps_of_the_papers_networks_lower_the_loss(size, t, f):
    torch.manual_seed(0)
    width, depth, heads = SIZES[size]
    network = SSAST(AST(128, width, depth, heads, t, f))
    lengths = [96, 64]
    case = noise(2, 96, 128), torch.tensor(lengths), masks(lengths, 96, t, f, 128)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-6)
    losses = []
    for _ in range(3):
        optimiser.zero_grad()
        total, _ = network.loss(*case)
        total.backward()
        optimiser.step()
        losses.append(total.item())
    assert losses[2] < losses[0]
