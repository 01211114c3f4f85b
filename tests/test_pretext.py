"""What every objective of masked-spectrogram pretraining owes to those who train by it."""

from copy import deepcopy

import pytest
import torch
from pretexts import KINDS, LENGTHS, MEL, TIME, batch, built, masks, noise, small
from torch import Tensor

from models.ast import ASTCTC
from models.pretext import chosen_first, cut_up, mean_over, picked, put_back, squared_error
from specaug.augment.patch_grid import PatchGrid

GRIDS = [pytest.param((4, 8), id="patches"), pytest.param((2, MEL), id="frames")]
of_all = pytest.mark.parametrize("kind", KINDS)


def cells_by_hand(hidden: Tensor, t: int, f: int) -> Tensor:
    """True at the cells of hidden patches."""
    cells = torch.zeros(len(hidden), TIME, MEL, dtype=torch.bool)
    for utterance, row, column in hidden.nonzero().tolist():
        cells[utterance, row * t : (row + 1) * t, column * f : (column + 1) * f] = True
    return cells


@of_all
@pytest.mark.parametrize("grid", GRIDS)
def test_what_is_hidden_never_reaches_the_encoder(kind, grid):
    network, (features, lengths, hidden) = built(kind, *grid).eval(), batch(*grid)
    received: list[tuple[Tensor, Tensor]] = []
    network.encoder.body.register_forward_pre_hook(lambda _, given: received.append(given))
    secret = cells_by_hand(hidden, *grid)
    assert 0 < secret.sum() < secret.numel()
    for fill in (0.0, 7.0):
        network.loss(features.masked_fill(secret, fill), lengths, hidden)
    assert torch.equal(received[0][0], received[1][0])
    assert torch.equal(received[0][1], received[1][1])
    network.loss(features.masked_fill(~secret, 7.0), lengths, hidden)
    assert not torch.equal(received[0][0], received[2][0])


@of_all
def test_a_head_learns_from_hidden_patches_alone(kind):
    network, (features, lengths, hidden) = built(kind).eval(), batch()
    heads = {"maskspec": ["output"], "generative": ["generator"], "discriminative": ["classifier"]}
    told: list[Tensor] = []
    for name in heads.get(kind, ["generator", "classifier"]):
        getattr(network, name).register_forward_hook(lambda *given: told.append(given[2]))
    total, _ = network.loss(features, lengths, hidden)
    counts = hidden.sum(dim=(1, 2)).tolist()
    for grad in torch.autograd.grad(total, told):
        learned = grad.abs().sum(dim=2) > 0
        assert learned.sum(dim=1).tolist() == counts
        assert kind != "maskspec" or torch.equal(learned, hidden.flatten(1))


@of_all
@pytest.mark.parametrize("padding", [float("nan"), float("inf"), 1e30])
def test_what_the_padding_holds_matters_neither_to_the_loss_nor_to_its_gradient(kind, padding):
    network, (features, lengths, hidden) = built(kind).eval(), batch()
    beyond = (torch.arange(TIME) >= lengths[:, None])[:, :, None]
    losses = [
        network.loss(features.masked_fill(beyond, value), lengths, hidden)[0] for value in (0.0, padding)
    ]
    assert torch.equal(*losses)
    one, other = (torch.autograd.grad(loss, list(network.parameters())) for loss in losses)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@of_all
def test_a_mask_over_the_padding_asks_for_nothing(kind):
    network, (features, lengths, hidden) = built(kind).eval(), batch()
    beyond = ~PatchGrid(t=4, f=8).inside(lengths, TIME, MEL)
    total, _ = network.loss(features, lengths, hidden)
    assert torch.equal(network.loss(features, lengths, hidden | beyond)[0], total)


@of_all
def test_the_loss_of_a_batch_is_made_of_those_of_its_utterances_alone(kind):
    network, (features, lengths, hidden) = built(kind).eval(), batch()
    counts = hidden.sum(dim=(1, 2)).tolist()
    assert len(set(counts)) == 3
    total, parts = network.loss(features, lengths, hidden)
    alone = [
        network.loss(features[i : i + 1, :length], lengths[i : i + 1], hidden[i : i + 1, : -(-length // 4)])
        for i, length in enumerate(LENGTHS)
    ]
    weighted = sum(loss.item() * n for (loss, _), n in zip(alone, counts, strict=True)) / sum(counts)
    assert total.item() == pytest.approx(weighted, rel=1e-5)
    for name, part in parts.items():
        of_alone = sum(each[name].item() * n for (_, each), n in zip(alone, counts, strict=True))
        assert part.item() == pytest.approx(of_alone / sum(counts), rel=1e-5)


@of_all
def test_the_gradient_reaches_every_parameter(kind):
    network = built(kind)
    network.loss(*batch())[0].backward()
    silent = [
        name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()
    ]
    assert silent == []


@of_all
@pytest.mark.parametrize("grid", GRIDS)
def test_a_picture_is_the_features_but_for_what_is_hidden(kind, grid):
    network, (features, lengths, hidden) = built(kind, *grid).eval(), batch(*grid)
    features[2, 9:] = 1e30  # padding
    got = network.reconstruction(features, lengths, hidden)
    secret = cells_by_hand(hidden, *grid)
    assert torch.equal(got[~secret], features[~secret])
    assert (got != features)[secret].any()
    assert got[secret].isfinite().all()
    told = network.predicted(cut_up(network.encoder.cut, features, lengths, hidden))
    utterance, row, column = hidden.nonzero()[-1].tolist()
    patch = got[utterance, row * grid[0] : (row + 1) * grid[0], column * grid[1] : (column + 1) * grid[1]]
    assert torch.equal(patch.flatten(), told[utterance, row * hidden.shape[2] + column])


@of_all
def test_two_steps_change_the_weights_and_are_equal_to_the_bit_when_repeated(kind):
    runs = []
    for _ in range(2):
        network = built(kind)
        before = deepcopy(network.state_dict())
        optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
        for _ in range(2):
            optimiser.zero_grad()
            network.loss(*batch())[0].backward()
            optimiser.step()
        runs.append(network.state_dict())
        assert not any(torch.equal(before[name], weight) for name, weight in runs[-1].items())
    assert all(torch.equal(runs[0][name], weight) for name, weight in runs[1].items())


def tones() -> tuple[Tensor, Tensor, Tensor]:
    """Five utterances, each a tone in a channel of its own that comes and goes in time."""
    place, frame = torch.arange(MEL), torch.arange(32)
    bell = torch.exp(-((place - torch.tensor([1, 4, 7, 10, 13])[:, None]) ** 2) / 4.0)
    pace = torch.tensor([3.0, 4.0, 5.0, 6.0, 7.0])[:, None]
    features = bell[:, None, :] * (frame / pace).sin()[:, :, None]
    return 2 * features + 0.1 * noise(5, 32, MEL), torch.full((5,), 32), masks([32] * 5, 32)


@of_all
def test_five_tones_are_learned(kind):
    network, given = built(kind), tones()
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    losses = []
    for _ in range(80):
        optimiser.zero_grad()
        total, _ = network.loss(*given)
        total.backward()
        optimiser.step()
        losses.append(total.item())
    assert losses[-1] < 0.7 * losses[0]


@of_all
def test_an_utterance_of_which_nothing_is_hidden_leaves_the_others_alone(kind):
    network, (features, lengths, hidden) = built(kind).eval(), batch()
    hidden[1] = False
    total, _ = network.loss(features, lengths, hidden)
    rest = [0, 2]
    assert total.item() == pytest.approx(
        network.loss(features[rest], lengths[rest], hidden[rest])[0].item(), rel=1e-5
    )
    total.backward()
    assert all(weight.grad.isfinite().all() for weight in network.parameters())


@of_all
def test_an_utterance_that_is_hidden_whole_or_has_no_frames_breaks_nothing(kind):
    network, (features, lengths, hidden) = built(kind), batch()
    lengths[1], lengths[2], hidden[1] = 16, 0, True
    total, _ = network.loss(features, lengths, hidden)
    total.backward()
    assert total.isfinite()
    assert all(weight.grad.isfinite().all() for weight in network.parameters())


@of_all
def test_it_computes_in_the_type_of_its_weights(kind):
    network, (features, lengths, hidden) = built(kind).eval().bfloat16(), batch()
    total, _ = network.loss(features.bfloat16(), lengths, hidden)
    assert total.isfinite()
    assert network.reconstruction(features.bfloat16(), lengths, hidden).dtype == torch.bfloat16


@of_all
def test_it_computes_in_mixed_precision(kind):
    network, given = built(kind).eval(), batch()
    with torch.autocast("cpu", torch.bfloat16):
        mixed, _ = network.loss(*given)
    assert mixed.dtype == torch.float32
    assert mixed.item() == pytest.approx(network.loss(*given)[0].item(), rel=0.05)


@pytest.mark.gpu
@of_all
def test_a_gpu_computes_the_loss_of_the_host(kind):
    network, given = built(kind).eval(), batch()
    host, _ = network.loss(*given)
    there, _ = network.cuda().loss(*(each.cuda() for each in given))
    assert there.item() == pytest.approx(host.item(), rel=1e-4)


@of_all
def test_the_encoder_goes_on_to_recognise_speech(kind):
    network = built(kind, 2, MEL)
    network.loss(*batch(2, MEL))[0].backward()
    recogniser = ASTCTC(mel=MEL, vocab=5, width=8, depth=2, heads=2, frames=200)
    recogniser.encoder.load_pretrained(network.encoder.state_dict())
    features, lengths = noise(1, 30, MEL), torch.tensor([30])
    states, _ = network.eval().encoder(features, lengths)
    assert torch.equal(recogniser.eval().encoder(features, lengths)[0], states)
    written = recogniser.output(states.mean(dim=2)).log_softmax(dim=-1)
    assert torch.equal(recogniser(features, lengths)[0], written)


@of_all
def test_patches_that_overlap_are_refused(kind):
    with pytest.raises(ValueError, match="patches of 4 x 8 come every 3 x 8; expected patches side by side"):
        KINDS[kind](small(stride_t=3))


@of_all
@pytest.mark.parametrize(
    ("time", "shape", "fill", "message"),
    [
        pytest.param(
            3, (2, 1, 2), True, "the features have 3 frames; expected at least a patch of 4", id="short"
        ),
        pytest.param(
            26, (2, 6, 2), True, "hidden is of 2 x 6 x 2 patches; the features have 2 x 7 x 2", id="rows"
        ),
        pytest.param(26, (2, 7, 1), True, "hidden is of 2 x 7 x 1 patches", id="columns"),
        pytest.param(26, (2, 7, 2), False, "no patch of the batch is hidden; expected some", id="nothing"),
        pytest.param(24, (2, 6, 2), True, "no patch of the batch is visible; expected some", id="all"),
    ],
)
def test_a_mask_that_asks_for_nothing_or_shows_nothing_is_refused(kind, time, shape, fill, message):
    hidden = torch.full(shape, fill)
    with pytest.raises(ValueError, match=message):
        built(kind).loss(noise(2, time, MEL), torch.tensor([time, time]), hidden)


def test_what_is_picked_is_put_back():
    tokens, chosen = noise(3, 5, 2), torch.tensor([[0, 1, 0, 1, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]).bool()
    places = chosen_first(chosen)
    assert places[0].tolist() == [1, 3, 4]
    assert places[1, 0] == 4
    assert places.shape == (3, 3)
    got = put_back(picked(tokens, places), chosen, torch.tensor(7.0))
    assert torch.equal(got, torch.where(chosen[..., None], tokens, 7.0))


def test_the_mean_is_of_what_is_there():
    values = torch.tensor([[1.0, float("nan")], [5.0, 9.0]])
    assert mean_over(values, torch.tensor([[True, False], [True, False]])).item() == 3.0
    assert mean_over(values, torch.zeros(2, 2, dtype=torch.bool)).item() == 0.0


def squared_error_by_hand(predicted: list, target: list, there: list) -> float:
    """Patch by patch, cell by cell."""
    errors = [
        sum((p - t) ** 2 for p, t in zip(ps, ts, strict=True)) / len(ts)
        for of_one in zip(predicted, target, there, strict=True)
        for ps, ts, is_there in zip(*of_one, strict=True)
        if is_there
    ]
    return sum(errors) / len(errors)


def test_the_squared_error_is_that_of_the_patches_that_are_there():
    predicted, target = noise(2, 4, 3), noise(2, 4, 3, seed=2)
    there = torch.tensor([[True, False, True, True], [False, True, False, False]])
    by_hand = squared_error_by_hand(predicted.tolist(), target.tolist(), there.tolist())
    assert squared_error(predicted, target, there).item() == pytest.approx(by_hand, rel=1e-5)
