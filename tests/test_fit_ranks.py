import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import deaths
import pytest
import torch
from lightning.pytorch.loggers import Logger
from ranks import Normed, Noting
from standins import Plan
from test_resume import FAST, Left, alive, folder_of, left
from torch import Tensor

from specaug import cli
from specaug.augment.apply import apply
from specaug.augment.draws import draw
from specaug.augment.keys import make_keys
from specaug.augment.policy import paper_policy
from specaug.speech.batching import bucketed
from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.run import Run
from specaug.training.callbacks import Progress
from specaug.training.data import Share, Utterances
from specaug.training.fit import Outcome, train
from specaug.training.ranks import Died

POLICY = paper_policy(F=4, m_F=1, T=10, m_T=1)
FINITE = 60.0  # seconds in which ranks that nobody waits for have left
BATCHES = 3  # of an epoch: two of two utterances, one of one


class Keeping(Logger):
    """Keeps what it is told of epochs, and of steps."""

    name, version = "keeping", 0

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[dict[str, float], int | None]] = []
        self.steps: list[tuple[dict[str, float], int | None]] = []
        self.ends: list[str] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        (self.rows if "epoch" in metrics else self.steps).append((metrics, step))

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        pass

    def finalize(self, status: str) -> None:
        self.ends.append(status)


class Trained(NamedTuple):
    """A job that is over, and all that can be seen of it."""

    outcome: Outcome
    network: Noting
    folder: Path
    notes: Path
    heard: list[Progress]
    logger: Keeping

    @property
    def curves(self) -> list[list[float]]:
        """The numbers of its rows."""
        rows = (self.folder / "curves.csv").read_text().splitlines()[1:]
        return [[float(number) for number in row.split(",")] for row in rows]


@pytest.fixture(scope="module")
def trained(tone_corpus, tmp_path_factory) -> Callable[[int], Trained]:
    """The same job in so many processes, inside a job of SLURM's."""
    done: dict[int, Trained] = {}

    def once(devices: int) -> Trained:
        if devices not in done:
            folder = tmp_path_factory.mktemp(f"devices-{devices}")
            (notes := folder / "notes").mkdir()
            network, heard, logger = Noting(notes), [], Keeping()
            plan = Plan(folder=folder / "run", prepared=tone_corpus, policy=POLICY, network=network, seed=3)
            plan.options, plan.loggers, plan.report = {"devices": devices}, [logger], heard.append
            with pytest.MonkeyPatch.context() as patch:
                if devices > 1:
                    for name, value in {
                        "SLURM_NTASKS": "5",
                        "SLURM_JOB_NAME": "x",
                        "SLURM_PROCID": "2",
                    }.items():
                        patch.setenv(name, value)
                outcome = train(plan.job())
            done[devices] = Trained(outcome, network, folder / "run", notes, heard, logger)
        return done[devices]

    return once


@pytest.mark.slow
def test_the_ranks_see_the_utterances_of_each_batch_once_with_the_masks_of_their_keys(trained, tone_corpus):
    part, notes = tone_corpus.parts["train"], trained(2).notes
    assert len(list(notes.iterdir())) == 2 * 4 * BATCHES
    batches = [
        (epoch, places) for epoch in range(4) for places in bucketed(part.ids, part.frames, 2, 3, epoch)
    ]
    for step, (epoch, places) in enumerate(batches):
        for rank in range(2):
            batch = Utterances(part)[Share(places[rank : rank + 1] or places[:1])]
            seen = torch.load(notes / f"{step}-{rank}.pt", weights_only=True)
            assert torch.equal(seen["targets"], batch.targets)
            if rank < len(places):  # else it stands in
                draws = draw(POLICY, batch.lengths, batch.features.shape[2], make_keys(3, epoch, batch.ids))
                assert torch.equal(seen["features"], apply(batch.features, batch.lengths, draws))


@pytest.mark.slow
def test_two_ranks_come_to_what_one_process_comes_to_up_to_rounding(trained):
    one, two = trained(1), trained(2)
    assert torch.allclose(one.network.layer.weight, two.network.layer.weight, atol=1e-5)
    assert not torch.allclose(one.network.layer.weight, Noting(one.notes).layer.weight, atol=0.01)
    for ours, theirs in zip(two.curves, one.curves, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)
    assert {name: part.words for name, part in two.outcome.parts.items()} == {
        name: part.words for name, part in one.outcome.parts.items()
    }
    for name in ("dev", "test"):
        assert two.outcome.parts[name].loss == pytest.approx(one.outcome.parts[name].loss, rel=1e-4)
    assert (two.outcome.epochs, two.outcome.steps) == (4, 12)
    assert two.outcome.in_force == one.outcome.in_force


@pytest.mark.slow
def test_the_masked_shares_are_those_of_all_ranks(trained):
    assert dict(trained(2).outcome.masked) == pytest.approx(dict(trained(1).outcome.masked), rel=1e-9)
    states = torch.load(trained(2).folder / "last.ckpt", weights_only=True)["callbacks"]
    (state,) = (states[name] for name in states if name.startswith("Augment"))
    assert state["utterances"] == 4 * 5


@pytest.mark.slow
def test_one_rank_writes_reports_and_logs(trained):
    one, two = trained(1), trained(2)
    assert {path.name for path in two.folder.iterdir()} == {path.name for path in one.folder.iterdir()}
    assert [row[0] for row in two.curves] == [1, 2, 3, 4]
    assert [step for _, step in two.logger.rows] == [3, 6, 9, 12] == [step for _, step in one.logger.rows]
    assert [list(row) for row, _ in two.logger.rows] == [list(row) for row, _ in one.logger.rows]
    assert two.logger.steps == one.logger.steps == [({"policy/strength": 1.0}, n) for n in range(12)]
    assert two.logger.ends[-1] == "success"
    steps = [progress.step for progress in two.heard]
    assert steps == sorted(set(steps)) != []
    assert {progress.steps for progress in two.heard} == {12}


def everything(plan: Plan) -> tuple[Outcome, dict[str, Tensor], str]:
    """The outcome of a job, its last weights, its curves."""
    outcome = train(plan.job())
    state = torch.load(plan.folder / "last.ckpt", weights_only=True)["state_dict"]
    return outcome, state, (plan.folder / "curves.csv").read_text()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_rank_fails_the_run_which_goes_on_to_the_bits_of_an_unbroken_one(tone_corpus, tmp_path):
    plan = Plan(folder=tmp_path / "whole", prepared=tone_corpus, policy=POLICY, network=Normed())
    plan.options = {"devices": 3, "batch": 3}
    whole = everything(plan)
    plan.folder, plan.network = tmp_path / "broken", Normed(killed_at=5)
    with pytest.raises(Died, match=r"rank 1 of 3 died \(SIGKILL\); the next start continues from"):
        train(plan.job())
    assert torch.load(plan.folder / "last.ckpt", weights_only=True)["global_step"] == 4
    plan.network = Normed()
    outcome, weights, curves = everything(plan)
    assert (outcome, curves) == (whole[0], whole[2])
    assert all(torch.equal(weights[name], whole[1][name]) for name in whole[1])
    assert torch.equal(plan.network.layer.weight, weights["network.layer.weight"])


LONG = ("training.schedule.s_i=200", "training.schedule.s_f=300", "policy=LD", "training.devices=2")


def command(laboratory: Path, runs: Path) -> list[str]:
    return ["train", str(laboratory / "experiments" / "tiny.yaml"), *LONG, "--runs", str(runs)]


@pytest.fixture(scope="module")
def unbroken(tiny, tmp_path_factory) -> Left:
    runs = tmp_path_factory.mktemp("unbroken")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        assert cli.main(command(tiny, runs)) == 0
    return left(runs)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("how", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)], ids=["SIGKILL", "Ctrl-C"]
)
def test_a_run_that_is_ended_leaves_no_rank_behind_and_goes_on_to_the_bits_of_an_unbroken_one(
    tiny, unbroken, tmp_path, monkeypatch, how, status
):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    runs, errors = tmp_path / "runs", tmp_path / "errors"
    environment = {**FAST, "MARK": str(tmp_path)}
    assert deaths.lived("workers", how, command(tiny, runs), environment, errors) == status
    assert "Traceback" not in errors.read_text()
    end = time.monotonic() + FINITE
    while alive(f"MARK={tmp_path}") and time.monotonic() < end:
        time.sleep(0.1)
    assert alive(f"MARK={tmp_path}") == []
    assert (folder_of(runs) / "last.ckpt").is_file()
    assert not (folder_of(runs) / "result.json").exists()
    assert cli.main(command(tiny, runs)) == 0
    assert left(runs) == unbroken


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.devices=0", "training: devices is 0; expected more than 0"),
        ("training.devices=3", "training: devices is 3; expected at most the 2 utterances of a batch"),
        ("training.devices=two", "training.devices is 'two'; input should be a valid integer"),
    ],
)
def test_devices_that_cannot_be_are_told_in_one_line(tiny, tmp_path, capsys, override, words):
    recipe = str(tiny / "experiments" / "tiny.yaml")
    assert cli.main(["train", recipe, override, "--runs", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_more_devices_than_gpus_are_refused_before_anything_is_written(tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    recipe = str(tiny / "experiments" / "tiny.yaml")
    assert cli.main(["train", recipe, "training.devices=2", "--runs", str(tmp_path)]) == 2
    assert "training.devices is 2; expected at most 1, the GPUs of this machine" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_number_of_devices_is_part_of_what_a_run_is(tiny):
    recipe = tiny / "experiments" / "tiny.yaml"
    places = Places.of(tiny)
    ids = {Run("tiny", load(recipe, [f"training.devices={n}"]).run(), places).id for n in (1, 2)}
    assert len(ids) == 2


def test_the_kept_runs_are_found_as_those_of_one_device(root):
    results = root / "docs" / "results"
    places = Places.of(root, runs=results)
    kept = [
        path for path in sorted(results.glob("*/*/recipe.yaml")) if (path.parent / "result.json").is_file()
    ]
    assert len(kept) >= 45
    for path in kept:
        recipe = load(path).run()
        run = Run(path.parent.parent.name, recipe, places)
        assert recipe.training.devices == 1
        assert run.finished
        assert run.folder.name == path.parent.name
        assert json.loads((run.folder / "result.json").read_text())["run"] == path.parent.name[-12:]
