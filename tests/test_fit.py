import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.loggers import Logger
from standins import OneLayer, Plan, Scripted, Seen, tones
from torch import Tensor

from specaug.augment.apply import apply
from specaug.augment.draws import draw
from specaug.augment.keys import make_keys
from specaug.augment.policy import NONE, paper_policy
from specaug.speech.batching import bucketed
from specaug.training.data import Share, Utterances
from specaug.training.fit import Outcome, train
from specaug.training.schedule import Schedule

POLICY = paper_policy(F=4, m_F=1, T=10, m_T=1)


class Dying(Logger):
    """A logger that fails at the row of one epoch: after the row is written, before the checkpoint is."""

    name, version = "dying", 0

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if metrics.get("epoch") == self.epoch:
            raise OSError("the power went out")

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        pass


def everything(plan: Plan) -> tuple[Outcome, dict[str, Tensor], str]:
    """The outcome of a job, its last weights, its curves."""
    outcome = train(plan.job())
    state = torch.load(plan.folder / "last.ckpt", weights_only=True)["state_dict"]
    return outcome, state, (plan.folder / "curves.csv").read_text()


def same(one: tuple[Outcome, dict[str, Tensor], str], other: tuple[Outcome, dict[str, Tensor], str]) -> bool:
    """To the bit."""
    weights = all(torch.equal(one[1][name], other[1][name]) for name in one[1])
    return one[0] == other[0] and weights and one[2] == other[2]


def test_the_same_job_twice_gives_the_same_weights_and_curves_to_the_bit(tone_corpus, tmp_path):
    once, again = (
        everything(Plan(folder=tmp_path / name, prepared=tone_corpus, policy=POLICY)) for name in "ab"
    )
    assert same(once, again)
    assert not torch.equal(once[1]["network.layer.weight"], OneLayer().layer.weight)


@pytest.mark.parametrize(
    ("fails_at", "dies_at", "left"),
    [
        pytest.param(0, 0, 12, id="in the first step"),
        pytest.param(4, 0, 9, id="in the second epoch"),
        pytest.param(6, 0, 6, id="in the first step of the third epoch"),
        pytest.param(11, 0, 3, id="in the last step"),
        pytest.param(None, 1, 12, id="between the first row and its checkpoint"),
        pytest.param(None, 3, 6, id="between the third row and its checkpoint"),
        pytest.param(None, 4, 3, id="between the last row and its checkpoint"),
    ],
)
def test_a_stopped_job_goes_on_to_the_bits_of_an_unbroken_one(tone_corpus, tmp_path, fails_at, dies_at, left):
    whole = everything(Plan(folder=tmp_path / "whole", prepared=tone_corpus, policy=POLICY))
    plan = Plan(folder=tmp_path / "broken", prepared=tone_corpus, policy=POLICY, loggers=[Dying(dies_at)])
    plan.network = OneLayer(fails_at=fails_at)
    with pytest.raises(OSError, match="the power went out"):
        train(plan.job())
    plan.network, plan.loggers = OneLayer(), ()
    torch.manual_seed(12345)  # another process has another state
    assert same(whole, everything(plan))
    assert len(plan.network.steps) == left


def test_a_job_that_is_finished_is_answered_from_its_checkpoint(tone_corpus, tmp_path):
    plan = Plan(folder=tmp_path, prepared=tone_corpus, policy=POLICY)
    once = everything(plan)
    plan.network = OneLayer()
    assert same(once, everything(plan))
    assert plan.network.steps == []


def test_two_policies_with_one_seed_start_from_the_same_weights_and_see_the_same_batches(
    tone_corpus, tmp_path
):
    seen: list[list[Seen]] = []
    for name, policy in (("none", NONE), ("masked", POLICY)):
        network = OneLayer()
        start = network.layer.weight.clone()
        train(Plan(folder=tmp_path / name, prepared=tone_corpus, policy=policy, network=network).job())
        assert torch.equal(start, OneLayer().layer.weight)
        seen.append(network.steps)
    plain, masked = seen
    assert [(s.lengths, s.targets) for s in plain] == [(s.lengths, s.targets) for s in masked]
    for a, b in zip(plain, masked, strict=True):
        kept = b.features != 0
        assert torch.equal(a.features[kept], b.features[kept])
    assert any(not torch.equal(a.features, b.features) for a, b in zip(plain, masked, strict=True))


def test_the_masks_of_a_job_are_those_of_its_seed_the_epoch_and_the_utterances(tone_corpus, tmp_path):
    part, network = tone_corpus.parts["train"], OneLayer()
    train(Plan(folder=tmp_path, prepared=tone_corpus, policy=POLICY, seed=3, network=network).job())
    seen = iter(network.steps)
    for epoch in range(4):
        for places in bucketed(part.ids, part.frames, 2, 3, epoch):
            batch = Utterances(part)[Share(places)]
            draws = draw(POLICY, batch.lengths, batch.features.shape[2], make_keys(3, epoch, batch.ids))
            assert torch.equal(next(seen).features, apply(batch.features, batch.lengths, draws))


def test_another_seed_sees_other_batches(tone_corpus, tmp_path):
    networks = [OneLayer(), OneLayer()]
    for seed, network in enumerate(networks):
        train(Plan(folder=tmp_path / str(seed), prepared=tone_corpus, seed=seed, network=network).job())
    one, other = ([seen.targets for seen in network.steps] for network in networks)
    assert one != other


def test_dropout_hides_other_cells_in_each_epoch(tone_corpus, tmp_path):
    class Noticing(OneLayer):
        def __init__(self) -> None:
            super().__init__(dropout=0.5)
            self.first: list[Tensor] = []

        def loss(self, *batch: Tensor) -> Tensor:
            state = torch.get_rng_state()
            self.first.append(torch.rand(4))
            torch.set_rng_state(state)
            return super().loss(*batch)

    network = Noticing()
    train(Plan(folder=tmp_path, prepared=tone_corpus, network=network).job())
    drawn = [tuple(n.tolist()) for n, seen in zip(network.first, network.seen, strict=True) if seen.training]
    assert len(set(drawn)) == len(drawn) == 12


def test_five_utterances_are_learned_by_heart(tone_corpus, tmp_path):
    parts = {**tone_corpus.parts, "dev": tone_corpus.parts["train"]}
    plan = Plan(folder=tmp_path, prepared=replace(tone_corpus, parts=parts), steps=240, options={"peak": 0.2})
    outcome = train(plan.job())
    assert [t.hypothesis for t in outcome.parts["dev"].transcripts] == [
        "ab",
        "cab dad",
        "bad",
        "a dab",
        "cc d",
    ]
    assert outcome.parts["dev"].words.rate == 0
    assert (outcome.epochs, outcome.steps) == (80, 240)


@pytest.mark.parametrize(("steps", "epochs"), [(9, 3), (10, 4), (12, 4), (3, 1)])
def test_training_ends_with_the_epoch_in_which_the_last_step_of_the_schedule_falls(
    tone_corpus, tmp_path, steps, epochs
):
    schedule = Schedule(s_r=0, s_i=0, s_f=steps)
    plan = Plan(folder=tmp_path, prepared=tone_corpus, options={"schedule": schedule})
    assert train(plan.job()).epochs == epochs


def test_every_part_but_train_is_tested_and_what_was_masked_is_told(tone_corpus, tmp_path):
    outcome = train(Plan(folder=tmp_path, prepared=tone_corpus, policy=POLICY).job())
    assert list(outcome.parts) == ["dev", "test"]
    assert [t.reference for t in outcome.parts["test"].transcripts] == ["abc"]
    assert 0 < outcome.masked["cells"] < 1


@pytest.mark.parametrize(("report", "wer"), [("last", 1.0), ("best", 0.0)])
def test_the_checkpoint_that_the_recipe_names_is_the_one_that_is_tested(tmp_path, report, wer):
    prepared = tones(tmp_path, {"train": ["a", "a"], "dev": ["a"], "test": ["a"]})
    network = Scripted([False, True, True, False], batches=1)
    plan = Plan(
        folder=tmp_path / "run", prepared=prepared, network=network, steps=4, options={"report": report}
    )
    outcome = train(plan.job())
    assert {part: scores.words.rate for part, scores in outcome.parts.items()} == {"dev": wer, "test": wer}


@pytest.mark.parametrize("every", [1, 3, 9])
def test_the_last_epoch_is_always_evaluated_and_so_there_is_a_best_checkpoint(tone_corpus, tmp_path, every):
    plan = Plan(folder=tmp_path, prepared=tone_corpus, options={"evaluate_every": every, "report": "best"})
    train(plan.job())
    rows = (tmp_path / "curves.csv").read_text().splitlines()[1:]
    measured = [n for n, row in enumerate(rows, 1) if row.split(",")[5]]
    assert measured == {1: [1, 2, 3, 4], 3: [3, 4], 9: [4]}[every]


def test_evaluation_works_on_no_more_utterances_together_than_training(tone_corpus, tmp_path):
    network = OneLayer()
    train(Plan(folder=tmp_path, prepared=tone_corpus, network=network, options={"accumulate": 2}).job())
    assert {len(seen.lengths) for seen in network.seen} == {1}
    assert len(network.seen) > len(network.steps)


def test_ctrl_c_is_ctrl_c(tone_corpus, tmp_path):
    network = OneLayer(fails_at=4)
    network.failure = KeyboardInterrupt()
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(Plan(folder=tmp_path, prepared=tone_corpus, network=network).job())
    finally:
        signal.signal(signal.SIGINT, before)  # Lightning ignores a second Ctrl-C
    assert (tmp_path / "last.ckpt").is_file()


def test_a_run_leaves_its_curves_and_its_checkpoints_and_nothing_else(tone_corpus, tmp_path: Path):
    train(Plan(folder=tmp_path, prepared=tone_corpus).job())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.ckpt", "curves.csv", "last.ckpt"]
