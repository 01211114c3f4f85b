import math
from itertools import product

import pytest
import torch
from test_ctc import likelihood_by_hand
from torch import Tensor, nn

from models.las import LAS, Attention, Spelling, beside, covered
from models.search import END

MEL, VOCAB = 12, 6
FEATURES = torch.randn(3, 40, MEL, generator=torch.Generator().manual_seed(1))
LENGTHS = torch.tensor([40, 26, 9])
TARGETS, COUNTS = torch.tensor([[1, 2, 2], [3, 0, 0], [0, 0, 0]]), torch.tensor([3, 1, 0])


def las(**arguments) -> LAS:
    torch.manual_seed(0)
    return LAS(MEL, VOCAB, **{"width": 8, "depth": 1, "channels": 2, "dropout": 0.0, **arguments})


def cell_by_hand(cell: nn.LSTMCell | nn.LSTM, row: list[float], hidden: list[float], memory: list[float]):
    """An LSTM cell, number by number: input, forget, candidate, output (torch's order)."""
    inputs, recurrent, *biases = cell.parameters()
    inputs, recurrent, bias = inputs.tolist(), recurrent.tolist(), sum(biases).tolist()
    gates = [
        bias[i]
        + sum(w * x for w, x in zip(inputs[i], row, strict=True))
        + sum(w * h for w, h in zip(recurrent[i], hidden, strict=True))
        for i in range(len(bias))
    ]
    size = len(hidden)
    entry, forget, candidate, leave = (gates[k * size : (k + 1) * size] for k in range(4))
    after = [
        sigmoid(f) * c + sigmoid(i) * math.tanh(g)
        for i, f, g, c in zip(entry, forget, candidate, memory, strict=True)
    ]
    return [sigmoid(o) * math.tanh(c) for o, c in zip(leave, after, strict=True)], after


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def where_by_hand(layer: Attention, attended: list[float], frame: int) -> list[float]:
    """What attention so far says of a frame: a sum over the 15 before it, itself and the 15 behind, by each filter."""
    width = layer.query.out_features
    if layer.around is None:
        return [0.0] * width
    filters, place = layer.around.weight[:, 0].tolist(), layer.place.weight.tolist()
    heard = [
        sum(taps[k] * attended[frame + k - 15] for k in range(31) if 0 <= frame + k - 15 < len(attended))
        for taps in filters
    ]
    return [sum(p * h for p, h in zip(row, heard, strict=True)) for row in place]


def attention_by_hand(
    layer: Attention, asked: list[float], memory: list[list[float]], attended: list[float]
) -> list[float]:
    keys, query = layer.keys.weight.tolist(), layer.query.weight.tolist()
    bias, score = layer.query.bias.tolist(), layer.score.weight.tolist()[0]
    where = [where_by_hand(layer, attended, frame) for frame in range(len(memory))]
    energies = [
        sum(
            v
            * math.tanh(
                sum(k * m for k, m in zip(keys[i], frame, strict=True))
                + bias[i]
                + there[i]
                + sum(q * a for q, a in zip(query[i], asked, strict=True))
            )
            for i, v in enumerate(score)
        )
        for frame, there in zip(memory, where, strict=True)
    ]
    top = sum(math.exp(e) for e in energies)
    return [math.exp(e) / top for e in energies]


def log_probs_by_hand(network: LAS, memory: list[list[float]], labels: list[int]) -> list[list[float]]:
    """What is said of each label and the end."""
    return spelled_by_hand(network, memory, labels)[0]


def spelled_by_hand(network: LAS, memory: list[list[float]], labels: list[int]):
    """That, and how much each frame was attended to in all; one number after the other (D63)."""
    speller, size = network.speller, network.speller.width
    first = second = [0.0] * size
    first_cell = second_cell = [0.0] * size
    context, attended = [0.0] * len(memory[0]), [0.0] * len(memory)
    rows = []
    for label in [END, *labels]:
        first, first_cell = cell_by_hand(
            speller.first, speller.labels.weight[label].tolist() + context, first, first_cell
        )
        weights = attention_by_hand(speller.attention, first, memory, attended)
        attended = [a + w for a, w in zip(attended, weights, strict=True)]
        context = [
            sum(w * frame[i] for w, frame in zip(weights, memory, strict=True)) for i in range(len(context))
        ]
        second, second_cell = cell_by_hand(speller.second, first + context, second, second_cell)
        row = [
            b + sum(w * x for w, x in zip(weight, second + context, strict=True))
            for weight, b in zip(speller.output.weight.tolist(), speller.output.bias.tolist(), strict=True)
        ]
        top = math.log(sum(math.exp(x) for x in row))
        rows.append([x - top for x in row])
    return rows, attended


@pytest.mark.parametrize("location", [0, 3])
def test_the_loss_is_the_cross_entropy_of_the_labels_and_the_end_by_hand(location):
    network = las(location=location).double()
    if location:
        network.speller.attention.around.weight.data.mul_(30)  # or where was read would say next to nothing
    features = FEATURES.double()
    memory, frames = network.heard(features, LENGTHS)
    total = 0.0
    for utterance, count in enumerate(COUNTS.tolist()):
        labels = TARGETS[utterance, :count].tolist()
        heard = memory[utterance, : frames[utterance]].tolist()
        for row, label in zip(log_probs_by_hand(network, heard, labels), [*labels, END], strict=True):
            total -= row[label]
    assert network.loss(features, LENGTHS, TARGETS, COUNTS).item() == pytest.approx(total / 4, rel=1e-6)


def test_label_smoothing_spreads_a_share_over_all_labels_in_training_alone():
    """Szegedy et al. 2016: 1 - s on the label, s / vocab on each; both sum to 1."""
    network, share = las(), 0.3
    network.label_smoothing = share
    memory, frames = network.heard(FEATURES[:1], LENGTHS[:1])
    rows = log_probs_by_hand(network, memory[0, : frames[0]].tolist(), [1, 2, 2])
    plain = [-row[label] for row, label in zip(rows, [1, 2, 2, END], strict=True)]
    spread = [-sum(row) / VOCAB for row in rows]
    arguments = FEATURES[:1], LENGTHS[:1], TARGETS[:1], COUNTS[:1]
    smoothed = sum((1 - share) * p + share * q for p, q in zip(plain, spread, strict=True)) / 3
    assert network.loss(*arguments).item() == pytest.approx(smoothed, rel=1e-5)
    assert network.eval().loss(*arguments).item() == pytest.approx(sum(plain) / 3, rel=1e-5)
    network.train().label_smoothing = 0.0
    assert network.loss(*arguments).item() == pytest.approx(sum(plain) / 3, rel=1e-5)


def test_a_share_of_the_training_loss_is_that_of_all_paths_over_what_there_is_to_attend_to():
    """(1 - lambda) of what the decoder pays and lambda of CTC, both a label; in evaluation the decoder's alone."""
    network, share = las(ctc=0.3).double(), 0.3
    features, lengths = FEATURES[:2, :16].double(), torch.tensor([16, 9])
    targets, counts = torch.tensor([[1, 2, 2], [3, 0, 0]]), torch.tensor([3, 1])
    memory, frames = network.heard(features, lengths)
    assert frames.tolist() == [4, 3]
    shares = network.frame_labels(memory).softmax(dim=2).tolist()
    paths = -sum(
        math.log(likelihood_by_hand(shares[i][: frames[i]], targets[i, : counts[i]].tolist())) for i in (0, 1)
    )
    mixed = network.loss(features, lengths, targets, counts).item()
    spelled = network.eval().loss(features, lengths, targets, counts).item()
    assert mixed == pytest.approx((1 - share) * spelled + share * paths / 4, rel=1e-6)


@pytest.mark.parametrize("share", [-0.1, 1.0, math.nan])
def test_ctc_is_a_share_of_the_loss_that_leaves_something_to_the_decoder(share):
    with pytest.raises(ValueError, match=f"ctc is {share}; expected a share of the loss, from 0 to below 1"):
        las(ctc=share)


def test_the_layers_read_at_one_scale_whatever_the_convolutions_give():
    """Without that LD's runs began to tell words apart twice as late (docs/log.md, 2026-11-28)."""
    network = las().eval()

    def louder(times: float) -> Tensor:
        with torch.no_grad():
            for part in network.front.second.parameters():
                part.mul_(times)
        return network.heard(FEATURES[:1], LENGTHS[:1])[0]

    assert torch.allclose(louder(100.0), louder(10.0), atol=1e-4)


def test_guidance_costs_what_is_read_beside_the_diagonal_in_training_alone():
    """Tachibana et al. 2018: W = 1 - exp(-(n / N - t / T)^2 / 2 g^2) with g = 0.2, on what each label reads."""
    network = las(guided=2.0).double()
    memory, frames = network.heard(FEATURES.double(), LENGTHS)
    paid = 0.0
    for utterance, count in enumerate(COUNTS.tolist()):
        labels, heard = TARGETS[utterance, :count].tolist(), memory[utterance, : frames[utterance]].tolist()
        before = [0.0] * len(heard)
        for n in range(count + 1):
            attended = spelled_by_hand(network, heard, labels[:n])[1]
            for t, (after, share) in enumerate(zip(attended, before, strict=True)):
                away = (n + 0.5) / (count + 1) - (t + 0.5) / len(heard)
                paid += (after - share) * (1 - math.exp(-(away**2) / (2 * 0.2**2)))
            before = attended
    given = FEATURES.double(), LENGTHS, TARGETS, COUNTS
    guided, alone = network.loss(*given).item(), network.eval().loss(*given).item()
    assert guided == pytest.approx(alone + 2.0 * paid / 4, rel=1e-6)


def test_attention_on_the_diagonal_costs_nothing():
    diagonal = torch.eye(4)[None]
    assert beside(diagonal, torch.tensor([4]), torch.tensor([4])).abs().max() == 0
    assert beside(diagonal.flip(2), torch.tensor([4]), torch.tensor([4])).min() > 0.5


@pytest.mark.parametrize("nats", [-0.1, math.nan, math.inf])
def test_guidance_is_a_number_of_nats(nats):
    with pytest.raises(ValueError, match=f"guided is {nats}; expected 0 or more nats a label"):
        las(guided=nats)


@pytest.mark.parametrize("location", [0, 3])
def test_label_by_label_the_decoder_says_what_it_says_of_the_whole_sentence(location):
    speller = las(location=location).eval().speller
    memory, frames = torch.randn(2, 6, 16, generator=torch.Generator().manual_seed(2)), torch.tensor([6, 4])
    said = torch.tensor([[END, 1, 2, 2, 5], [END, 3, 3, 1, 4]])
    model, state = speller.model(memory, frames, beam=1)
    rows = []
    for label in said.unbind(dim=1):
        step = model(label, state)
        rows.append(step.log_probs)
        state = step.state
    whole = speller(said, memory, frames)[0].log_softmax(dim=2)
    assert torch.allclose(torch.stack(rows, dim=1), whole, atol=1e-6)


def greedy_by_hand(network: LAS, memory: list[list[float]]) -> list[int]:
    labels: list[int] = []
    while len(labels) < len(memory):
        row = log_probs_by_hand(network, memory, labels)[-1]
        best = row.index(max(row))
        if best == END:
            break
        labels.append(best)
    return labels


@pytest.mark.parametrize("location", [0, 3])
def test_greedy_transcripts_take_the_likeliest_label_until_the_end(location):
    network = las(location=location).eval()
    with torch.no_grad():
        network.speller.output.weight.mul_(8)  # or nothing would be said with any conviction
    memory, frames = network.heard(FEATURES, LENGTHS)
    expected = [greedy_by_hand(network, memory[i, : frames[i]].tolist()) for i in range(3)]
    assert network.transcribe(FEATURES, LENGTHS) == expected
    assert location or len({len(labels) for labels in expected}) > 1


def test_a_wider_beam_finds_sentences_that_are_no_less_likely():
    network = las().eval()
    with torch.no_grad():
        network.speller.output.weight.mul_(8)
    memory, frames = network.heard(FEATURES, LENGTHS)

    def scores(beam: int) -> list[float]:
        said = network.transcribe(FEATURES, LENGTHS, beam=beam)
        rows = [
            log_probs_by_hand(network, memory[i, : frames[i]].tolist(), labels)
            for i, labels in enumerate(said)
        ]
        return [
            sum(row[label] for row, label in zip(found, [*labels, END], strict=True))
            for found, labels in zip(rows, said, strict=True)
        ]

    narrow, wide = scores(1), scores(8)
    assert all(b >= a - 1e-4 for a, b in zip(narrow, wide, strict=True))
    assert sum(wide) > sum(narrow) + 0.1


def test_coverage_rewards_frames_that_were_attended_to_by_more_than_a_half():
    state = [torch.zeros(2, 3)] * 5 + [torch.tensor([[0.2, 0.6, 0.5], [0.9, 2.0, 0.51]])]
    assert covered(tuple(state), 0.05).tolist() == pytest.approx([0.05, 0.15])


def test_a_search_with_coverage_finds_the_best_of_all_sentences():
    """Three frames: up to three labels of two, each scored by hand with 6 nats for each frame that was read."""
    torch.manual_seed(0)
    network = LAS(MEL, 3, width=8, depth=1, channels=2, dropout=0.0).eval()
    memory = network.heard(FEATURES[2:], LENGTHS[2:])[0][0, :3].tolist()
    scores = {}
    for labels in (labels for size in range(4) for labels in product((1, 2), repeat=size)):
        rows, attended = spelled_by_hand(network, memory, list(labels))
        likely = sum(row[label] for row, label in zip(rows, [*labels, END], strict=True))
        scores[labels] = likely, 6.0 * sum(a > 0.5 for a in attended)
    plain, rewarded = (max(scores, key=lambda x: total(scores[x])) for total in (lambda s: s[0], sum))
    assert plain != rewarded
    assert network.transcribe(FEATURES[2:], LENGTHS[2:], beam=30) == [list(plain)]
    assert network.transcribe(FEATURES[2:], LENGTHS[2:], beam=30, coverage=6.0) == [list(rewarded)]


def test_attention_is_a_share_of_the_valid_frames():
    layer, keys = Attention(4, 5), torch.randn(2, 3, 5)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    weights = layer(torch.randn(2, 5), keys, mask, torch.zeros(2, 3))
    assert weights.sum(dim=1).tolist() == pytest.approx([1.0, 0.0])
    assert weights[0, 2] == 0


def test_filters_cannot_be_fewer_than_none():
    with pytest.raises(ValueError, match="location is -1; expected 0 or more filters"):
        las(location=-1)


def test_nothing_is_attended_to_before_the_first_label():
    state = las().speller.start(torch.ones(2, 3, 16))
    assert all(not part.any() for part in state)
    assert (state.context.shape, state.attended.shape) == ((2, 16), (2, 3))
    assert Spelling._fields[-1] == "attended"


@pytest.mark.parametrize(
    ("depth", "width", "millions"), [(6, 1280, 355.7), (6, 1024, 241.9), (4, 1024, 191.5)]
)
def test_the_sizes_of_the_paper_are_built_from_two_numbers(depth, width, millions):
    """LAS-6-1280 has about 360 million (Park et al. 2019, section 4.1): with 16,000 word pieces and the end."""
    with torch.device("meta"):
        network = LAS(80, 16_001, width=width, depth=depth)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


def test_a_label_is_told_what_stands_before_it_and_no_more():
    network, targets = las(), TARGETS[:1].clone()
    memory, frames = network.heard(FEATURES[:1], LENGTHS[:1])

    def logits(labels: Tensor) -> Tensor:
        return network.speller(torch.nn.functional.pad(labels, (1, 0)), memory, frames)[0]

    changed = targets.clone()
    changed[0, 1] = 5
    before, after = logits(targets), logits(changed)
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.equal(before[:, 2], after[:, 2])
