from collections.abc import Callable
from math import ceil

import pytest
import test_models
import torch
import torch.nn.functional as F
from torch import Tensor

from models.ast import AST, ASTCTC, SIZES, Positions, between, fitted
from specaug.augment.patch_grid import PatchGrid, patchify

MEL = 16
GRIDS = [
    pytest.param({"t": 4, "f": 8}, id="patches"),
    pytest.param({"t": 2, "f": MEL}, id="frames"),
    pytest.param({"t": 4, "f": 8, "stride_t": 3, "stride_f": 3}, id="overlap"),
]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def small(**arguments: float) -> AST:
    return AST(**{"mel": MEL, "width": 8, "depth": 2, "heads": 2, "t": 4, "f": 8, "frames": 40, **arguments})


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "law",
    [
        test_models.test_an_utterance_comes_out_of_a_batch_as_it_would_alone,
        test_models.test_every_output_is_a_distribution_over_the_labels,
        test_models.test_an_utterance_without_frames_says_nothing_and_leaves_the_others_alone,
        test_models.test_a_network_has_between_1_and_3_million_parameters_as_its_docstring_says,
        test_models.test_the_gradient_reaches_every_parameter,
        test_models.test_the_loss_of_a_batch_is_made_of_those_of_its_utterances_alone,
        test_models.test_an_utterance_is_transcribed_in_a_batch_as_it_would_be_alone,
        test_models.test_dropout_acts_in_training_and_not_in_evaluation,
        test_models.test_two_short_utterances_are_learned_to_the_letter,
    ],
    ids=lambda law: law.__name__,
)
def test_it_owes_what_every_ctc_network_owes(law: Callable[[type], None]):
    law(ASTCTC)


@pytest.mark.parametrize("padding", [float("nan"), float("-inf"), 1e30])
def test_what_the_padding_holds_matters_to_nothing(padding):
    test_models.test_what_the_padding_holds_matters_neither_to_the_loss_nor_to_its_gradient(ASTCTC, padding)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_it_computes_in_the_type_of_its_weights(dtype):
    test_models.test_a_network_computes_in_the_type_of_its_weights(ASTCTC, dtype)


@pytest.mark.parametrize("grid", GRIDS)
def test_frames_out_is_the_length_of_the_output(grid):
    network = ASTCTC(mel=MEL, vocab=5, width=4, depth=1, heads=1, **grid).eval()
    t, stride = grid["t"], grid.get("stride_t", grid["t"])
    for frames in range(1, 30):
        log_probs, count = network(noise(1, frames, MEL), torch.tensor([frames]))
        assert network.frames_out(frames) == log_probs.shape[1] == count.item()
        assert count.item() == 1 + max(0, ceil((frames - t) / stride))


@pytest.mark.parametrize("grid", GRIDS)
def test_an_utterance_is_the_same_beside_one_that_is_longer_than_the_positions(grid):
    network, features = small(frames=12, **grid).eval(), noise(3, 30, MEL)
    batch, rows = network(features, torch.tensor([30, 12, 5]))
    for utterance, length in enumerate([30, 12, 5]):
        alone, count = network(features[utterance : utterance + 1, :length], torch.tensor([length]))
        assert count.item() == rows[utterance].item() == alone.shape[1]
        assert (batch[utterance, : rows[utterance]] - alone[0]).abs().max() < 1e-5


@pytest.mark.parametrize("grid", GRIDS)
def test_patches_are_those_that_are_masked(grid):
    features, lengths = noise(3, 14, MEL), torch.tensor([14, 9, 3])
    there = (torch.arange(14) < lengths[:, None])[:, :, None]
    masked, ours = PatchGrid(**grid), small(**grid).cut
    assert torch.equal(ours.patches(features, lengths), patchify(features * there, masked))
    for rows, inside in ((ours.rows, masked.held), (ours.whole, masked.inside)):
        assert torch.equal(ours.among(rows(lengths), 14), inside(lengths, 14, MEL))


def test_the_embedding_is_a_convolution():
    network, features = small(stride_t=3, stride_f=4), noise(2, 13, MEL)
    tokens = network.embedding(network.cut.patches(features, torch.tensor([13, 13])))
    kernel = network.embedding.weight.view(8, 1, 4, 8)
    by_torch = F.conv2d(features[:, None], kernel, network.embedding.bias, stride=(3, 4))
    assert (tokens.permute(0, 3, 1, 2) - by_torch).abs().max() < 1e-5


@pytest.mark.parametrize("place", range(2))
def test_where_a_patch_lies_matters(place):
    network = small().eval()
    features = noise(1, 4, 8)[:, :, None].expand(-1, -1, 2, -1).reshape(1, 4, MEL).repeat(1, 2, 1)
    states, _ = network(features, torch.tensor([8]))  # four patches alike
    others = states[0].flatten(0, 1).roll(1 + place, dims=0)
    assert (states[0].flatten(0, 1) - others).abs().max(dim=1).values.min() > 1e-3


def test_positions_of_a_short_utterance_are_the_first_ones_also_beside_a_stretched_one():
    positions = Positions(5, 2, 3)
    got = positions(torch.tensor([9, 5, 2]), 9)
    assert torch.equal(got[1, :5], positions.grid)
    assert torch.equal(got[2, :2], positions.grid[:2])
    assert torch.equal(got[0, ::2], positions.grid)
    assert (got[0, 1::2] - (positions.grid[1:] + positions.grid[:-1]) / 2).abs().max() < 1e-6
    assert torch.equal(positions(torch.tensor([4, 2]), 4), positions.grid[:4].expand(2, -1, -1, -1))


def test_positions_spread_as_far_as_is_asked_for_and_with_the_same_seed_alike():
    grids = []
    for spread in (0.02, 0.1):
        torch.manual_seed(0)
        grids.append(small(frames=400, spread=spread).positions.grid.detach())
    assert float(grids[1].std()) == pytest.approx(0.1, rel=0.1)
    assert torch.allclose(grids[0] * 5, grids[1], rtol=1e-3)


def test_one_position_is_everybodys():
    positions = Positions(1, 2, 3)
    assert torch.equal(positions(torch.tensor([3]), 3)[0], positions.grid.expand(3, -1, -1))


def test_between_is_a_mean_by_nearness():
    grid = torch.tensor([0.0, 10.0, 40.0])[:, None, None]
    places = torch.tensor([0.0, 0.25, 1.0, 1.5, 2.0])
    assert between(grid, places).flatten().tolist() == [0.0, 2.5, 10.0, 25.0, 40.0]


@pytest.mark.parametrize(
    ("rows", "columns", "pace", "lane", "expected"),
    [
        pytest.param(2, 2, 1.0, 1.0, [[0, 1], [10, 11]], id="as it is"),
        pytest.param(3, 2, 0.5, 1.0, [[0, 1], [5, 6], [10, 11]], id="overlap in time"),
        pytest.param(1, 2, 1.0, 1.0, [[0, 1]], id="shorter"),
        pytest.param(4, 2, 1.0, 1.0, [[0, 1], [10, 11], [10, 11], [10, 11]], id="longer"),
        pytest.param(2, 1, 1.0, 1.0, [[0], [10]], id="cut in frequency"),
        pytest.param(2, 3, 1.0, 0.5, [[0, 0.5, 1], [10, 10.5, 11]], id="overlap in frequency"),
    ],
)
def test_positions_are_fitted_to_other_patches(rows, columns, pace, lane, expected):
    grid = torch.tensor([[0.0, 1.0], [10.0, 11.0]])[:, :, None]
    assert fitted(grid, rows, columns, (pace, lane))[:, :, 0].tolist() == expected


@pytest.mark.parametrize("frames", [24, 40, 80])
def test_an_encoder_for_more_or_fewer_frames_says_the_same_of_an_utterance(frames):
    pretrained, other = small().eval(), small(frames=frames).eval()
    other.load_pretrained(pretrained.state_dict())
    features, lengths = noise(2, 24, MEL), torch.tensor([24, 15])
    assert torch.equal(pretrained(features, lengths)[0], other(features, lengths)[0])


def test_a_patch_keeps_its_position_among_those_that_overlap():
    pretrained, other = small(), small(stride_t=2, stride_f=4)
    other.load_pretrained(pretrained.state_dict())
    grid = pretrained.positions.grid
    assert torch.equal(other.positions.grid[::2, ::2][: len(grid)], grid)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"stride_t": 3, "stride_f": 3}, id="overlap"),
        pytest.param({"frames": 80}, id="longer"),
        pytest.param({"mel": 8}, id="fewer channels"),
        pytest.param({"mel": 32}, id="more channels"),
    ],
)
def test_pretrained_weights_load_into_a_network_of_another_shape(changed):
    pretrained = small()
    state = pretrained.state_dict()
    finetuned = small(**changed)
    finetuned.load_pretrained(state)
    grid = finetuned.positions.grid
    assert torch.equal(grid, fitted(pretrained.positions.grid, *grid.shape[:2], finetuned.cut.pace))
    assert torch.equal(finetuned.embedding.weight, pretrained.embedding.weight)
    assert state["positions.grid"].shape == pretrained.positions.grid.shape


def test_a_place_keeps_its_vector_where_the_other_grid_has_as_many_rows_and_a_checkpoint_every_row():
    pretrained, other = (
        AST(MEL, width=8, depth=1, heads=2, t=2, f=MEL, **more)
        for more in ({"frames": 512}, {"frames": 257, "stride_t": 1})
    )
    before, grid = pretrained.positions.grid, other.positions.grid
    assert before.shape == grid.shape
    other.load_pretrained(pretrained.state_dict())
    assert torch.equal(grid[100], before[50])
    assert torch.equal(grid[::2], before[:128])
    assert torch.allclose(grid[1::2], (before[:128] + before[1:129]) / 2)
    again = AST(MEL, width=8, depth=1, heads=2, t=2, f=MEL, frames=257, stride_t=1)
    again.load_state_dict(other.state_dict())
    assert torch.equal(again.positions.grid, grid)


def test_the_weights_of_an_encoder_load_into_a_recogniser():
    encoder, recogniser = small(t=2, f=MEL), ASTCTC(mel=MEL, vocab=5, width=8, depth=2, heads=2)
    recogniser.encoder.load_pretrained(encoder.state_dict())
    assert torch.equal(recogniser.encoder.body.norm.weight, encoder.body.norm.weight)
    assert len(recogniser.encoder.positions.grid) == 512


def test_weights_of_another_width_are_refused():
    with pytest.raises(RuntimeError, match="size mismatch"):
        small().load_pretrained(small(width=4).state_dict())


def test_the_sizes_are_those_of_the_paper():
    assert SIZES == {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"t": 0}, "t is 0; expected 1 or more frames", id="no frames"),
        pytest.param({"f": 0}, "f is 0; expected 1 or more mel channels", id="no channels"),
        pytest.param({"stride_t": 5}, "stride_t is 5; expected 1 to 4 frames", id="gap"),
        pytest.param({"stride_f": 0}, "stride_f is 0; expected 1 to 8 mel channels", id="no stride"),
        pytest.param(
            {"mel": 20}, r"mel is 20; expected a multiple of the patch's f \(8\)", id="channels left over"
        ),
        pytest.param({"mel": 4, "stride_f": 3}, "mel is 4; expected a multiple", id="lower than a patch"),
        pytest.param({"heads": 0}, "heads is 0; expected 1 or more", id="no heads"),
        pytest.param({"width": 9}, r"width is 9; expected a multiple of heads \(2\)", id="width"),
        pytest.param({"width": 0}, "width is 0; expected a multiple", id="no width"),
        pytest.param({"frames": 0}, "frames is 0; expected 1 or more", id="no positions"),
        pytest.param({"slope": -1.0}, r"slope is -1\.0; expected 0 or more nats", id="slope"),
        pytest.param({"spread": 0.0}, r"spread is 0\.0; expected above 0", id="spread"),
        pytest.param({"slope": float("nan")}, "slope is nan; expected 0 or more", id="no slope"),
    ],
)
def test_a_wrong_argument_is_refused_by_name_and_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        small(**arguments)
