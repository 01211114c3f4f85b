"""Drawing: from a policy and the keys of some utterances to what happens to each of them.

Every number comes from the utterance's key and the place of the number in the policy (the third time mask, say)
through Philox. So it is the same on any device, in any batch and in any order; and two policies with one seed
share their numbers: LD's first masks are LB's masks.
"""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from specaug.augment.philox import WORD, below, philox
from specaug.augment.policy import Policy

WARP, FREQ, TIME = 0, 1, 2  # the stream of each operation; a draw's block is stream * 2^16 + its index


@dataclass(frozen=True, slots=True)
class Spans:
    """Half-open intervals [start, start + width), `mask` of them per utterance."""

    start: Int[Tensor, "batch mask"]
    width: Int[Tensor, "batch mask"]


@dataclass(frozen=True, slots=True)
class Draws:
    """What happens to each utterance: frame `centre` moves to `centre + shift`; `freq` and `time` are hidden."""

    centre: Int[Tensor, " batch"]  # frames
    shift: Int[Tensor, " batch"]  # frames, w in [-W, W]
    freq: Spans  # mel channels
    time: Spans  # frames


def make_keys(seed: int, epoch: int, utterances: Sequence[str]) -> Int[Tensor, "batch 5"]:
    """The key of each utterance in one epoch: two words of seed, the epoch, two words of the utterance's id."""
    head = [seed & WORD, (seed >> 32) & WORD, epoch & WORD]
    rows = [head + id_words(utterance) for utterance in utterances]
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, 5)


def id_words(utterance: str) -> list[int]:
    """The first 64 bits of the id's SHA-256, as two words: the same on every machine, unlike `hash`."""
    digest = hashlib.sha256(utterance.encode()).digest()
    return [int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")]


def draw(policy: Policy, lengths: Int[Tensor, " batch"], mel: int, keys: Int[Tensor, "batch 5"]) -> Draws:
    """Draw once from `policy` for each utterance (Park et al. 2019, section 2).

    f ~ U{0..F}, f0 ~ U{0..mel - f}; t ~ U{0..min(T, p * tau)}, t0 ~ U{0..tau - t}: both ends included, every
    place that fits as likely as any other (decisions D3, D4). Raises ValueError where F exceeds `mel`.
    """
    if policy.freq_width > mel:
        raise ValueError(f"F (freq_width) is {policy.freq_width}; expected at most the {mel} mel channels")
    lengths, keys = lengths.long(), keys.long()
    counts = {WARP: 1, FREQ: policy.freq_masks, TIME: policy.time_masks}
    warp, freq, time = draw_words(keys, counts)
    widest = torch.tensor([policy.widest(n) for n in lengths.tolist()], dtype=torch.int64)
    centre, shift = place_warp(policy.warp, lengths, warp)
    return Draws(
        centre=centre,
        shift=shift,
        freq=place_spans(torch.full_like(lengths, mel), torch.full_like(lengths, policy.freq_width), freq),
        time=place_spans(lengths, widest.to(lengths.device), time),
    )


class Words(NamedTuple):
    """Two random words of 32 bits for each utterance and each draw of one operation."""

    first: Int[Tensor, "batch draw"]
    second: Int[Tensor, "batch draw"]


def draw_words(keys: Int[Tensor, "batch 5"], counts: Mapping[int, int]) -> list[Words]:
    """The words of each stream in `counts`, which says how many draws it makes.

    All streams go through the generator together: it is some 150 small operations, whatever their size.
    """
    blocks = [(stream << 16) + index for stream, count in counts.items() for index in range(count)]
    block = torch.tensor(blocks, dtype=torch.int64, device=keys.device)[None, :]
    seed_low, seed_high, epoch, id_low, id_high = (keys[:, i : i + 1] for i in range(5))
    first, second, _, _ = philox((block, epoch, id_low, id_high), (seed_low, seed_high))
    ends = list(itertools.accumulate(counts.values(), initial=0))
    return [Words(first[:, a:b], second[:, a:b]) for a, b in itertools.pairwise(ends)]


def place_spans(size: Int[Tensor, " batch"], widest: Int[Tensor, " batch"], words: Words) -> Spans:
    """Intervals inside [0, size), of widths U{0..widest}, one for each pair of words."""
    width = below(words.first, (torch.minimum(widest, size)[:, None] + 1).expand_as(words.first))
    return Spans(below(words.second, size[:, None] - width + 1), width)


def place_warp(
    warp: int, lengths: Int[Tensor, " batch"], words: Words
) -> tuple[Int[Tensor, " batch"], Int[Tensor, " batch"]]:
    """The frame that moves, in (W, tau - 1 - W), and its shift, U{-W..W}.

    In an utterance of fewer than 2 W + 3 frames W is lowered until such a frame exists (decision D6).
    """
    reach = torch.clamp((lengths - 3).div(2, rounding_mode="floor"), min=0, max=warp)
    room = torch.clamp(lengths - 2 - 2 * reach, min=1)
    centre = torch.where(lengths >= 3, reach + 1 + below(words.first[:, 0], room), torch.zeros_like(lengths))
    return centre, below(words.second[:, 0], 2 * reach + 1) - reach
