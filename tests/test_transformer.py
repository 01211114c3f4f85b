import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pretexts import batch, built, noise, small
from torch import Tensor

from models.transformer import Block, Body


def test_a_block_is_the_encoder_layer_of_torch():
    block, hidden = Block(8, 2, 0.0).eval(), noise(2, 5, 8)
    there = torch.arange(5) < torch.tensor([[5], [3]])
    theirs = torch.nn.TransformerEncoderLayer(8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True)
    renamed = {"norm": "norm1", "inputs": "self_attn.in_proj_", "output": "self_attn.out_proj"}
    renamed |= {"feed_forward.0": "norm2", "feed_forward.1": "linear1", "feed_forward.4": "linear2"}
    weights = {}
    for name, weight in block.named_parameters():
        layer, _, kind = name.rpartition(".")
        weights[renamed[layer] + ("" if layer == "inputs" else ".") + kind] = weight
    theirs.load_state_dict(weights)
    assert (block(hidden, there[:, None, None, :]) - theirs(hidden, src_key_padding_mask=~there))[
        there
    ].abs().max() < 1e-5


@torch.no_grad()
def attended(block: Block, hidden: Tensor, there: list[int], rows: list[int], slope: float) -> list[Tensor]:
    """What each token of one utterance gets from attention, head by head and number by number."""
    width = hidden.shape[1]
    size = width // block.heads
    query, key, value = block.inputs(block.norm(hidden)).split(width, dim=1)
    told = []
    for asking, row in enumerate(rows):
        heads = []
        for head in range(block.heads):
            own = slice(head * size, (head + 1) * size)
            scores = [
                float(query[asking, own] @ key[other, own]) / math.sqrt(size)
                - slope / 4**head * abs(row - rows[other])
                for other in there
            ]
            weights = torch.tensor(scores).softmax(dim=0)
            heads.append(sum(w * value[other, own] for w, other in zip(weights, there, strict=True)))
        told.append(torch.cat(heads))
    return told


@given(
    slope=st.floats(0.01, 5.0),
    rows=st.lists(st.integers(0, 40), min_size=6, max_size=6),
    there=st.lists(st.booleans(), min_size=6, max_size=6).filter(any),
)
def test_attention_falls_by_the_slope_with_distance_and_less_in_each_further_head(slope, rows, there):
    torch.manual_seed(0)
    body, hidden = Body(12, 1, 3, slope=slope).eval().requires_grad_(False), noise(1, 6, 12)
    block, heard = body.blocks[0], []
    block.output.register_forward_pre_hook(lambda _, taken: heard.append(taken[0][0]))
    body(hidden, torch.tensor([there]), torch.tensor([rows], dtype=torch.float32))
    held = [place for place, is_there in enumerate(there) if is_there]
    expected = torch.stack(attended(block, hidden[0], held, rows, slope))
    assert (heard[0] - expected).abs().max() < 1e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_what_is_not_there_is_not_attended_to_in_any_precision(dtype):
    body, hidden = Body(8, 2, 2, slope=0.5).eval().to(dtype), noise(1, 5, 8).to(dtype)
    there, rows = torch.tensor([[True, True, False, True, False]]), torch.arange(5.0)[None]
    other = hidden.masked_fill(~there[..., None], 7.0)
    assert torch.equal(body(hidden, there, rows)[there], body(other, there, rows)[there])
    assert body(hidden, torch.zeros_like(there), rows).isfinite().all()


def test_a_spectrogram_of_several_columns_has_the_distance_of_its_rows():
    network, taken = small(slope=1.0), []
    network.body.register_forward_pre_hook(lambda _, given: taken.append(given[2]))
    network(noise(2, 12, 16), torch.tensor([12, 7]))
    assert taken[0].tolist() == 2 * [[0, 0, 1, 1, 2, 2]]


def test_patches_that_overlap_are_as_far_apart_as_their_beginnings():
    apart, overlapping = (small(slope=1.0, stride_t=stride).cut for stride in (4, 3))
    tokens = torch.zeros(1, 10)
    assert torch.equal(overlapping.places(tokens), apart.places(tokens) * 3 / 4)


@pytest.mark.parametrize("slope", [0.0, 0.7])
def test_an_encoder_of_the_visible_patches_knows_how_far_apart_they_are(slope):
    network, (features, lengths, hidden) = built("maskspec", slope=slope).eval(), batch()
    cut, received, made = network.encoder.cut, [], []
    network.encoder.body.register_forward_pre_hook(lambda _, given: received.append(given))
    network.encoder.body.register_forward_hook(lambda *given: made.append(given[2]))
    network.loss(features, lengths, hidden)
    network.encoder(features, lengths)
    (_, some, _), (tokens, there, places) = received
    visible = there & ~hidden.flatten(1) & cut.among(cut.rows(lengths), features.shape[1]).flatten(1)
    with_holes = network.encoder.body(tokens, visible, places)
    assert (made[0][some] - with_holes[visible]).abs().max() < 1e-5


@pytest.mark.parametrize("kind", ["maskspec", "ssast"])
def test_the_slope_reaches_every_transformer_of_an_objective(kind):
    bodies = [module for module in built(kind, slope=0.7).modules() if isinstance(module, Body)]
    assert len(bodies) == (2 if kind == "maskspec" else 1)
    assert all(body.slopes[0] == 0.7 for body in bodies)
