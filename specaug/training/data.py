"""What Lightning iterates over: batches of a part, in an order that (seed, epoch) decide."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from specaug.speech.batching import Batch, bucketed, by_length, collate, dealt, share, weight
from specaug.speech.prepare import Part
from specaug.training.ranks import ALONE, Rank


class Utterances(Dataset[Batch]):
    """A part of a corpus, indexed by lists of places, each of which gives one batch: a rank's share of it.

    A rank for which nothing is left gets the batch's first utterance with weight 0: networks may wait for each other
    inside a step, and so each has to make all steps.
    """

    def __init__(self, part: Part, rank: Rank = ALONE) -> None:
        self.part = part
        self.rank = rank

    def __getitem__(self, places: list[int]) -> Batch:
        part, number, ranks = self.part, self.rank.number, self.rank.of
        mine = share(places, number, ranks) or places[:1]
        features = [torch.from_numpy(part.features(place)) for place in mine]
        batch = collate([part.ids[p] for p in mine], features, [part.labels[p] for p in mine])
        return batch._replace(weight=weight([len(part.labels[p]) for p in places], number, ranks))


@dataclass
class Bucketed(Sampler[list[int]]):
    """Training batches of like length; Lightning tells the epoch."""

    part: Part
    size: int  # utterances
    seed: int
    epoch: int = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        # a generator, which looks at the epoch late: where a run continues, Lightning tells it after iter()
        yield from bucketed(self.part.ids, self.part.frames, self.size, self.seed, self.epoch)

    def __len__(self) -> int:
        return math.ceil(len(self.part.ids) / self.size)


def training_loader(part: Part, size: int, seed: int, rank: Rank = ALONE) -> DataLoader[Batch]:
    """Batches for training, `size` utterances each over all ranks."""
    own = torch.Generator()  # for the number that an iterator draws: torch's is for dropout
    utterances = Utterances(part, rank)
    return DataLoader(utterances, sampler=Bucketed(part, size, seed), batch_size=None, generator=own)


def evaluation_loader(part: Part, size: int, rank: Rank = ALONE) -> DataLoader[Batch]:
    """Batches for evaluation, in the order of length; each goes to one rank whole, and so comes out as it would alone."""
    own = torch.Generator()
    batches = dealt(by_length(part.frames, size), rank.number, rank.of)
    return DataLoader(Utterances(part), sampler=batches, batch_size=None, generator=own)
