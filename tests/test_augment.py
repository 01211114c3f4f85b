import inspect
from collections import UserDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from standins import quiet_trainer
from torch import Tensor

from specaug.augment.apply import apply
from specaug.augment.draws import draw
from specaug.augment.keys import make_keys
from specaug.augment.operations import SpliceOut
from specaug.augment.policy import NONE, Policy, paper_policy
from specaug.training.augment import Augment
from specaug.training.fields import Field
from specaug.training.strength import Strength

POLICY = paper_policy(W=3, F=4, m_F=2, T=6, m_T=2)
IDS = [["a", "b", "c"], ["d", "e"]]  # two batches
LENGTHS = [[20, 17, 9], [12, 20]]
FEATURES = [
    torch.randn(len(lengths), 20, 8, generator=torch.Generator().manual_seed(i)) + 5
    for i, lengths in enumerate(LENGTHS)
]

pytestmark = pytest.mark.filterwarnings(r"ignore:The '\w+_dataloader' does not have many workers")


class Named(NamedTuple):
    features: Tensor
    lengths: Tensor
    ids: list[str]


@dataclass
class Data:
    features: Tensor
    lengths: Tensor
    ids: list[str]


class Foreign(L.LightningModule):
    """Somebody's module, which knows nothing of us: keeps the batches that its steps see."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.trained: dict[int, list[Any]] = {}
        self.validated: list[Any] = []
        self.fails = False

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        if self.fails:
            raise OSError("the power went out")
        self.trained.setdefault(self.current_epoch, []).append(batch)
        return 0 * self.weight

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.validated.append(batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Batches(torch.utils.data.IterableDataset[Any]):
    """The same batches, epoch after epoch."""

    def __init__(self, make: Callable[..., Any]) -> None:
        self.make = make

    def __iter__(self) -> Iterator[Any]:
        for features, lengths, ids in zip(FEATURES, LENGTHS, IDS, strict=True):
            yield self.make(features.clone(), torch.tensor(lengths), list(ids))


def fit(
    augment: Augment, make: Callable[..., Any], epochs: int = 1, module: Foreign | None = None
) -> Foreign:
    module = module or Foreign()
    loader = torch.utils.data.DataLoader(Batches(make), batch_size=None)
    quiet_trainer(epochs, augment).fit(module, loader, loader)
    return module


def expected(policy: Policy, seed: int, epoch: int, batch: int) -> Tensor:
    lengths = torch.tensor(LENGTHS[batch])
    draws = draw(policy, lengths, 8, make_keys(seed, epoch, IDS[batch]))
    return apply(FEATURES[batch], lengths, draws)


def as_dict(features: Tensor, lengths: Tensor, ids: list[str]) -> dict[str, Any]:
    return {"ids": ids, "x": features, "n": lengths}


def as_mapping(features: Tensor, lengths: Tensor, ids: list[str]) -> UserDict[str, Any]:
    return UserDict(as_dict(features, lengths, ids))


def as_tuple(features: Tensor, lengths: Tensor, ids: list[str]) -> tuple[Any, ...]:
    return lengths, features, ids


def as_list(features: Tensor, lengths: Tensor, ids: list[str]) -> list[Any]:
    return [ids, lengths, features]


KINDS = [
    pytest.param(as_dict, "x", "n", "ids", id="dictionary"),
    pytest.param(as_mapping, "x", "n", "ids", id="mapping"),
    pytest.param(as_tuple, 1, 0, 2, id="tuple"),
    pytest.param(as_list, 2, 1, 0, id="list"),
    pytest.param(as_list, -1, -2, -3, id="list, counted from its end"),
    pytest.param(Named, "features", "lengths", "ids", id="NamedTuple by name"),
    pytest.param(Named, 0, 1, 2, id="NamedTuple by place"),
    pytest.param(Data, "features", "lengths", "ids", id="dataclass"),
]


def held(batch: Any, field: Field) -> Any:
    return getattr(batch, str(field)) if field == "features" else batch[field]


@pytest.mark.parametrize(("make", "features", "lengths", "ids"), KINDS)
def test_an_augmented_batch_is_of_the_same_kind_and_its_other_fields_are_the_same(
    make, features, lengths, ids
):
    given = FEATURES[0], torch.tensor(LENGTHS[0]), IDS[0]
    batch = make(*given)
    got = Augment(POLICY, 7, features, lengths, ids).augmented(batch, quiet_trainer(1))
    assert type(got) is type(batch)
    assert str(got) == str(make(expected(POLICY, 7, 0, 0), *given[1:]))
    assert str(batch) == str(make(*given))


@pytest.mark.parametrize(("make", "features", "lengths", "ids"), KINDS)
def test_training_batches_of_any_kind_are_augmented_and_validation_is_left_alone(
    make, features, lengths, ids
):
    module = fit(Augment(POLICY, 7, features, lengths, ids), make, epochs=2)
    for epoch, batches in module.trained.items():
        for i, batch in enumerate(batches):
            assert torch.equal(held(batch, features), expected(POLICY, 7, epoch, i))
    assert sorted(module.trained) == [0, 1]
    assert len(module.validated) == 5  # one before training, two in each epoch
    for i, batch in enumerate(module.validated):
        assert torch.equal(held(batch, features), FEATURES[max(0, i - 1) % 2])


def test_the_masks_differ_between_epochs_and_seeds():
    module = fit(Augment(POLICY, 7), Data, epochs=2)
    other = fit(Augment(POLICY, 8), Data)
    first, second = (module.trained[epoch][0].features for epoch in (0, 1))
    assert not torch.equal(first, second)
    assert not torch.equal(first, other.trained[0][0].features)


def test_no_policy_passes_the_very_batch_through():
    augment = Augment(NONE)
    batch = Data(FEATURES[0], torch.tensor(LENGTHS[0]), IDS[0])
    assert augment.augmented(batch, quiet_trainer(1)) is batch
    module = fit(augment, Data)
    assert torch.equal(module.trained[0][1].features, FEATURES[1])
    assert augment.masked == {"cells": 0, "frames": 0, "channels": 0}


def test_without_lengths_every_frame_counts_and_may_be_masked():
    policy = paper_policy(T=20, m_T=4)
    module = fit(Augment(policy, 0, "x", None, "ids"), as_dict)
    lengths = torch.tensor([20, 20, 20])
    wanted = apply(FEATURES[0], lengths, draw(policy, lengths, 8, make_keys(0, 0, IDS[0])))
    assert torch.equal(module.trained[0][0]["x"], wanted)
    assert bool((wanted[2, 9:] == 0).any())  # beyond the length that it was not told


def test_a_batch_that_is_cut_has_its_lengths_cut_as_well():
    policy, lengths = Policy((SpliceOut(N=2, T=6),)), torch.tensor(LENGTHS[0])
    batch = Augment(policy, 3).augmented(Data(FEATURES[0], lengths, IDS[0]), quiet_trainer(1))
    draws = draw(policy, lengths, 8, make_keys(3, 0, IDS[0]))
    assert batch.lengths.tolist() == draws.shortened(lengths).tolist() != LENGTHS[0]
    assert torch.equal(batch.features, apply(FEATURES[0], lengths, draws))


def test_without_ids_the_masks_follow_from_the_place_in_the_epoch_and_are_made_again():
    policy = paper_policy(F=4, m_F=2, T=6, m_T=2)
    once, again = (fit(Augment(policy, 0, lengths=None, ids=None), Data, epochs=2).trained for _ in range(2))
    for epoch in (0, 1):
        pairs = zip(once[epoch], again[epoch], strict=True)
        assert all(torch.equal(a.features, b.features) for a, b in pairs)
    masks = [row == 0 for batch in (*once[0], *once[1]) for row in batch.features]
    assert len(masks) == 10
    assert not any(torch.equal(a, b) for i, a in enumerate(masks) for b in masks[:i])


PLACED = paper_policy(F=4, m_F=2, T=6, m_T=2)


def masks_by_step(folder: Path, start: int = 0, resumed: Path | None = None) -> list[Tensor]:
    """Two epochs of four steps, all with one batch and without ids, each with a checkpoint after it."""
    saving = ModelCheckpoint(folder, "{step}", save_top_k=-1, every_n_train_steps=1)
    augment, module = Augment(PLACED, ids=None, strength=Strength(start=start)), Foreign()
    batch = Data(FEATURES[0], torch.tensor(LENGTHS[0]), IDS[0])
    trainer = L.Trainer(
        max_epochs=2,
        accelerator="cpu",
        callbacks=[augment, saving],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader = torch.utils.data.DataLoader([batch] * 4, batch_size=None)
    trainer.fit(module, loader, loader, ckpt_path=resumed, weights_only=True)
    return [batch.features == 0 for epoch in sorted(module.trained) for batch in module.trained[epoch]]


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")
@pytest.mark.filterwarnings("ignore:The dirpath has changed")
def test_without_ids_a_run_goes_on_with_the_masks_of_the_unbroken_one_wherever_it_was_broken(tmp_path):
    whole = masks_by_step(tmp_path)
    assert not any(torch.equal(one, other) for one, other in combinations(whole, 2))
    for done in (1, 2, 3, 4, 5):  # the epoch ends after 4
        rest = masks_by_step(tmp_path / str(done), resumed=tmp_path / f"step={done}.ckpt")
        assert len(rest) == 8 - done
        assert all(map(torch.equal, rest, whole[done:]))


def test_without_ids_a_policy_that_starts_late_has_the_masks_of_one_that_was_there_from_the_start(tmp_path):
    early, late = masks_by_step(tmp_path / "a"), masks_by_step(tmp_path / "b", start=2)
    assert not any(mask.any() for mask in late[:2])
    assert all(map(torch.equal, late[2:], early[2:]))


@pytest.mark.parametrize(
    "ids",
    [
        pytest.param(torch.tensor([5, 6, 7]), id="tensor"),
        pytest.param(torch.tensor([5, 6, 7], dtype=torch.int32), id="tensor of another type"),
        pytest.param(list(torch.tensor([5, 6, 7])), id="tensors"),
        pytest.param(np.array([5, 6, 7]), id="array"),
        pytest.param(list(np.array([5, 6, 7])), id="numbers of numpy"),
        pytest.param(["5", "6", "7"], id="text"),
    ],
)
def test_whole_numbers_name_the_same_utterances_whatever_holds_them(ids):
    one, other = (
        Augment(POLICY).augmented(Data(FEATURES[0], torch.tensor(LENGTHS[0]), names), quiet_trainer(1))
        for names in ([5, 6, 7], ids)
    )
    assert torch.equal(one.features, other.features)


def test_as_many_ids_are_expected_as_there_are_utterances():
    batch = Data(FEATURES[0], torch.tensor(LENGTHS[0]), ["a", "b"])
    with pytest.raises(ValueError, match="'ids' has 2 ids; expected 3, one an utterance"):
        Augment(POLICY).augmented(batch, quiet_trainer(1))


def test_the_name_of_a_policy_is_none():
    with pytest.raises(TypeError, match=r"policy is 'LD'; expected a Policy, such as specaug\.LD"):
        inspect.unwrap(Augment.__init__)(
            object.__new__(Augment), "LD"
        )  # without the tests' own checks of types


@pytest.mark.parametrize("seed", [np.int32(7), torch.tensor(7)], ids=["numpy", "torch"])
def test_a_whole_number_of_any_kind_is_a_seed(seed):
    given = Data(FEATURES[0], torch.tensor(LENGTHS[0]), IDS[0])
    one, other = (Augment(POLICY, s).augmented(given, quiet_trainer(1)) for s in (7, seed))
    assert torch.equal(one.features, other.features)
    assert Augment(POLICY, seed).state_key == Augment(POLICY, 7).state_key


def test_text_is_no_seed():
    with pytest.raises(TypeError, match="seed is '7'; expected a whole number"):
        inspect.unwrap(Augment.__init__)(object.__new__(Augment), POLICY, "7")


def test_what_was_masked_equals_counting_the_zeros_by_hand():
    policy = paper_policy(F=4, m_F=2, T=6, m_T=2)
    augment = Augment(policy, 3)
    module = fit(augment, Data, epochs=3)
    shares = {"cells": [], "frames": [], "channels": []}
    for batches in module.trained.values():
        for batch in batches:
            for row, length in zip(batch.features, batch.lengths.tolist(), strict=True):
                hidden = row[:length] == 0  # no cell of FEATURES is 0
                shares["cells"].append(float(hidden.double().mean()))
                shares["frames"].append(float(hidden.all(dim=1).double().mean()))
                shares["channels"].append(float(hidden.all(dim=0).double().mean()))
    assert all(len(values) == 15 for values in shares.values())
    assert augment.masked == pytest.approx({name: sum(values) / 15 for name, values in shares.items()})
    assert 0 < augment.masked["frames"] < augment.masked["cells"] < 1


def test_the_sums_go_on_where_a_continued_run_takes_them_back():
    whole, first, second = (Augment(POLICY, 3) for _ in range(3))
    fit(whole, Data, epochs=2)
    fit(first, Data)
    second.load_state_dict(first.state_dict())
    assert second.masked == first.masked
    assert whole.masked != first.masked
    assert whole.utterances == 2 * first.utterances == 10


def hooks(module: Foreign) -> dict[str, object]:
    return {name: hook for name, hook in vars(module).items() if "batch_transfer" in name}


def test_the_hooks_are_put_back_after_training():
    assert hooks(fit(Augment(POLICY), Data)) == {}


def test_the_hooks_are_put_back_after_training_that_fails():
    module = Foreign()
    module.fails = True
    with pytest.raises(OSError, match="the power went out"):
        fit(Augment(POLICY), Data, module=module)
    assert hooks(module) == {}


class Travelling(Foreign):
    """A module that notes what happens on the way to the device."""

    def __init__(self, heard: list[str]) -> None:
        super().__init__()
        self.heard = heard

    def note(self, what: str) -> None:
        if self.trainer.training:
            self.heard.append(what)

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        self.note("its own")
        return batch

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        self.note("step")
        return super().training_step(batch, batch_idx)


class Telling(Augment):
    """Says when it draws, and when it applies."""

    def __init__(self, heard: list[str], *given: Any) -> None:
        super().__init__(*given)
        self.heard = heard

    def drawn(self, batch: Any, trainer: L.Trainer) -> Any:
        self.heard.append("drawn")
        return super().drawn(batch, trainer)

    def applied(self, batch: Any, drawing: Any) -> Any:
        self.heard.append("applied")
        return super().applied(batch, drawing)


class Transferring(Travelling):
    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        self.note("transfer")
        return super().transfer_batch_to_device(batch, device, dataloader_idx)


class Arriving(Travelling):
    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        self.note("arrived")
        return batch


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        pytest.param(Travelling, ["its own", "drawn", "applied"], id="nothing between"),
        pytest.param(Transferring, ["its own", "transfer", "drawn", "applied"], id="a transfer of its own"),
        pytest.param(Arriving, ["its own", "arrived", "drawn", "applied"], id="a hook after it"),
    ],
)
def test_what_happens_is_drawn_before_the_transfer_unless_the_module_may_change_the_batch_on_it(kind, way):
    heard: list[str] = []
    module, augment = kind(heard), Telling(heard, POLICY, 7)
    fit(augment, Data, module=module)
    assert heard == 2 * [*way, "step"]
    assert all(torch.equal(module.trained[0][i].features, expected(POLICY, 7, 0, i)) for i in (0, 1))


class Cut(Foreign):
    """A module whose batches are shorter once they have arrived."""

    def on_after_batch_transfer(self, batch: Data, dataloader_idx: int) -> Data:
        return Data(batch.features[:, :12], batch.lengths.clamp(max=12), batch.ids)


def test_the_lengths_are_those_that_the_module_leaves():
    module = fit(Augment(POLICY, 7), Data, module=Cut())
    lengths = torch.tensor(LENGTHS[0]).clamp(max=12)
    wanted = apply(FEATURES[0][:, :12], lengths, draw(POLICY, lengths, 8, make_keys(7, 0, IDS[0])))
    assert torch.equal(module.trained[0][0].features, wanted)


class Module(L.LightningDataModule):
    """Somebody's data, with a hook of its own."""

    def train_dataloader(self) -> Any:
        return torch.utils.data.DataLoader(Batches(Data), batch_size=None)

    val_dataloader = train_dataloader

    def on_after_batch_transfer(self, batch: Data, dataloader_idx: int) -> Data:
        return Data(2 * batch.features, batch.lengths, batch.ids)


class Plain(Module):
    on_after_batch_transfer = L.LightningDataModule.on_after_batch_transfer


@pytest.mark.parametrize(("kind", "times"), [(Module, 2), (Plain, 1)])
@pytest.mark.filterwarnings("ignore:You have overridden .* in `LightningModule` but have passed in")
def test_batches_of_a_data_module_are_augmented_after_its_own_hook(kind, times):
    module, data, augment = Foreign(), kind(), Augment(POLICY, 7)
    quiet_trainer(1, augment).fit(module, datamodule=data)
    assert torch.allclose(module.trained[0][0].features, times * expected(POLICY, 7, 0, 0))
    assert hooks(module) == hooks(data) == {}


@pytest.mark.filterwarnings("ignore:You have overridden .* in `LightningModule` but have passed in")
def test_a_hook_of_the_module_is_called_where_a_data_module_has_none():
    module = Cut()
    quiet_trainer(1, Augment(POLICY, 7)).fit(module, datamodule=Plain())
    assert [batch.features.shape for batch in module.trained[0]] == [(3, 12, 8), (2, 12, 8)]


@pytest.mark.parametrize("ids", ["ids", None])
def test_gradient_accumulation_changes_no_mask(ids):
    module, loader = Foreign(), torch.utils.data.DataLoader(Batches(Data), batch_size=None)
    trainer = quiet_trainer(2, Augment(POLICY, 7, ids=ids))
    trainer.accumulate_grad_batches = 2
    trainer.fit(module, loader, loader)
    step_by_step = fit(Augment(POLICY, 7, ids=ids), Data, epochs=2)
    for epoch, batches in step_by_step.trained.items():
        pairs = zip(module.trained[epoch], batches, strict=True)
        assert all(torch.equal(one.features, other.features) for one, other in pairs)


class Fetching(Foreign):
    """A module that asks for its batches itself: Lightning calls none of its hooks."""

    def training_step(self, dataloader_iter: Iterator[Any]) -> Tensor:
        return 0 * self.weight


@pytest.mark.filterwarnings("ignore:You are using the `dataloader_iter` step flavor")
def test_a_step_whose_batches_pass_no_hook_is_refused_before_training():
    said = r"training_step of Fetching takes dataloader_iter, .*; expected training_step\(self, batch, batch_idx\), or"
    with pytest.raises(TypeError, match=said):
        fit(Augment(POLICY, 7), Data, module=Fetching())


@pytest.mark.filterwarnings("ignore:You are using the `dataloader_iter` step flavor")
def test_a_module_that_is_only_validated_may_fetch_its_batches():
    loader, module = torch.utils.data.DataLoader(Batches(Data), batch_size=None), Fetching()
    quiet_trainer(1, Augment(POLICY, 7)).validate(module, loader, verbose=False)
    assert len(module.validated) == 2


WARP, MASK = paper_policy(W=3), paper_policy(F=4, m_F=2, T=6, m_T=2)


def all_at_once(
    module: Foreign,
    *augments: Augment,
    epochs: int = 1,
    kept: Path | None = None,
    resumed: Path | None = None,
) -> list[Tensor]:
    """The features of each step of a trainer with all of these callbacks; it goes on from one checkpoint and leaves another."""
    loader, trainer = (
        torch.utils.data.DataLoader(Batches(Data), batch_size=None),
        quiet_trainer(epochs, *augments),
    )
    trainer.fit(module, loader, loader, ckpt_path=resumed, weights_only=True)
    if kept:
        trainer.save_checkpoint(kept)
    return [batch.features for batches in module.trained.values() for batch in batches]


@pytest.mark.parametrize("cut", [(), (SpliceOut(N=2, T=6),)], ids=["", "and cut"])
def test_two_on_one_trainer_work_one_after_the_other_and_leave_no_hook(cut):
    module = Foreign()
    first = Policy((*WARP.operations, *cut))
    got = all_at_once(module, Augment(first, 7), Augment(MASK, 7))
    for i in (0, 1):
        lengths, keys = torch.tensor(LENGTHS[i]), make_keys(7, 0, IDS[i])
        draws = draw(first, lengths, 8, keys)
        once, left = apply(FEATURES[i], lengths, draws), draws.shortened(lengths)
        assert torch.equal(got[i], apply(once, left, draw(MASK, left, 8, keys)))
    assert hooks(module) == {}


def test_each_of_two_takes_its_own_state_out_of_a_checkpoint(tmp_path):
    one, other = ([Augment(WARP, 7), Augment(MASK, 7)] for _ in range(2))
    all_at_once(Foreign(), *one, kept=tmp_path / "one.ckpt")
    all_at_once(Foreign(), *other, epochs=2, resumed=tmp_path / "one.ckpt")
    assert [augment.utterances for augment in other] == [10, 10]
    assert [augment.in_force for augment in other] == [[(0, str(WARP))], [(0, str(MASK))]]


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")  # it names `Augment`
def test_the_state_of_an_older_checkpoint_is_found_by_the_name_of_its_class(tmp_path):
    path, augment, resumed = tmp_path / "one.ckpt", Augment(MASK, 7), Augment(MASK, 7)
    all_at_once(Foreign(), augment, kept=path)
    older = torch.load(path, weights_only=True)
    older["callbacks"]["Augment"] = older["callbacks"].pop(augment.state_key)
    del older["callbacks"]["Augment"]["engine"]
    torch.save(older, path)
    all_at_once(Foreign(), resumed, epochs=2, resumed=path)
    assert resumed.utterances == 10


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype:UserWarning")
def test_what_was_drawn_reaches_a_gpu_without_waiting_for_it():
    augment, trainer = Augment(POLICY, 7), quiet_trainer(1)
    batch = Data(FEATURES[0], torch.tensor(LENGTHS[0]), IDS[0])
    there = Data(batch.features.cuda(), batch.lengths.cuda(), IDS[0])
    augment.applied(there, augment.drawn(batch, trainer))  # compiled before
    torch.cuda.set_sync_debug_mode("error")
    try:
        got = augment.applied(there, augment.drawn(batch, trainer))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.allclose(got.features.cpu(), expected(POLICY, 7, 0, 0), rtol=0, atol=1e-5)


def test_a_hook_that_the_module_brought_is_called_first_and_put_back():
    def doubled(batch: Data, _dataloader_idx: int) -> Data:
        return Data(2 * batch.features, batch.lengths, batch.ids)

    module = Foreign()
    module.on_after_batch_transfer = doubled
    fit(Augment(POLICY, 7), Data, module=module)
    assert hooks(module) == {"on_after_batch_transfer": doubled}
    assert torch.allclose(module.trained[0][0].features, 2 * expected(POLICY, 7, 0, 0))


def test_neither_the_batch_nor_the_global_random_state_is_changed():
    batch = Data(FEATURES[0].clone(), torch.tensor(LENGTHS[0]), IDS[0])
    before = torch.get_rng_state()
    Augment(POLICY).augmented(batch, quiet_trainer(1))
    assert torch.equal(batch.features, FEATURES[0])
    assert torch.equal(torch.get_rng_state(), before)


@dataclass
class Weighed:
    """A batch of somebody's, with a field that ours has too."""

    features: Tensor
    lengths: Tensor
    ids: list[str]
    weight: Tensor


def test_a_field_of_somebodys_batch_that_is_called_weight_is_theirs():
    batch = Weighed(FEATURES[0], torch.tensor(LENGTHS[0]), IDS[0], torch.zeros(3))
    got = Augment(POLICY, 7).augmented(batch, quiet_trainer(1))
    assert torch.equal(got.features, expected(POLICY, 7, 0, 0))


@pytest.mark.parametrize("policy", [POLICY, NONE], ids=["a policy", "no policy"])
@pytest.mark.parametrize(
    ("make", "fields", "said"),
    [
        pytest.param(as_dict, ("mel", "n", "ids"), "features is 'mel'; .*a dict: 'ids', 'x', 'n'$", id="key"),
        pytest.param(as_dict, ("x", "lengths", "ids"), "lengths is 'lengths'; .*a dict: ", id="lengths"),
        pytest.param(
            Data, ("features", "lengths", "name"), "ids is 'name'; .*'lengths', 'ids'$", id="dataclass"
        ),
        pytest.param(Data, (0, "lengths", "ids"), "features is 0; .*a Data: 'features', ", id="no places"),
        pytest.param(
            Named, ("x", 1, 2), "features is 'x'; .*'features', 'lengths', 'ids', 0, 1, 2$", id="name"
        ),
        pytest.param(as_tuple, (1, 3, 2), "lengths is 3; .*a tuple: 0, 1, 2$", id="place"),
        pytest.param(
            lambda *_: FEATURES[0], ("x", None, None), "features is 'x'; .*a Tensor: ", id="no fields"
        ),
    ],
)
def test_a_field_that_the_batch_lacks_is_named_with_those_that_it_has(policy, make, fields, said):
    with pytest.raises(ValueError, match=said):
        Augment(policy, 0, *fields).augmented(
            make(FEATURES[0], torch.tensor(LENGTHS[0]), IDS[0]), quiet_trainer(1)
        )


@pytest.mark.parametrize("policy", [POLICY, NONE], ids=["a policy", "no policy"])
@pytest.mark.parametrize("lengths", ["lengths", None])
@pytest.mark.parametrize(
    ("features", "said"),
    [
        pytest.param(
            FEATURES[0][0], r"features are of shape \(20, 8\); expected \(batch, time, mel\)", id="two"
        ),
        pytest.param(FEATURES[0][:, 0, 0], r"features are of shape \(3,\); expected \(batch", id="one"),
        pytest.param(
            FEATURES[0].long(), "features are torch.int64; expected a floating-point type", id="type"
        ),
    ],
)
def test_features_that_do_not_fit_are_refused(policy, lengths, features, said):
    batch = Data(features, torch.tensor(LENGTHS[0]), IDS[0])
    with pytest.raises(ValueError, match=said):
        Augment(policy, lengths=lengths).augmented(batch, quiet_trainer(1))
