"""What Lightning iterates over: batches of a part, in an order that (seed, epoch) decide."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from specaug.speech.batching import (
    Batch,
    bucketed,
    by_length,
    collate,
    dealt,
    filled,
    fillings,
    share,
    weight,
)
from specaug.speech.prepare import Part
from specaug.training.ranks import ALONE, Rank


class Share(NamedTuple):
    """One of the shares of a batch that are worked off one after the other."""

    places: list[int]  # of the whole batch
    turn: int = 0
    of: int = 1


class Utterances(Dataset[Batch]):
    """A part of a corpus, indexed by batches of places and the turn in which one is worked off: a rank's share of it.

    Where a rank has nothing left in a turn it gets the batch's first utterance with weight 0: networks may wait for each
    other inside a step, and so each has to make all steps.
    """

    def __init__(self, part: Part, rank: Rank = ALONE) -> None:
        self.part = part
        self.rank = rank

    def __getitem__(self, wanted: Share) -> Batch:
        part, places = self.part, wanted.places
        number, shares = wanted.turn * self.rank.of + self.rank.number, wanted.of * self.rank.of
        mine = share(places, number, shares) or places[:1]
        features = [torch.from_numpy(part.features(place)) for place in mine]
        batch = collate([part.ids[p] for p in mine], features, [part.labels[p] for p in mine])
        return batch._replace(weight=weight([len(part.labels[p]) for p in places], number, shares))


@dataclass
class Bucketed(Sampler[Share]):
    """Training batches of like length, each in as many shares as it is worked off in; Lightning tells the epoch."""

    part: Part
    size: int  # utterances
    seed: int
    frames: int = 0  # instead of a number of utterances, where above 0
    shares: int = 1
    epoch: int = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Share]:
        # a generator, which looks at the epoch late: where a run continues, Lightning tells it after iter()
        make, most = (filled, self.frames) if self.frames else (bucketed, self.size)
        for places in make(self.part.ids, self.part.frames, most, self.seed, self.epoch):
            yield from (Share(places, turn, self.shares) for turn in range(self.shares))

    def __len__(self) -> int:
        return self.shares * steps_of(self.part, self.size, self.frames)


def steps_of(part: Part, size: int, frames: int = 0) -> int:
    """The steps of an epoch: batches of so many utterances, or of so many frames."""
    return fillings(part.frames, frames) if frames else math.ceil(len(part.ids) / size)


def training_loader(
    part: Part, size: int, seed: int, rank: Rank = ALONE, frames: int = 0, shares: int = 1
) -> DataLoader[Batch]:
    """Batches for training, `size` utterances each over all ranks and shares, or some `frames` frames."""
    own = torch.Generator()  # for the number that an iterator draws: torch's is for dropout
    utterances = Utterances(part, rank)
    batches = Bucketed(part, size, seed, frames, shares)
    return DataLoader(utterances, sampler=batches, batch_size=None, generator=own)


def evaluation_loader(part: Part, size: int, rank: Rank = ALONE) -> DataLoader[Batch]:
    """Batches for evaluation, in the order of length; each goes to one rank whole, and so comes out as it would alone."""
    own = torch.Generator()
    batches = [Share(places) for places in dealt(by_length(part.frames, size), rank.number, rank.of)]
    return DataLoader(Utterances(part), sampler=batches, batch_size=None, generator=own)
