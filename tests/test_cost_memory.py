"""Too large for this machine: said before training, with what would fit."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from standins import MEL, OneLayer
from torch import Tensor, nn

from specaug.errors import UserError
from specaug.study.cost.gpus import GPUS
from specaug.study.cost.machines import GIB, Machine, here, installed, named
from specaug.study.cost.memory import (
    Need,
    enough_shares,
    largest,
    needed_by,
    on_meta,
    parameters_of,
    require_room,
    require_weights,
    states,
)
from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.run import Run, prepared_run
from specaug.training.options import Training


def memory(gibibytes: float, shared: bool = False) -> Machine:
    """A machine that trains in so much memory."""
    return Machine("a stand-in", 2, gibibytes * GIB / (0.75 if shared else 0.9), shared)


@pytest.mark.parametrize(
    ("said", "count", "kind"),
    [
        ("8xH100", 8, "H100"),
        ("h200", 1, "H200"),
        (" 2 x a100-40gb ", 2, "A100-40GB"),
        ("16XV100", 16, "V100"),
    ],
)
def test_gpus_are_read_by_number_and_kind(said, count, kind):
    machine = named(said)
    assert (machine.devices, machine.kind, machine.shared) == (count, GPUS[kind], False)
    assert kind in machine.name


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("0xH100", "1 GPU or more, as in 8xH100"),
        ("-1xH100", "1 GPU or more"),
        ("", "expected NxKIND"),
        ("8 H100 H200", "expected NxKIND"),
        ("8xH10", "unknown kind 'H10'; did you mean 'H100'?"),
        ("8xTPU", "unknown kind 'TPU'; known: B200, H200, H100"),
    ],
)
def test_gpus_that_there_are_not_are_named(said, told):
    with pytest.raises(UserError, match=re.escape(told)):
        named(said)


def test_rates_are_dense_and_memory_is_in_plain_bytes():
    for name, kind in GPUS.items():
        assert kind.float32 <= kind.bf16 <= 40 * kind.float32, name
        assert 1e9 < kind.memory < 1e12 < kind.float32, name
        assert kind.peak("bf16") == kind.bf16
        assert kind.peak("float32") == kind.float32
    assert GPUS["H200"].bandwidth > GPUS["H100"].bandwidth


def test_processes_share_a_machine_and_have_a_gpu_each():
    assert named("4xH100").room(4) == named("4xH100").room(1) == pytest.approx(0.9 * 80e9)
    assert memory(8, shared=True).room(4) == pytest.approx(2 * GIB)


def test_the_limit_of_a_container_counts_where_it_is_lower(tmp_path):
    whole = installed(())
    assert whole > GIB / 4
    for said, size in (("1048576\n", 2**20), ("max\n", whole), (str(2**63), whole)):
        (tmp_path / "limit").write_text(said)
        assert installed([tmp_path / "none", tmp_path / "limit"]) == size


def test_this_machine_has_devices_and_memory():
    machine = here()
    assert machine.devices >= 1
    assert machine.kind is None
    assert machine.room(1) > GIB / 8


@pytest.mark.parametrize(
    ("options", "bytes_each"),
    [({}, 16), ({"weight_noise": 0.1}, 20), ({"devices": 2}, 20), ({"devices": 2, "weight_noise": 0.1}, 24)],
)
def test_a_parameter_takes_sixteen_bytes_and_its_copies(options, bytes_each):
    assert states(Training(**options)) == bytes_each


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(1, 1e5), st.floats(0, 1e8))
def test_the_most_that_fits_fits_and_one_more_does_not(weights, fixed, each, room):
    need = Need(weights, fixed, each)
    most = need.most(room)
    assert most == 0 or need.of(most) <= room * (1 + 1e-9)
    assert need.of(most + 1) > room * (1 - 1e-9)


@given(
    batch=st.integers(1, 60),
    devices=st.integers(1, 4),
    accumulate=st.integers(1, 4),
    frames=st.sampled_from([0, 500, 5000]),
    most=st.integers(1, 40),
)
def test_the_largest_batch_and_the_shares_that_are_named_would_fit(batch, devices, accumulate, frames, most):
    if batch < devices or batch // devices < accumulate:
        return
    options = Training(batch=batch, devices=devices, accumulate=accumulate, frames=frames)
    size = largest(options, 100, most)
    name = "frames" if frames else "batch"
    assert replace(options, **{name: size}).at_once(100) == most
    assert replace(options, **{name: size + 100}).at_once(100) > most
    if shares := enough_shares(options, 100, most):
        assert replace(options, accumulate=shares).at_once(100) <= most
        assert shares == accumulate + 1 or replace(options, accumulate=shares - 1).at_once(100) > most


def test_what_an_utterance_needs_is_measured_at_the_longest(tone_corpus):
    part, options = tone_corpus.parts["train"], Training(batch=2)
    network = nn.ModuleList([Plain()])[0]
    need = needed_by(network, part, options)
    longest = max(part.frames)
    features = longest * MEL * 4
    assert need.weights == 16 * parameters_of(network)
    assert need.each == features * 3  # saved once, and its gradients
    assert need.fixed == 0


class Plain(nn.Module):
    """A linear layer behind a normalisation that remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(MEL, 1)
        self.register_buffer("heard", torch.zeros(1))

    def loss(self, features: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        self.heard += features.numel()
        torch.rand(3)
        return self.layer(features).sum()

    def transcribe(self, features: Tensor, lengths: Tensor) -> list[list[int]]:
        return [[] for _ in lengths]


def test_measuring_leaves_network_and_chance_as_they_were(tone_corpus):
    network = Plain()
    before = torch.get_rng_state()
    needed_by(network, tone_corpus.parts["train"], Training())
    assert network.heard == 0
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_that_fits_is_let_through(tone_corpus):
    require_room(OneLayer(), tone_corpus.parts["train"], Training(batch=4), memory(1))


def test_a_batch_that_cannot_fit_is_told_with_what_would(tone_corpus):
    part, network = tone_corpus.parts["train"], Plain()
    options = Training(batch=8)
    need = needed_by(network, part, options)
    machine = memory(need.of(3) / GIB)
    with pytest.raises(UserError) as told:
        require_room(network, part, options, machine)
    assert str(told.value).startswith("training.batch is 8: 8 utterances at once, of up to ")
    assert "GiB, of the" in str(told.value)
    assert str(told.value).endswith("at most training.batch=3, or training.accumulate=3")
    require_room(network, part, replace(options, batch=3), machine)
    require_room(network, part, replace(options, accumulate=3), machine)
    with pytest.raises(UserError, match=r"training.batch=6, or training.accumulate=3"):
        require_room(network, part, replace(options, accumulate=2), machine)


def test_processes_that_share_a_machine_share_its_memory(tone_corpus):
    part, network, options = tone_corpus.parts["train"], Plain(), Training(batch=8, devices=2)
    need = needed_by(network, part, options)
    require_room(network, part, options, memory(2 * need.of(4) / GIB * 1.01, shared=True))
    with pytest.raises(UserError, match=r"at most training.batch=6, or training.accumulate=2"):
        require_room(network, part, options, memory(2 * need.of(3) / GIB * 1.01, shared=True))


def test_a_batch_in_frames_is_told_in_frames(tone_corpus):
    part, network = tone_corpus.parts["train"], Plain()
    longest = max(part.frames)
    options = Training(frames=8 * longest)
    room = memory(needed_by(network, part, options).of(3) / GIB)
    with pytest.raises(
        UserError, match=rf"training.frames is {8 * longest}: 8 .*training.frames={3 * longest}, or"
    ):
        require_room(network, part, options, room)


def test_where_not_even_one_utterance_fits_it_is_said(tone_corpus):
    part, network = tone_corpus.parts["train"], Plain()
    with pytest.raises(UserError, match="not even one fits, which needs"):
        require_room(
            network, part, Training(batch=2), memory(needed_by(network, part, Training()).weights / GIB)
        )


def test_a_network_that_fails_is_left_to_the_dry_run(tone_corpus):
    class Failing(OneLayer):
        def loss(self, *_: Tensor) -> Tensor:
            raise RuntimeError("shapes")

    require_room(Failing(), tone_corpus.parts["train"], Training(), memory(1))


def test_weights_that_are_too_large_are_told_before_they_are_built(laboratory, monkeypatch):
    recipe = load(laboratory / "experiments" / "tiny.yaml", ["network.arguments.width=40000"])
    assert parameters_of(on_meta(recipe, laboratory)) > 6e9
    with pytest.raises(
        UserError, match=r"network models.bilstm.BiLSTMCTC: \d+,.* parameters need .* GiB for"
    ):
        require_weights(recipe, laboratory, memory(100))
    monkeypatch.setattr("specaug.study.cost.memory.here", lambda: memory(100))
    run = Run("tiny", recipe.run(), Places.of(laboratory))
    with pytest.raises(UserError, match="expected at most 100 GiB, of the 111 GiB of a stand-in"):
        prepared_run(run)


def test_small_weights_are_let_through(laboratory):
    recipe = load(laboratory / "experiments" / "tiny.yaml")
    network = on_meta(recipe, laboratory)
    assert all(p.is_meta for p in network.parameters())
    require_weights(recipe, laboratory, memory(parameters_of(network) * 16 / GIB))
    with pytest.raises(UserError, match="parameters need"):
        require_weights(recipe, laboratory, memory((parameters_of(network) * 16 - 1) / GIB))


def test_a_network_that_cannot_be_sketched_is_left_to_be_built(laboratory):
    path = Path(laboratory / "models" / "odd.py")
    path.write_text(
        "import torch\nfrom torch import nn\n"
        "class Odd(nn.Module):\n"
        "    def __init__(self, mel, vocab):\n"
        "        super().__init__()\n"
        "        self.rates = [x.item() for x in torch.linspace(0, 1, 4)]\n"
        "    def loss(self): ...\n    def transcribe(self): ...\n"
    )
    recipe = load(laboratory / "experiments" / "tiny.yaml", ["network={path: models.odd.Odd}"])
    from specaug.study.laboratory import on_path

    with on_path(laboratory):
        assert on_meta(recipe, laboratory) is None
        require_weights(recipe, laboratory, memory(0.001))


def test_training_checks_its_memory(laboratory, monkeypatch):
    recipe = load(laboratory / "experiments" / "tiny.yaml")
    run = Run("tiny", recipe.run(), Places.of(laboratory))
    from specaug.study.laboratory import on_path

    with on_path(laboratory):
        network, data, _ = prepared_run(run)
        need = needed_by(network, data.parts["train"], recipe.training)
        monkeypatch.setattr("specaug.study.cost.memory.here", lambda: memory(need.of(1) / GIB * 1.001))
        with pytest.raises(
            UserError, match=r"training.batch is 2: .*training.batch=1, or training.accumulate=2"
        ):
            prepared_run(run)
