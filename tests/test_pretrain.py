import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from pretexts import small
from pretrained import HIDING, job, objective, pictures_of
from standins import tones
from torch import Tensor, nn

from models.pretext import Pretext
from models.ssast import SSAST, Generative
from specaug.augment.keys import make_keys
from specaug.augment.patch_grid_masks import draw_hidden
from specaug.errors import Diverged, UserError
from specaug.training.callbacks import Progress, Report, read_curves
from specaug.training.data import Share, Utterances
from specaug.training.pretrain import dry_run, pretrain
from specaug.training.pretrain_module import Pretrainer, hidden_of


@pytest.fixture(scope="module")
def data(tone_corpus, tmp_path_factory):
    """Five utterances to train on, two of dev."""
    return pictures_of(tone_corpus, tmp_path_factory.mktemp("cache"))


class Watching(Generative):
    """Keeps what is hidden, by whether it trains, and the features it is hidden of."""

    def __init__(self) -> None:
        super().__init__(small(t=2, f=16))
        self.seen: list[tuple[bool, Tensor, Tensor, Tensor]] = []

    def loss(self, features: Tensor, lengths: Tensor, hidden: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        self.seen.append((self.training, features, lengths, hidden))
        return super().loss(features, lengths, hidden)


def by_utterance(network: Watching, part, training: bool) -> list[tuple[str, list[bool]]]:
    """(id, what is hidden) of each utterance that was seen, in its order, known by its features."""
    found = []
    for in_training, features, lengths, hidden in network.seen:
        for row, length, mask in zip(features, lengths.tolist(), hidden, strict=True):
            (name,) = (
                (
                    part.ids[place]
                    for place in range(len(part.ids))
                    if part.frames[place] == length
                    and torch.equal(row[:length], torch.tensor(part.features(place)))
                )
                if in_training == training
                else (None,)
            )
            found += [(name, mask[: length // 2, 0].tolist())] if name else []
    return found


def drawn(part, name: str, seed: int, epoch: int) -> list[bool]:
    """What an utterance alone should have hidden."""
    frames = part.frames[part.ids.index(name)]
    keys = make_keys(seed, epoch, [name])
    return draw_hidden(HIDING, torch.tensor([frames]), frames, 16, keys)[0, : frames // 2, 0].tolist()


def test_what_is_hidden_in_training_is_of_seed_epoch_and_utterance(data, tmp_path):
    network, part = Watching(), data.parts["train"]
    pretrain(job(data, tmp_path, network, seed=5))
    seen = by_utterance(network, part, training=True)
    assert len(seen) == 4 * 5
    for place, (name, mask) in enumerate(seen):
        assert mask == drawn(part, name, 5, place // 5)
    assert len({tuple(mask) for name, mask in seen if name == "train-1"}) == 4


def test_what_is_hidden_in_evaluation_is_the_same_after_every_epoch_and_with_every_seed(data, tmp_path):
    part, seen = data.parts["dev"], []
    for seed in (0, 5):
        network = Watching()
        pretrain(job(data, tmp_path / str(seed), network, seed=seed))
        seen += by_utterance(network, part, training=False)
    assert len(seen) == 2 * 4 * 2
    for name, mask in seen:
        assert mask == drawn(part, name, 0, 0)


def test_a_measure_of_dev_is_the_mean_over_its_hidden_patches(data, tmp_path):
    network = objective(SSAST)
    outcome = pretrain(job(data, tmp_path, network, batch=1))
    part, network = data.parts["dev"], network.eval()
    sums, patches = {}, 0
    for place in range(len(part.ids)):  # of two lengths, each alone
        batch = Utterances(part)[Share([place])]
        hidden = hidden_of(HIDING, batch, 0, 0)
        with torch.no_grad():
            loss, parts = network.loss(batch.features, batch.lengths, hidden)
        patches += int(hidden.sum())
        for name, value in {"loss": loss, **parts}.items():
            sums[name] = sums.get(name, 0.0) + float(value) * int(hidden.sum())
    assert len(set(part.frames)) == 2
    by_hand = {name: value / patches for name, value in sums.items()}
    assert {name: outcome.final[name] for name in by_hand} == pytest.approx(by_hand, rel=1e-5)
    assert set(by_hand) == {"loss", "reconstruction", "contrastive", "retrieval"}


def test_the_curves_hold_every_measure_and_nothing_of_recognition(data, tmp_path):
    pretrain(job(data, tmp_path, objective(SSAST), evaluate_every=3))
    rows = read_curves(tmp_path / "curves.csv")
    assert list(rows[0]) == [
        *("epoch", "step", "learning_rate"),
        *("train/loss", "train/reconstruction", "train/contrastive", "train/retrieval"),
        *("dev/loss", "dev/reconstruction", "dev/contrastive", "dev/retrieval"),
    ]
    assert [bool(row["dev/retrieval"]) for row in rows] == [False, False, True, True]


def test_the_gradients_of_the_shares_of_a_batch_add_up_to_that_of_the_whole(data, tmp_path):
    network, part = objective(), data.parts["train"]
    module = Pretrainer(network, job(data, tmp_path).options, HIDING, 0)
    ends = []
    for shares in (1, 3):
        module.zero_grad()
        for turn in range(shares):
            batch = Utterances(part)[Share([0, 1, 2, 3, 4], turn, shares)]
            (module.training_step(batch, 0)["loss"] / shares).backward()
        ends.append(torch.cat([p.grad.flatten() for p in network.parameters()]))
    assert len(set(part.frames)) > 1
    assert torch.allclose(*ends, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shares", [1, 2])
def test_the_parts_of_the_loss_in_training_make_up_the_loss(data, tmp_path, shares):
    pretrain(job(data, tmp_path, objective(SSAST), batch=4, accumulate=shares, steps=4))
    for row in read_curves(tmp_path / "curves.csv"):
        loss, contrast, error = (
            float(row[f"train/{name}"]) for name in ("loss", "contrastive", "reconstruction")
        )
        assert loss == pytest.approx(contrast + 10 * error, rel=1e-5)
        assert 0 <= float(row["train/retrieval"]) <= 1


def test_the_measure_that_it_is_judged_by_is_told_as_it_goes(data, tmp_path, monkeypatch):
    monkeypatch.setattr(Report, "INTERVAL", 0.0)
    told: list[Progress] = []
    wanted = job(data, tmp_path, objective(SSAST), choose="retrieval", report="best")
    pretrain(replace(wanted, report=told.append))
    assert told[0].chosen is None
    assert told[0].dev == ""
    name, value = told[-1].chosen
    assert told[-1].dev == f", dev {name} {value:.3f}"
    assert value == pytest.approx(float(read_curves(tmp_path / "curves.csv")[-2]["dev/retrieval"]), abs=1e-6)


def test_a_run_may_work_off_its_batches_in_shares(data, tmp_path):
    outcome = pretrain(job(data, tmp_path, batch=4, accumulate=2, steps=4))
    assert (outcome.steps, outcome.epochs) == (4, 2)


def test_the_labels_that_weight_the_shares_are_as_many_as_patches_are_hidden(data):
    for part in data.parts.values():
        batch = Utterances(part)[Share(list(range(len(part.ids))))]
        hidden = hidden_of(HIDING, batch, 1, 2)
        assert batch.target_lengths.tolist() == hidden.sum(dim=(1, 2)).tolist()


class Scripted(Pretext):
    """Tells measures on dev that a script says for each epoch of three steps."""

    def __init__(self, losses: Sequence[float], retrieval: Sequence[float]) -> None:
        super().__init__(small(t=2, f=16))
        self.losses, self.retrieval = losses, retrieval
        self.done = nn.Parameter(torch.zeros(()), requires_grad=False)

    def loss(self, features: Tensor, lengths: Tensor, hidden: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        if self.training:
            self.done += 1
            weights = sum(p.square().mean() for p in self.encoder.parameters())
            return weights, {"retrieval": torch.tensor(0.0)}
        epoch = int(self.done) // 3 - 1
        return torch.tensor(self.losses[epoch]), {"retrieval": torch.tensor(self.retrieval[epoch])}


@pytest.mark.parametrize(
    ("choose", "best"),
    [
        pytest.param("loss", 2, id="the lowest loss"),
        pytest.param("retrieval", 3, id="the highest retrieval, the later of equals"),
    ],
)
def test_the_best_checkpoint_is_the_best_by_the_named_measure_and_may_be_kept(data, tmp_path, choose, best):
    network = Scripted([4.0, 1.0, 2.0, 3.0], [0.1, 0.75, 0.75, 0.25])
    measures = ["loss", "retrieval"]
    outcome = pretrain(job(data, tmp_path, network, measures=measures, choose=choose, report="best"))
    checkpoint = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert int(checkpoint["epoch"]) + 1 == best == outcome.best["epoch"]
    assert float(network.done) == 3 * best  # these are the weights that are kept
    assert outcome.best == {"epoch": best, "loss": (1.0, 2.0)[best - 2], "retrieval": 0.75}
    assert outcome.final == {"epoch": 4, "loss": 3.0, "retrieval": 0.25}
    assert (outcome.epochs, outcome.steps) == (4, 12)


def test_the_last_checkpoint_is_kept_unless_the_recipe_says_best(data, tmp_path):
    network = Scripted([1.0, 2.0, 3.0, 4.0], [0.0] * 4)
    outcome = pretrain(job(data, tmp_path, network, measures=["loss", "retrieval"]))
    assert (float(network.done), outcome.best["epoch"]) == (12, 1)


def test_a_continued_run_has_the_bits_of_the_unbroken_one(data, tmp_path):
    whole = objective(dropout=0.2)
    start = {name: tensor.clone() for name, tensor in whole.state_dict().items()}
    pretrain(job(data, tmp_path / "whole", whole))

    class Power(Generative):
        def loss(self, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            self.steps = getattr(self, "steps", 0) + self.training
            if self.steps == 8:  # in the third epoch
                raise OSError("the power went out")
            return super().loss(*batch)

    broken = Power(small(t=2, f=16, dropout=0.2))
    broken.load_state_dict(start)
    with pytest.raises(OSError, match="power"):
        pretrain(job(data, tmp_path / "broken", broken))
    again = objective(dropout=0.2)
    pretrain(job(data, tmp_path / "broken", again))
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
    assert (tmp_path / "broken" / "curves.csv").read_bytes() == (
        tmp_path / "whole" / "curves.csv"
    ).read_bytes()


def test_a_checkpoint_of_another_network_is_refused(data, tmp_path):
    pretrain(job(data, tmp_path))
    with pytest.raises(UserError, match="of another network or vocabulary: it has no classifier"):
        pretrain(job(data, tmp_path, objective(SSAST)))


def test_a_loss_that_is_not_finite_ends_the_run(data, tmp_path):
    class Lost(Generative):
        def loss(self, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            loss, parts = super().loss(*batch)
            return loss * math.nan, parts

    with pytest.raises(Diverged, match="train loss is nan after epoch 1"):
        pretrain(job(data, tmp_path, Lost(small(t=2, f=16))))
    assert not (tmp_path / "last.ckpt").exists()


def test_precision_is_a_matter_of_the_products_alone(data, tmp_path):
    network = objective(SSAST)
    outcome = pretrain(job(data, tmp_path, network, precision="bf16"))
    assert all(p.dtype == torch.float32 for p in network.parameters())
    assert math.isfinite(outcome.final["loss"])


def changed(**methods: object) -> Pretext:
    return type("Mine", (Generative,), methods)(small(t=2, f=16))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        pytest.param(
            lambda: changed(loss=lambda *_: torch.zeros(2).view(3)),
            "objective Mine fails on its first batch: RuntimeError: shape",
            id="an error",
        ),
        pytest.param(
            lambda: changed(loss=lambda self, *_: (sum(p.sum() for p in self.parameters()) * math.inf, {})),
            "objective Mine: loss of the first batch is",
            id="infinite",
        ),
        pytest.param(
            lambda: changed(reconstruction=lambda self, features, *_: features[:, 1:]),
            "objective Mine: a reconstruction is [2, 57, 16]; expected [2, 58, 16], as the features are",
            id="a frame less",
        ),
        pytest.param(
            lambda: Pretext(small(t=2, f=16)), "Pretext fails on its first batch: NotImpl", id="none"
        ),
    ],
)
def test_an_objective_that_does_not_keep_its_contract_is_told_before_training(data, network, message):
    with pytest.raises(UserError) as caught:
        dry_run(network(), data.parts["train"], 2, HIDING)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_dry_run_names_the_measures_and_leaves_the_network_as_it_is(data):
    network = objective(SSAST)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    measures = dry_run(network, data.parts["train"], 2, HIDING)
    assert measures == ["loss", "reconstruction", "contrastive", "retrieval"]
    assert network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())


def test_silence_is_no_reason_to_fail(tmp_path):
    prepared = tones(tmp_path, {"train": ["a", "a b", "b"], "dev": ["a"]})
    data = pictures_of(prepared, tmp_path / "cache")
    for part in data.parts.values():
        part.rows[:] = 0.0
    outcome = pretrain(job(data, tmp_path / "run", objective(SSAST)))
    assert math.isfinite(outcome.final["loss"])
