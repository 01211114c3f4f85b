"""What Lightning iterates over: batches of a part, in an order that (seed, epoch) decide."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from specaug.speech.batching import Batch, bucketed, by_length, collate
from specaug.speech.prepare import Part


class Utterances(Dataset[Batch]):
    """A part of a corpus, indexed by lists of places, each of which gives one batch."""

    def __init__(self, part: Part) -> None:
        self.part = part

    def __getitem__(self, places: list[int]) -> Batch:
        part = self.part
        features = [torch.from_numpy(part.features(place)) for place in places]
        return collate([part.ids[p] for p in places], features, [part.labels[p] for p in places])


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


def training_loader(part: Part, size: int, seed: int) -> DataLoader[Batch]:
    """Batches for training, `size` utterances each."""
    own = torch.Generator()  # for the number that an iterator draws: torch's is for dropout
    return DataLoader(Utterances(part), sampler=Bucketed(part, size, seed), batch_size=None, generator=own)


def evaluation_loader(part: Part, size: int) -> DataLoader[Batch]:
    """Batches for evaluation, in the order of length."""
    own = torch.Generator()
    return DataLoader(Utterances(part), sampler=by_length(part.frames, size), batch_size=None, generator=own)
