"""What the tests of pretraining share: small objectives, and a batch of three lengths with its masks."""

import torch
from torch import Tensor

from models.ast import AST
from models.maskspec import MaskSpec
from models.pretext import Pretext
from models.ssast import SSAST, Discriminative, Generative
from specaug.augment.keys import make_keys
from specaug.augment.patch_grid import PatchGrid
from specaug.augment.patch_grid_masks import PatchHiding, draw_hidden

MEL, TIME = 16, 26
LENGTHS = [26, 18, 9]  # of patches of 4 frames: 6 and a rest, 4 and a rest, 2 and a rest
KINDS = {"maskspec": MaskSpec, "ssast": SSAST, "generative": Generative, "discriminative": Discriminative}


def small(t: int = 4, f: int = 8, **arguments: float) -> AST:
    return AST(**{"mel": MEL, "width": 8, "depth": 2, "heads": 2, "t": t, "f": f, "frames": 40, **arguments})


def built(kind: str, t: int = 4, f: int = 8, slope: float = 0.0) -> Pretext:
    torch.manual_seed(0)
    arguments = {"width": 12, "depth": 1, "heads": 3} if kind == "maskspec" else {}
    return KINDS[kind](small(t, f, slope=slope), **arguments)


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def masks(lengths: list[int], time: int, t: int = 4, f: int = 8, mel: int = MEL) -> Tensor:
    hiding = PatchHiding(grid=PatchGrid(t=t, f=f), share=0.6)
    keys = make_keys(0, 0, [str(number) for number in range(len(lengths))])
    return draw_hidden(hiding, torch.tensor(lengths), time, mel, keys)


def batch(t: int = 4, f: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    return noise(3, TIME, MEL), torch.tensor(LENGTHS), masks(LENGTHS, TIME, t, f)
