"""The plan of a recipe, and what `specaug plan RECIPE` prints."""

import argparse
import csv
import math
import re
from collections.abc import Callable
from dataclasses import replace
from statistics import fmean
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from benchmarks.cost import compared
from specaug.cli.cost import idle
from specaug.cli.plan import add_plan
from specaug.errors import UserError
from specaug.speech.corpora.options import Fsdd, LibriSpeech, Manifests
from specaug.speech.options import Features
from specaug.study.cost import costs as module
from specaug.study.cost.corpus import Lengths, frames_of, lengths_of, shares_of
from specaug.study.cost.costs import LAUNCH, NOISED, STREAMED, UPDATED, USED
from specaug.study.cost.gpus import GPUS
from specaug.study.cost.known import (
    LIBRISPEECH,
    READ,
    SWITCHBOARD,
    TALKED,
    Facts,
    at,
    facts_of,
    known,
    seconds,
)
from specaug.study.cost.laws import Law
from specaug.study.cost.machines import GIB, Machine, named
from specaug.study.cost.made_up import made_up
from specaug.study.cost.plan import Plan, planned
from specaug.study.cost.timing import Timed, noise_of
from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.recipe import Recipe
from specaug.study.run import Run, prepared_run
from specaug.training.data import steps_of
from specaug.training.module import Trained
from specaug.training.options import Training
from specaug.training.schedule import Schedule


def test_librispeech_has_the_hours_of_its_paper():
    assert sum(facts.hours for name, facts in LIBRISPEECH.items() if "train" in name) == pytest.approx(960.9)
    assert sum(facts.utterances for name, facts in LIBRISPEECH.items() if "train" in name) == 281_241


@given(st.integers(1, 400), st.floats(0.01, 10), st.sampled_from([READ, TALKED]))
def test_assumed_lengths_add_up_to_the_hours_and_grow(utterances, hours, spread):
    made = seconds(Facts(utterances, hours), spread)
    assert len(made) == utterances
    assert sum(made) == pytest.approx(3600 * hours)
    assert made == sorted(made)


def test_a_share_of_the_utterances_is_shorter():
    assert [at(share, READ) for share, _ in READ] == [length for _, length in READ]
    assert at(0.35, READ) == pytest.approx((9.5 + 13.9) / 2)


def test_corpora_are_known_by_name():
    whole = known(LibriSpeech(train=("train-clean-100", "train-clean-360")))
    assert len(whole["train"]) == 28_539 + 104_014
    assert len(whole["dev"]) == 2_703 + 2_864
    for corpus in (
        SimpleNamespace(name="switchboard"),
        Manifests(train="data/swbd/train.jsonl", dev="d.jsonl"),
    ):
        assert facts_of(corpus)["train"] == [SWITCHBOARD["train"]]
    assert known(Manifests(train="data/train.jsonl", dev="data/dev.jsonl")) is None
    assert known(LibriSpeech(train=("train-clean-5",))) is None
    assert known(Fsdd()) is None


@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=20),
    st.integers(1, 12),
    st.sampled_from([0, 200, 5000]),
    st.integers(1, 3),
)
def test_there_are_as_many_batches_as_training_has_and_nothing_is_left_out(frames, batch, most, accumulate):
    if accumulate > batch:
        return
    lengths = Lengths({"train": frames}, 0.1)
    options = Training(batch=batch, frames=most, accumulate=accumulate)
    batches = lengths.batches(options)
    assert sorted(n for own in batches for n in own) == sorted(frames)
    assert len(batches) == steps_of(made_up(frames, 0.1, 1, 5), batch, most)
    for own in batches:
        shares = shares_of(own, options)
        assert sorted(n for share in shares for n in share) == sorted(own)
        assert max(map(len, shares)) == -(-len(own) // accumulate)


def test_a_process_has_its_share_of_a_batch():
    assert shares_of([*range(10)], Training(batch=10, devices=2, accumulate=2)) == [[0, 4, 8], [2, 6]]
    assert shares_of([5], Training(batch=10, devices=2, accumulate=2)) == [[5]]


def test_the_frames_of_manifests_are_those_of_the_features(laboratory):
    recipe, places = load(laboratory / "experiments" / "tiny.yaml"), Places.of(laboratory)
    from specaug.study.laboratory import on_path

    with on_path(laboratory):
        data = prepared_run(Run("tiny", recipe.run(), places))[1]
    lengths = lengths_of(recipe, places)
    assert {name: list(frames) for name, frames in lengths.frames.items()} == {
        name: list(part.frames) for name, part in data.parts.items()
    }
    labels = sum(len(own) for own in data.parts["train"].labels)
    assert lengths.labels == pytest.approx(labels / sum(lengths.train))
    assert lengths.assumed == ""
    assert (lengths.longest, lengths.typical) == (max(lengths.train), fmean(lengths.train))


@pytest.mark.parametrize("length", [0.0, 0.024, 0.025, 0.0349, 0.035, 12.34])
def test_frames_are_whole_windows(length):
    features = Features()
    samples, window, shift = round(length * 16_000), 400, 160
    assert frames_of([length], features) == [max(0, (samples - window) // shift + 1)]


def test_a_corpus_that_is_not_at_hand_is_assumed_where_it_is_known(laboratory):
    path = laboratory / "experiments" / "libri.yaml"
    path.write_text("corpus: librispeech\ntext: {pieces: 100}\n")
    lengths = lengths_of(load(path), Places.of(laboratory))
    assert "assumed" in lengths.assumed
    assert "LibriSpeech: no such folder" in lengths.assumed
    assert sum(lengths.train) * 0.01 / 3600 == pytest.approx(100.6, rel=0.01)
    assert lengths.labels == 15 * 0.01 / 4
    path.write_text("corpus: {name: manifests, train: data/none.jsonl, dev: data/dev.jsonl}\n")
    with pytest.raises((UserError, OSError), match=r"none\.jsonl"):
        lengths_of(load(path), Places.of(laboratory))


LAW = {
    "flops": Law(0.0, 0.0, 1e7, 100.0),
    "moved": Law(1e6, 1e3, 1e5, 0.0),
    "launches": Law(500.0, 2.0, 0.0, 0.0),
    "activations": Law(1e6, 0.0, 1e4, 1.0),
}
LENGTHS = Lengths({"train": [100, 200, 300, 400, 500], "dev": [100, 300], "test": [200]}, 0.1)


def plan_on(machine: Machine, timed: Timed | None = None, **options: object) -> Plan:
    """A plan whose numbers can be told by hand."""
    schedule = Schedule(s_r=1, s_i=2, s_f=8)
    training = Training(**{"batch": 5, "schedule": schedule, "evaluate_every": 2, **options})
    return Plan(Recipe(training=training), machine, LENGTHS, 1_000_000, LAW, timed)


def test_a_plan_adds_up_by_hand():
    plan = plan_on(named("2xH100"))
    kind = named("H100").kind
    assert (plan.runs, plan.epochs, plan.steps, plan.beside) == (15, 8, 8, 2)
    flops = 5 * (1e7 * 500 + 100 * 500**2)
    moved = 1e6 + 1e3 * 500 + 5 * 1e5 * 500 + UPDATED * 1e6
    assert (plan.flops, plan.moved) == (flops, moved)
    step = flops / (USED * kind.float32) + moved / (STREAMED * kind.bandwidth)
    assert plan.step == max(step, (500 + 2 * 500) * LAUNCH)
    heard = [sum(1e7 * n + 100 * n**2 for n in frames) for frames in LENGTHS.frames.values()]
    assert plan.evaluation == pytest.approx(Plan.EVALUATED * (5 * heard[1] + heard[2]) / heard[0] * plan.step)
    assert plan.run == plan.training + plan.evaluation == 8 * plan.step + plan.evaluation
    assert plan.all_runs == 8 * plan.run
    assert plan.storage == 2100 * 80 * 4
    assert plan.need.of(5) == 16e6 + 1e6 + 5 * (1e4 * 500 + 500**2)


def test_a_slow_gpu_waits_for_products_and_bytes():
    slow = replace(named("H100"), kind=replace(named("H100").kind, float32=1e12, bandwidth=1e10))
    plan = plan_on(slow)
    assert plan.step == pytest.approx(plan.flops / (USED * 1e12) + plan.moved / (STREAMED * 1e10))


def test_on_this_machine_the_measured_rate_counts():
    here = Machine("here", 4, 8.0 * GIB, shared=True)
    took = Timed(2.0, 0.5, 0.25, [[300, 200], [100]], True)
    plan = plan_on(here, took)
    rate = (2 * (1e7 * 300 + 100 * 300**2) + 1e7 * 100 + 100 * 100**2) / 2
    assert plan.step == pytest.approx(plan.flops / rate + 0.5)
    assert plan.beside == 4
    late = Schedule(s_r=1, s_noise=2, s_i=2, s_f=8)
    noisy = plan_on(here, took, weight_noise=0.1, schedule=late)
    assert noisy.step == pytest.approx(plan.step + 6 / 8 * 0.25)


@pytest.mark.parametrize(("start", "share"), [(0, 1.0), (2, 0.75), (8, 0.0)])
def test_weight_noise_moves_bytes_in_the_steps_that_have_it(start, share):
    late = Schedule(s_r=1, s_noise=start, s_i=2, s_f=8)
    quiet, noisy = (plan_on(named("H100"), weight_noise=noise, schedule=late) for noise in (0.0, 0.1))
    assert noisy.noisy == share
    assert noisy.moved == quiet.moved + share * NOISED * 1_000_000
    assert noisy.flops == quiet.flops


@pytest.mark.parametrize("deviation", [0.0, 0.1])
def test_the_time_of_weight_noise_is_measured_where_there_is_any(deviation):
    network = nn.Linear(300, 300)
    before = network.weight.detach().clone()
    took = noise_of(Trained(network, Training(weight_noise=deviation)))
    assert (took > 0) == (deviation > 0)
    assert torch.equal(network.weight, before)


def test_more_shares_cost_more_bytes_and_less_memory():
    one, two = plan_on(named("H100")), plan_on(named("H100"), accumulate=2)
    assert two.mean("launches") == pytest.approx(2 * one.mean("launches"), rel=0.3)
    assert two.need.of(two.at_once) < one.need.of(one.at_once)
    assert (one.at_once, two.at_once) == (5, 3)


def test_two_devices_halve_the_work_of_each():
    one, two = plan_on(named("4xH100"), batch=4), plan_on(named("4xH100"), batch=4, devices=2)
    assert two.beside == 2
    assert two.mean("flops") <= one.mean("flops") * 0.75
    assert two.moved > one.moved  # weights are read twice


@pytest.fixture
def specaug_plan(capsys) -> Callable[..., str]:
    """What `specaug plan` prints."""

    def call(*words: object) -> str:
        parser = argparse.ArgumentParser()
        add_plan(parser.add_subparsers())
        arguments = parser.parse_args(["plan", *map(str, words)])
        assert arguments.verb(arguments) == 0
        return capsys.readouterr().out

    return call


@pytest.fixture
def patient(monkeypatch) -> None:
    """Plans of this machine that time little."""
    monkeypatch.setattr(module, "SAMPLE", 2)


def rows_of(told: str) -> dict[str, dict[str, str]]:
    """The rows that programs read, by quantity."""
    lines = [line for line in told.splitlines() if not line.startswith("#")]
    return {row["quantity"]: row for row in csv.DictReader(lines, delimiter="\t")}


def test_the_cost_on_gpus_is_printed_for_programs(specaug_plan, tiny):
    told = specaug_plan(
        tiny / "experiments" / "tiny.yaml", "training.batch=3", "--gpus", "2xA100", "--format", "tsv"
    )
    rows = rows_of(told)
    assert len(rows) == len([line for line in told.splitlines() if not line.startswith("#")]) - 1
    assert [rows[name]["value"] for name in ("training utterances", "steps of an epoch", "epochs")] == [
        "6",
        "2",
        "6",
    ]
    assert [rows[name]["value"] for name in ("steps of a run", "runs", "runs at a time")] == ["12", "4", "2"]
    count = float(rows["parameters"]["value"])
    assert [float(rows[name]["value"]) for name in ("weights", "gradients", "Adam's moments")] == [
        4 * count,
        4 * count,
        8 * count,
    ]
    parts = ("weights", "gradients", "Adam's moments", "activations")
    assert sum(float(rows[name]["value"]) for name in parts) == pytest.approx(
        float(rows["memory of a process"]["value"])
    )
    assert float(rows["time of all runs"]["value"]) == pytest.approx(
        2 * float(rows["time of a run"]["value"])
    )
    assert "# assumed, not measured: 35 % of the peak of 19.5 TFLOP/s in float32" in told
    assert "NVIDIA A100 80GB data sheet" in told


@pytest.mark.usefixtures("patient")
def test_the_cost_here_is_measured(specaug_plan, laboratory):
    told = specaug_plan(laboratory / "experiments" / "tiny.yaml", "seeds=0")
    assert "tiny.yaml on this machine" in told
    assert "measured here: " in told
    assert "assumed" not in told
    assert "time of a step" in told
    assert not (laboratory / "runs").exists()


def test_passes_that_are_counted_are_told_as_they_go(laboratory):
    recipe, heard = load(laboratory / "experiments" / "tiny.yaml"), []
    planned(recipe, Places.of(laboratory), named("H100"), lambda *told: heard.append(told))
    assert heard[-5:] == [("passes that are counted", done, 4) for done in range(5)]


def test_a_batch_that_does_not_fit_is_said_in_the_plan(specaug_plan, laboratory, monkeypatch):
    recipe, places = load(laboratory / "experiments" / "tiny.yaml"), Places.of(laboratory)
    small = replace(named("H100"), memory=planned(recipe, places, named("H100")).need.of(3) / 0.89)
    monkeypatch.setattr("specaug.study.cost.machines.named", lambda gpus: small)
    told = specaug_plan(laboratory / "experiments" / "tiny.yaml", "training.batch=6", "--gpus", "H100")
    assert "does not fit: training.batch is 6: 6 utterances at once" in " ".join(told.split())
    assert "training.accumulate=" in told


@pytest.mark.parametrize(
    ("runs", "gpus", "options", "told"),
    [
        (1, 8, {}, "used: 1 of the 8 GPUs, by 1 run at a time with training.devices=1"),
        (3, 8, {"batch": 16}, "3 of the 8 .* 3 runs at a time .*; a run takes all with training.devices=8 training.accumulate=1"),
        (1, 8, {"batch": 512, "accumulate": 32}, "; .* training.devices=8 training.accumulate=4"),
        (1, 8, {"batch": 64, "accumulate": 3, "devices": 4}, "4 of the 8 .* 1 run .* training.accumulate=2"),
        (5, 4, {}, ""),
        (1, 1, {}, ""),
        (2, 4, {"devices": 2}, ""),
    ],
)  # fmt: skip
def test_gpus_that_stand_idle_are_told_and_how_a_run_takes_all(runs, gpus, options, told):
    plan = plan_on(named(f"{gpus}xH100"), **options)
    plan = replace(
        plan, recipe=replace(plan.recipe, seeds=tuple(range(runs)), policies=plan.recipe.policies[:1])
    )
    found = idle(plan)
    assert len(found) == bool(told)
    assert all(re.search(rf"{told}\.$", line) for line in found)


def test_cores_of_this_machine_may_stand_idle():
    assert idle(plan_on(Machine("here", 64, 1.0 * GIB, shared=True))) == []


def test_the_help_names_every_kind_of_gpu(capsys):
    parser = argparse.ArgumentParser()
    add_plan(parser.add_subparsers())
    with pytest.raises(SystemExit):
        parser.parse_args(["plan", "--help"])
    told = capsys.readouterr().out
    assert all(kind in told for kind in GPUS)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["none.yaml", "--gpus", "8xH100"], r"none\.yaml: no such recipe"),
        (["tiny.yaml", "--gpus", "8xH10"], "unknown kind 'H10'; did you mean 'H100'"),
        (["tiny.yaml", "--gpus", "0xH100"], "1 GPU or more"),
        (
            ["tiny.yaml", "training.devices=2", "--gpus", "H100"],
            "training.devices is 2; expected at most the 1 of 1 x H100",
        ),
        (["tiny.yaml", "policy=LD", "--gpus", "H100"], "policy is for `specaug train`"),
        (
            ["tiny.yaml", "network.path=models.none.None", "--gpus", "H100"],
            "unknown network 'models.none.None'",
        ),
        (["tiny.yaml", "seeds=[]", "--gpus", "H100"], "policies or seeds are empty"),
        (["tiny.yaml", "--effect", "1"], "--effect plans seeds, and .*tiny.yaml cost"),
        (["tiny.yaml", "--seed-sd", "1"], "--seed-sd plans seeds"),
        (["tiny.yaml", "--power", "0.9"], "--power plans seeds"),
    ],
)
def test_what_cannot_be_planned_is_told(specaug_plan, tiny, words, told):
    with pytest.raises(UserError, match=told):
        specaug_plan(tiny / "experiments" / words[0], *words[1:])


@pytest.mark.parametrize(
    ("words", "told"),
    [([], "expected a RECIPE"), (["--effect", "1", "--gpus", "H100"], "--gpus is for the cost")],
)
def test_seeds_and_cost_are_not_mixed(specaug_plan, words, told):
    with pytest.raises(UserError, match=told):
        specaug_plan(*words)


def test_a_network_that_fails_is_named(laboratory):
    (laboratory / "models" / "odd.py").write_text(
        "from torch import nn\n"
        "class Odd(nn.Module):\n"
        "    def __init__(self, mel, vocab): super().__init__()\n"
        "    def loss(self, *_): raise RuntimeError('three is no shape')\n"
        "    def transcribe(self, *_): return []\n"
    )
    recipe = load(laboratory / "experiments" / "tiny.yaml", ["network={path: models.odd.Odd}"])
    with pytest.raises(UserError, match="network Odd fails on a batch: RuntimeError: three is no shape"):
        planned(recipe, Places.of(laboratory), named("H100"))


def test_a_network_with_no_room_here_is_told(laboratory, monkeypatch):
    recipe = load(laboratory / "experiments" / "tiny.yaml", ["network.arguments.width=20000"])
    monkeypatch.setattr(module, "here", lambda: Machine("a stand-in", 1, 4.0 * GIB, shared=True))
    with pytest.raises(
        UserError, match=r"to count what a step takes its .* parameters need .* of a stand-in"
    ):
        planned(recipe, Places.of(laboratory), named("H100"))


@pytest.mark.usefixtures("patient")
def test_a_timed_run_keeps_within_its_patience(laboratory):
    recipe = load(laboratory / "experiments" / "tiny.yaml", ["training.batch=6"])
    cut = planned(recipe, Places.of(laboratory), patience=1e-6).timed
    assert cut is not None
    assert [len(shape) for shape in cut.shapes] == [1]
    assert not cut.whole
    whole = planned(recipe, Places.of(laboratory), patience=600.0).timed
    assert whole is not None
    assert sorted(map(len, whole.shapes)) == [6]
    assert whole.whole


@pytest.mark.usefixtures("patient")
def test_the_benchmark_compares_a_plan_with_a_run(laboratory):
    found = compared(laboratory / "experiments" / "tiny.yaml", ["training.batch=3"], None, 0.01)
    assert [row.what for row in found] == ["a step", "a pass over dev"]
    assert all(math.isfinite(row.ratio) and row.ratio > 0 for row in found)
    assert not (laboratory / "runs").exists()
