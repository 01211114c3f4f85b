"""Batches of utterances of like length, as a pure function of (seed, epoch)."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

JITTER = 0.1  # how far, as a share of its length, an utterance may move in the order of lengths


class Batch(NamedTuple):
    """Utterances padded with 0 to the longest of them."""

    ids: list[str]
    features: Float[Tensor, "batch time mel"]
    lengths: Int[Tensor, " batch"]  # frames
    targets: Int[Tensor, "batch label"]
    target_lengths: Int[Tensor, " batch"]  # labels
    weight: float = 1.0  # of its loss in that of the step, times the ranks; 0 says that it only stands in


def chance(*words: str | int) -> float:
    """A number in [0, 1) that depends on `words` alone, on every machine."""
    digest = hashlib.blake2b("/".join(map(str, words)).encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48


def bucketed(ids: Sequence[str], frames: Sequence[int], size: int, seed: int, epoch: int) -> list[list[int]]:
    """Places of utterances, batch by batch: each once, at most `size` together, of like length.

    The lengths are jittered before they are sorted, so that the company an utterance keeps changes with the
    epoch; then the batches are shuffled.
    """
    order = in_order(ids, frames, seed, epoch)
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    return shuffled(batches, ids, seed, epoch)


def in_order(ids: Sequence[str], frames: Sequence[int], seed: int, epoch: int) -> list[int]:
    """Places of utterances by their lengths, with a jitter that is another in each epoch."""
    jittered = [
        n * (1 + JITTER * (chance("length", seed, epoch, name) - 0.5))
        for name, n in zip(ids, frames, strict=True)
    ]
    return sorted(range(len(ids)), key=lambda i: (jittered[i], ids[i]))


def shuffled(batches: Sequence[list[int]], ids: Sequence[str], seed: int, epoch: int) -> list[list[int]]:
    """The batches in the order of an epoch."""
    return sorted(batches, key=lambda batch: chance("order", seed, epoch, ids[batch[0]]))


def filled(ids: Sequence[str], frames: Sequence[int], most: int, seed: int, epoch: int) -> list[list[int]]:
    """Places of utterances, batch by batch: each once, of like length, some `most` frames together, as `bucketed` does it.

    There are as many batches in every epoch: the utterances, in order, stand on a line as long as their frames, which
    is cut into stretches of equal length, of `most` frames or of the longest utterance's; an utterance belongs to
    the one in which its middle lies, so none is empty.
    """
    order = in_order(ids, frames, seed, epoch)
    count, total = fillings(frames, most), sum(frames)
    batches: list[list[int]] = [[] for _ in range(count)]
    done = 0
    for i in order:
        batches[min(count - 1, (2 * done + frames[i]) * count // max(1, 2 * total))].append(i)
        done += frames[i]
    return shuffled(batches, ids, seed, epoch)


def fillings(frames: Sequence[int], most: int) -> int:
    """How many batches there are: of at most `most` frames, and no more than let each have an utterance's middle.

    >>> fillings([30, 10, 20, 40], 60), fillings([30, 10, 20, 40], 10)
    (2, 2)
    """
    total = sum(frames)
    return max(1, min(-(-total // most), total // max(frames, default=1)))


def share(batch: Sequence[int], rank: int, ranks: int) -> list[int]:
    """A rank's places of a batch: every so manieth, so that the shares are alike in number and in length.

    Empty where there are fewer utterances than ranks.

    >>> [share([7, 3, 5, 1, 4], rank, 3) for rank in range(3)]
    [[7, 1], [3, 4], [5]]
    """
    return list(batch[rank::ranks])


def weight(labels: Sequence[int], rank: int, ranks: int) -> float:
    """What a rank multiplies its loss per label by, so that the mean over the ranks is that of the whole batch.

    `labels` are the numbers of labels of the batch's utterances. Shares differ in labels even where they are alike in
    utterances, and a plain mean over ranks would count the labels of a small share more. A batch without a label
    counts as one with one, as in the networks' loss.

    >>> [weight([3, 1, 0, 2, 6], rank, 3) for rank in range(3)]
    [1.25, 1.75, 0.25]
    """
    mine = share(labels, rank, ranks)
    return ranks * max(1, sum(mine)) / max(1, sum(labels)) if mine else 0.0


def dealt(batches: Sequence[list[int]], rank: int, ranks: int) -> list[list[int]]:
    """A rank's batches of an evaluation: as many as any other's, the first ones again where they do not come out even.

    >>> [dealt([[1], [2], [3], [4]], rank, 3) for rank in range(3)]
    [[[1], [4]], [[2], [1]], [[3], [2]]]
    """
    rounds = -(-len(batches) // ranks)
    return [batches[place % len(batches)] for place in range(rank, rounds * ranks, ranks)]


def by_length(frames: Sequence[int], size: int) -> list[list[int]]:
    """Places of utterances in the order of their lengths, at most `size` together: for evaluation."""
    order = sorted(range(len(frames)), key=lambda i: (frames[i], i))
    return [order[start : start + size] for start in range(0, len(order), size)]


def collate(
    ids: list[str], features: Sequence[Float[Tensor, "_ mel"]], targets: Sequence[Sequence[int]]
) -> Batch:
    """One padded batch."""
    lengths = torch.tensor([len(f) for f in features])
    padded = torch.nn.utils.rnn.pad_sequence(list(features), batch_first=True)
    labels = torch.nn.utils.rnn.pad_sequence([torch.tensor(t, dtype=torch.long) for t in targets], True)
    return Batch(ids, padded, lengths, labels, torch.tensor([len(t) for t in targets]))
