import lightning as L
import pytest
import torch
from standins import OneLayer, Plan, quiet_trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from specaug.training import noise
from specaug.training.data import training_loader
from specaug.training.fit import train
from specaug.training.noise import WeightNoise
from specaug.training.schedule import Schedule
from specaug.training.seeds import mixed


class Watched(L.LightningModule):
    """Keeps its weights as its step, the end of its backward pass and its evaluation see them."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Linear(3, 2)
        self.seen: dict[str, list[Tensor]] = {"step": [], "bias": [], "backward": [], "evaluation": []}

    def keep(self, when: str) -> None:
        self.seen[when].append(self.network.weight.detach().clone())

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        self.keep("step")
        self.seen["bias"].append(self.network.bias.detach().clone())
        return self.network(batch).square().sum()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        self.keep("backward")

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.keep("evaluation")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)  # the clean weights stay


def watched(start: int = 0, seed: int = 0, accumulate: int = 1) -> Watched:
    torch.manual_seed(0)
    module, data = Watched(), torch.ones(4, 1, 3)
    trainer = quiet_trainer(1, WeightNoise(0.1, start, seed))
    trainer.accumulate_grad_batches = accumulate
    trainer.fit(module, DataLoader(data, batch_size=None), DataLoader(data, batch_size=None))
    return module


pytestmark = pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers")


def test_each_step_is_taken_beside_the_weights_which_nobody_else_sees():
    module = watched()
    clean = module.network.weight
    steps = module.seen["step"]
    assert len(steps) == 4
    for i, step in enumerate(steps):
        assert not torch.equal(step, clean)
        assert not any(torch.equal(step, other) for other in steps[:i])
    for when in ("backward", "evaluation"):
        assert all(torch.equal(weight, clean) for weight in module.seen[when])
    assert all(torch.equal(bias, module.network.bias) for bias in module.seen["bias"])


def test_the_noise_is_that_of_the_seed_and_the_step_with_the_deviation_that_was_asked_for():
    one, same, other = watched(), watched(), watched(seed=1)
    assert all(map(torch.equal, one.seen["step"], same.seen["step"]))
    assert not any(map(torch.equal, one.seen["step"], other.seen["step"]))
    noise = torch.cat([watched(seed=seed).seen["step"][0] - one.network.weight for seed in range(60)])
    assert noise.std().item() == pytest.approx(0.1, rel=0.15)  # 360 numbers
    assert noise.mean().item() == pytest.approx(0.0, abs=0.02)


class Two(Watched):
    """Has another matrix before the one that is watched."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 6))


def test_on_a_cpu_it_is_one_stream_of_normal_numbers_from_matrix_to_matrix():
    """Runs that are kept were made so."""
    module, chance = Two(), torch.Generator().manual_seed(mixed(7, 3, "noise"))
    expected = [p + 0.1 * torch.randn(p.shape, generator=chance) for p in module.parameters() if p.ndim > 1]
    noise = WeightNoise(0.1, 0, 7)
    noise.add(module, 3)
    found = [p for p in module.parameters() if p.ndim > 1]
    assert all(torch.allclose(one, other, atol=1e-7) for one, other in zip(found, expected, strict=True))


@pytest.mark.gpu
def test_on_a_gpu_it_is_drawn_there_and_the_same_each_time():
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(0)
        module = Two().cuda()
        before = torch.cuda.get_rng_state()
        clean = module.network[1].weight.detach().clone()
        WeightNoise(0.1, 0, seed).add(module, 3)
        found.append(module.network[1].weight - clean)
        assert torch.equal(torch.cuda.get_rng_state(), before)
    assert found[0].is_cuda
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_there_is_none_before_its_first_step():
    module = watched(start=2)
    noisy = [not torch.equal(step, module.network.weight) for step in module.seen["step"]]
    assert noisy == [False, False, True, True]


def test_the_shares_of_a_step_see_one_noise_which_is_drawn_once(monkeypatch):
    drawn: list[tuple[object, ...]] = []
    monkeypatch.setattr(noise, "mixed", lambda *words: drawn.append(words) or mixed(*words))
    steps = watched(accumulate=2).seen["step"]
    assert torch.equal(steps[0], steps[1])
    assert torch.equal(steps[2], steps[3])
    assert not torch.equal(steps[0], steps[2])
    assert drawn == [(0, step, "noise") for step in (0, 1)]


def test_after_an_error_the_weights_are_without_noise():
    class Failing(Watched):
        validation_step = L.LightningModule.validation_step

        def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
            raise OSError("the power went out")

    module = Failing()
    clean = module.network.weight.detach().clone()
    with pytest.raises(OSError, match="the power"):
        quiet_trainer(1, WeightNoise(0.1, 0, 0)).fit(module, DataLoader(torch.ones(1, 1, 3), batch_size=None))
    assert torch.equal(module.network.weight, clean)


@pytest.mark.parametrize("start", [0, 7])
def test_a_run_with_noise_goes_on_to_the_bits_of_an_unbroken_one(tone_corpus, tmp_path, start):
    options = {"weight_noise": 0.05, "schedule": Schedule(s_r=2, s_noise=start, s_i=6, s_f=12)}
    plans = {
        name: Plan(folder=tmp_path / name, prepared=tone_corpus, options=options)
        for name in ("whole", "broken")
    }
    train(plans["whole"].job())
    plans["broken"].network = OneLayer(fails_at=6)
    with pytest.raises(OSError, match="the power"):
        train(plans["broken"].job())
    plans["broken"].network = OneLayer()
    train(plans["broken"].job())
    ends = [torch.load(plan.folder / "last.ckpt", weights_only=True)["state_dict"] for plan in plans.values()]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    quiet = Plan(folder=tmp_path / "quiet", prepared=tone_corpus)
    train(quiet.job())
    calm = torch.load(quiet.folder / "last.ckpt", weights_only=True)["state_dict"]
    assert not torch.equal(calm["network.layer.weight"], ends[0]["network.layer.weight"])


@pytest.mark.parametrize("shares", [2, 3])
def test_a_batch_in_shares_gives_the_step_of_the_whole_batch_up_to_rounding(tone_corpus, tmp_path, shares):
    found = []
    for accumulate in (1, shares):
        plan = Plan(
            folder=tmp_path / str(accumulate),
            prepared=tone_corpus,
            network=OneLayer(dropout=0.0),
            options={"batch": 3, "accumulate": accumulate},
            steps=8,
        )
        outcome = train(plan.job())
        state = torch.load(plan.folder / "last.ckpt", weights_only=True)["state_dict"]
        curves = (plan.folder / "curves.csv").read_text().splitlines()
        found.append((outcome, state["network.layer.weight"], curves))
    (whole, weights, curves), (parts, others, rows) = found
    assert (whole.steps, whole.epochs) == (parts.steps, parts.epochs) == (8, 4)
    assert torch.allclose(weights, others, atol=1e-5)
    assert not torch.equal(weights, OneLayer().layer.weight)
    for row, other in zip(curves[1:], rows[1:], strict=True):
        numbers = [list(map(float, line.split(","))) for line in (row, other)]
        assert numbers[0] == pytest.approx(numbers[1], rel=1e-3)


def test_shares_hold_each_utterance_of_a_batch_once(tone_corpus):
    part = tone_corpus.parts["train"]
    loader = training_loader(part, 3, 0, shares=2)
    assert len(loader) == 4
    shares = list(loader)
    assert len(shares) == 4
    seen = sorted(name for batch in shares if batch.weight for name in batch.ids)
    assert seen == sorted(part.ids)


def test_a_step_of_so_many_frames_is_made_of_utterances_of_like_length(tone_corpus, tmp_path):
    part = tone_corpus.parts["train"]
    loader = training_loader(part, 1, 0, frames=2 * max(part.frames))
    batches = list(loader)
    assert len(batches) == len(loader) < len(part.ids)
    assert sorted(name for batch in batches for name in batch.ids) == sorted(part.ids)
    options = {"frames": 2 * max(part.frames)}
    outcome = train(Plan(folder=tmp_path, prepared=tone_corpus, options=options).job())
    assert outcome.steps == outcome.epochs * len(loader)


def test_half_the_bits_in_products_learn_nearly_the_same(tone_corpus, tmp_path):
    losses = []
    for precision in ("float32", "bf16"):
        plan = Plan(
            folder=tmp_path / precision, prepared=tone_corpus, options={"precision": precision}, steps=30
        )
        losses.append(train(plan.job()).parts["dev"].loss)
        state = torch.load(plan.folder / "last.ckpt", weights_only=True)["state_dict"]
        assert state["network.layer.weight"].dtype == torch.float32
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
