"""Drawing: from a policy and the keys of some utterances to what happens to each of them.

Every number comes from the utterance's key and the place of the number in the policy (the third time mask, say)
through Philox. So it is the same on any device, in any batch and in any order; and two policies with one seed
share their numbers: LD's first masks are LB's masks.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

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
    channels = torch.full_like(lengths, mel)
    centre, shift = _draw_warp(policy.warp, lengths, keys)
    freq = _draw_spans(FREQ, policy.freq_masks, channels, torch.full_like(lengths, policy.freq_width), keys)
    widest = torch.tensor([policy.widest(n) for n in lengths.tolist()], device=lengths.device)
    time = _draw_spans(TIME, policy.time_masks, lengths, widest.reshape_as(lengths).long(), keys)
    return Draws(centre, shift, freq, time)


def _words(keys: Int[Tensor, "batch 5"], stream: int, count: int) -> tuple[Tensor, Tensor]:
    """Two random words for each utterance and each of `count` draws of one operation, (batch, count) each."""
    block = (stream << 16) + torch.arange(count, device=keys.device)
    seed_low, seed_high, epoch, id_low, id_high = (keys[:, i : i + 1] for i in range(5))
    first, second, _, _ = philox((block[None, :], epoch, id_low, id_high), (seed_low, seed_high))
    return first, second


def _draw_spans(
    stream: int,
    count: int,
    size: Int[Tensor, " batch"],
    widest: Int[Tensor, " batch"],
    keys: Int[Tensor, "batch 5"],
) -> Spans:
    """`count` intervals per utterance inside [0, size), of widths U{0..widest}."""
    first, second = _words(keys, stream, count)
    width = below(first, (torch.minimum(widest, size)[:, None] + 1).expand_as(first))
    return Spans(below(second, size[:, None] - width + 1), width)


def _draw_warp(
    warp: int, lengths: Int[Tensor, " batch"], keys: Int[Tensor, "batch 5"]
) -> tuple[Int[Tensor, " batch"], Int[Tensor, " batch"]]:
    """The frame that moves, in (W, tau - 1 - W), and its shift, U{-W..W}.

    In an utterance of fewer than 2 W + 3 frames W is lowered until such a frame exists (decision D6).
    """
    reach = torch.clamp((lengths - 3).div(2, rounding_mode="floor"), min=0, max=warp)
    first, second = (word[:, 0] for word in _words(keys, WARP, 1))
    room = torch.clamp(lengths - 2 - 2 * reach, min=1)
    centre = torch.where(lengths >= 3, reach + 1 + below(first, room), torch.zeros_like(lengths))
    return centre, below(second, 2 * reach + 1) - reach
