"""The module in copies of itself: in the workers of a loader, in ranks, in a network that is compiled."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import distributed
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, Dataset

from specaug.augment.keys import make_keys
from specaug.augment.policy import paper_policy
from specaug.augment.transform import SpecAugment

SMALL = paper_policy(W=5, F=4, m_F=2, T=9, p=0.5, m_T=2)


def noise(batch: int) -> torch.Tensor:
    """No zeros, the same each time."""
    return torch.rand(batch, 40, 80, generator=torch.Generator().manual_seed(0)) + 0.5


class Loaded(Dataset[torch.Tensor]):
    """Eight utterances that are masked as they are loaded."""

    def __init__(self, epoch: int | None) -> None:
        self.augment, self.epoch = SpecAugment(SMALL), epoch

    def __len__(self) -> int:
        return 8

    def __getitem__(self, place: int) -> torch.Tensor:
        keys = None if self.epoch is None else make_keys(0, self.epoch, [str(place)])
        return self.augment(noise(1), None, keys)[0]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_in_the_workers_of_a_loader_keys_are_asked_for():
    with pytest.raises(ValueError, match=r"keys is None in a loader's worker, .*; expected keys=make_keys"):
        list(DataLoader(Loaded(None), batch_size=2, num_workers=2))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_with_keys_two_workers_load_what_one_process_does_and_never_the_same_masks_twice():
    seen = []
    for epoch in (0, 1):
        alone, shared = (
            list(DataLoader(Loaded(epoch), batch_size=None, num_workers=workers)) for workers in (0, 2)
        )
        assert all(map(torch.equal, alone, shared))
        seen += alone
    assert not any(torch.equal(seen[i], seen[j]) for i in range(16) for j in range(i))


def test_in_a_replica_of_data_parallel_keys_are_asked_for():
    replica = SpecAugment(SMALL)._replicate_for_data_parallel()
    with pytest.raises(
        ValueError, match=r"keys is None in a replica of nn.DataParallel, .*; expected keys=make_keys"
    ):
        replica(noise(2))
    assert replica(noise(2), keys=make_keys(0, 0, "ab")).shape == (2, 40, 80)


@pytest.mark.parametrize("reentrant", [False, True])
def test_where_activations_are_computed_anew_keys_are_asked_for(reentrant):
    augment, weight = SpecAugment(SMALL), torch.ones(80, requires_grad=True)

    def gradient(keys: torch.Tensor | None) -> torch.Tensor:
        def masked(one: torch.Tensor) -> torch.Tensor:
            return augment(noise(2), keys=keys) * one

        checkpoint(masked, weight, use_reentrant=reentrant).sum().backward()
        return weight.grad

    with pytest.raises(ValueError, match=r"keys is None in a backward pass, .*; expected keys=make_keys"):
        gradient(None)
    keys = make_keys(0, 0, "ab")
    torch.testing.assert_close(gradient(keys), augment(noise(2), keys=keys).sum(dim=(0, 1)))


@contextmanager
def as_rank(rank: int, ranks: int) -> Iterator[None]:
    """A process group whose other ranks are not there."""
    distributed.init_process_group("fake", store=FakeStore(), rank=rank, world_size=ranks)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def test_ranks_mask_the_batch_that_they_take_turns_to_fill_as_one_process_does():
    features, one = noise(6), SpecAugment(SMALL, seed=1)
    whole = [one(features) for _ in range(2)]
    for rank in range(3):
        part = SpecAugment(SMALL, seed=1)
        with as_rank(rank, 3):
            for call in whole:
                assert torch.equal(part(features[rank::3]), call[rank::3])


COMPILED = """
import copy, torch
from specaug import LD, SpecAugment
network = torch.nn.Sequential(SpecAugment(LD), torch.nn.Linear(80, 4))
twin, features = copy.deepcopy(network), torch.randn(2, 100, 80)
compiled = torch.compile(network, backend="eager")
print([torch.equal(compiled(features), twin(features)) for _ in range(3)], network[0].calls)
whole = torch.compile(network.eval(), backend="eager", fullgraph=True)
print(torch.equal(whole(features), twin.eval()(features)))
"""


@pytest.mark.slow
def test_a_network_that_holds_the_module_can_be_compiled(root):
    # In a process of its own, since what checks annotations cannot be compiled
    command = [sys.executable, "-W", "error", "-c", COMPILED]
    run = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    assert run.stdout == "[True, True, True] 3\nTrue\n"
