"""Which patches of an utterance a network is to predict (MaskSpec, Chong et al. 2022; SSAST, Gong et al. 2022)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from specaug.augment.hiding import check_hiding
from specaug.augment.keys import HIDDEN, random_words
from specaug.augment.lengths import require_lengths
from specaug.augment.operation import floor_of
from specaug.augment.patch_grid import PatchGrid
from specaug.augment.philox import WORD, below


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchHiding:
    """A share, or a number, of an utterance's whole patches, in clusters of C x C patches.

    C ~ U{c_low, ..., c_high} for each utterance; 1 and 1 hide patches one by one. MaskSpec hides a share of 0.75;
    SSAST 400 of 512 patches in clusters of 3 to 5. Raises ValueError where that would be all patches or none, or where
    patches overlap, since what one hides its neighbours would show.
    """

    grid: PatchGrid
    share: float | None = None
    number: int | None = None  # of patches
    c_low: int = 1  # patches
    c_high: int = 1

    def __post_init__(self) -> None:
        if self.grid.overlaps:
            raise ValueError(
                f"grid is {self.grid}; expected patches that do not overlap where some are hidden"
            )
        check_hiding(self.share, self.number, self.c_low, self.c_high)

    def count(self, frames: int, mel: int) -> int:
        """How many patches of an utterance are hidden.

        Raises ValueError where that is none of its whole patches, or all: the utterance is too short. Whoever trains
        asks for every utterance beforehand.
        """
        whole = self.grid.whole(frames) * self.grid.columns(mel)
        count = self.number or 0 if self.share is None else floor_of(self.share, whole)
        if not 0 < count < whole:
            what = f"number {self.number}" if self.share is None else f"share {self.share}"
            raise ValueError(
                f"an utterance of {frames} frames has {whole} whole patches of {self.grid.t} frames by {self.grid.f} "
                f"channels, of which {what} hides {min(count, whole)}; expected 1 at least, and not all"
            )
        return count


def draw_hidden(
    hiding: PatchHiding, lengths: Int[Tensor, " batch"], time: int, mel: int, keys: Int[Tensor, "batch 5"]
) -> Bool[Tensor, "batch row column"]:
    """True at the patches that are hidden of each utterance, of features of `time` frames by `mel` channels.

    Every patch is hidden with the same chance, and the number is exact. The grid is cut into tiles of C x C from a random
    corner on (those at the edges are smaller: a cluster ends there). The tiles are put in random order, and their
    patches on a circle; hidden is the arc of `count` patches from a random one on. Wherever the order puts a patch, as
    many arcs hold it as any other (decision D81).

    The keys are those of `make_keys`, on the device of `lengths`. Raises ValueError where an utterance is too short.
    """
    require_lengths(lengths, len(keys), time)
    lengths, keys = lengths.long(), keys.long() & WORD
    there = hiding.grid.inside(lengths, time, mel)
    _, rows, columns = there.shape
    there = there.flatten(1)
    count = torch.tensor(
        [hiding.count(n, mel) for n in lengths.tolist()], dtype=torch.int64, device=keys.device
    )
    words = random_words(keys, HIDDEN + torch.arange(1 + -(-rows * columns // 4), device=keys.device))
    tile = tiles(hiding, words[:, 0], rows, columns)
    order = words[:, 1:].flatten(1).gather(1, tile).where(there, 1 << 32).argsort(dim=1, stable=True)
    whole = there.sum(dim=1)
    place = torch.empty_like(order).scatter_(
        1, order, torch.arange(rows * columns, device=keys.device).expand_as(order)
    )
    start = below(words[:, 0, 3], whole)
    on = (place - start[:, None]) % whole.clamp(min=1)[:, None] < count[:, None]
    return (on & there).view(len(keys), rows, columns)


def tiles(
    hiding: PatchHiding, words: Int[Tensor, "batch 4"], rows: int, columns: int
) -> Int[Tensor, "batch patch"]:
    """The number of the tile that each patch lies in: that of the tile's row times the columns, and its column.

    So the number of a tile is less than that of the patches, and does not change with what follows in time.
    """
    side = hiding.c_low + below(
        words[:, 0], torch.tensor(hiding.c_high - hiding.c_low + 1, device=words.device)
    )
    down, across = below(words[:, 1], side), below(words[:, 2], side)
    row = (torch.arange(rows, device=words.device) + down[:, None]) // side[:, None]
    column = (torch.arange(columns, device=words.device) + across[:, None]) // side[:, None]
    return (row[:, :, None] * columns + column[:, None, :]).flatten(1)
