"""What a step of SSAST costs, and what hiding costs of it: our masks beside a Python loop over utterances.

    python benchmarks/pretraining.py --size base --device cuda --batch 96      (bfloat16; on the CPU: --size tiny --batch 8)

Batches of ten seconds, 128 channels, patches of 16 x 16 (or `--frames`: 128 x 2), 400 hidden in clusters of 3 to 5. The loop
is written after what the reference code does (one utterance after the other, a set of indices that grows until there are
enough), without its defects. The ways take turns in each round; printed are medians: utterances a second and the share of the
step that hiding takes, with the card's name.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from models.ast import AST, SIZES
from models.ssast import SSAST
from specaug.augment.keys import make_keys
from specaug.augment.patch_grid import PatchGrid
from specaug.augment.patch_grid_masks import PatchHiding, draw_hidden

MEL, TIME, NUMBER, SIDES = 128, 1024, 400, (3, 5)


def ours(hiding: PatchHiding, lengths: Tensor, turn: int) -> Tensor:
    """True at the hidden patches of a batch, drawn on the host."""
    return draw_hidden(
        hiding, lengths, TIME, MEL, make_keys(0, turn, [str(row) for row in range(len(lengths))])
    )


def looped(hiding: PatchHiding, lengths: Tensor, turn: int) -> Tensor:
    """The same kind of mask, patch by patch in Python."""
    random.seed(turn)
    rows, columns = TIME // hiding.grid.t, MEL // hiding.grid.f
    hidden = torch.zeros(len(lengths), rows, columns, dtype=torch.bool)
    for row in range(len(lengths)):
        chosen: set[int] = set()
        while len(chosen) < NUMBER:
            start, side = random.randrange(rows * columns), random.randint(*SIDES)
            for down in range(side):
                for across in range(side):
                    place = start + down * columns + across
                    inside = start % columns + across < columns and place < rows * columns
                    if inside and len(chosen) < NUMBER:
                        chosen.add(place)
        hidden[row].view(-1)[list(chosen)] = True
    return hidden


def step(network: SSAST, optimizer: torch.optim.Optimizer, given: tuple[Tensor, Tensor, Tensor]) -> None:
    """Loss, gradient and update, in bfloat16 where the device is a GPU."""
    features, lengths, hidden = given
    with torch.autocast(features.device.type, torch.bfloat16, enabled=features.is_cuda):
        loss, _ = network.loss(features, lengths, hidden)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def timed(what: Callable[[], object], device: str) -> float:
    """Seconds, the device's work included."""
    begun = time.perf_counter()
    what()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=sorted(SIZES), default="tiny")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--frames", action="store_true", help="patches of 2 frames by all channels")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    told = parser.parse_args()
    t, f = (2, MEL) if told.frames else (16, 16)
    hiding = PatchHiding(grid=PatchGrid(t=t, f=f), number=NUMBER, c_low=SIDES[0], c_high=SIDES[1])
    width, depth, heads = SIZES[told.size]
    network = SSAST(AST(MEL, width, depth, heads, t, f, frames=TIME)).to(told.device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=told.device == "cuda")
    lengths = torch.full((told.batch,), TIME)
    features = torch.randn(told.batch, TIME, MEL, device=told.device)
    there = lengths.to(told.device)
    seconds: dict[str, list[tuple[float, float]]] = {"ours": [], "looped": []}
    for turn in range(told.rounds + 1):  # the first one warms up
        for name, way in (("ours", ours), ("looped", looped)):
            alone = timed(lambda way=way, turn=turn: way(hiding, lengths, turn), told.device)
            whole = timed(
                lambda way=way, turn=turn: step(
                    network, optimizer, (features, there, way(hiding, lengths, turn).to(told.device))
                ),
                told.device,
            )
            if turn:
                seconds[name].append((alone, whole))
    card = torch.cuda.get_device_name() if told.device == "cuda" else "CPU"
    print(f"{card}, {told.size}, patches of {t} x {f}, batches of {told.batch}")
    for name, pairs in seconds.items():
        alone, whole = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(
            f"{name}\t{told.batch / whole:.1f} utterances/s\t{1e3 * alone:.2f} ms hiding\t{alone / whole:.1%} of the step"
        )


if __name__ == "__main__":
    main()
