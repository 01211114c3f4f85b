"""What training needs of memory, and whether a machine has it (decisions D75, D76)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from specaug.errors import UserError
from specaug.speech.prepare import Part
from specaug.study.cost.counting import Loss, loss_of, saved
from specaug.study.cost.laws import Number
from specaug.study.cost.machines import GIB, Machine, here
from specaug.study.networks import build
from specaug.study.recipe import Recipe
from specaug.training.data import Share, Utterances
from specaug.training.options import Training
from specaug.training.trial import MISTAKES

WEIGHT, GRADIENT, MOMENTS = 4, 4, 8  # bytes a parameter: float32, and Adam's two moments in float32


def states(options: Training) -> int:
    """Bytes that each parameter takes: 16, and 4 for the weights without their noise, 4 for what ranks exchange."""
    return WEIGHT + GRADIENT + MOMENTS + 4 * (options.weight_noise > 0) + 4 * (options.devices > 1)


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes of one process: what its weights take, what it takes in any case besides, and what each utterance adds."""

    weights: Number
    fixed: Number
    each: Number  # of an utterance of the longest kind

    def of(self, utterances: int) -> Number:
        """The bytes for so many utterances at once."""
        return self.weights + self.fixed + utterances * self.each

    def most(self, room: Number) -> int:
        """How many utterances fit, 0 where none does.

        >>> Need(10, 2, 3).most(20), Need(10, 2, 3).most(21), Need(10, 2, 3).most(14)
        (2, 3, 0)
        """
        return max(0, math.floor((room - self.weights - self.fixed) / max(1.0, self.each)))


def on_meta(recipe: Recipe, laboratory: Path) -> nn.Module | None:
    """The recipe's network without memory for its weights; None where it cannot be built so."""
    return sketched(partial(build, recipe.network, recipe.features.mel, recipe.text.labels, laboratory))


def sketched(built: Callable[[], nn.Module]) -> nn.Module | None:
    """A network without memory for its weights; None where it cannot be built so, which says nothing of it."""
    try:
        with torch.device("meta"):
            return built()
    except UserError:  # what is wrong with it, if anything is, is told when it is built
        return None


def parameters_of(network: nn.Module) -> int:
    """How many numbers are trained, and how many are not."""
    return sum(p.numel() for p in network.parameters())


def require_weights(recipe: Recipe, laboratory: Path, machine: Machine | None = None) -> None:
    """Raise UserError where the weights alone, with gradients and moments, are too large; nothing is allocated."""
    network = on_meta(recipe, laboratory)
    machine, options = machine or here(), recipe.training
    if network is None:
        return
    count, room = parameters_of(network), machine.room(options.devices)
    if (needed := count * states(options)) > room:
        what = f"{count:,} parameters need {gib(needed)} for weights, gradients and Adam's moments"
        raise UserError(f"network {recipe.network.path}: {what}; {expected(machine, room)}")


def require_room(
    network: nn.Module, part: Part, options: Training, machine: Machine | None = None, loss: Loss = loss_of
) -> None:
    """Raise UserError where the longest utterances that are worked on together do not fit; one and two are tried.

    Says what is needed and what there is, the largest batch that fits, and in how many shares this one would. `loss`
    is told whether products are in half the bits.
    """
    machine, longest = machine or here(), max(part.frames)
    room, wanted = machine.room(options.devices), options.at_once(longest)
    try:
        need = needed_by(network, part, options, loss)
    except MISTAKES:  # told by the dry run, which comes next
        return
    if need.of(wanted) > room:
        raise UserError(too_large(need, options, longest, machine))


def needed_by(network: nn.Module, part: Part, options: Training, loss: Loss = loss_of) -> Need:
    """What a network needs for the longest utterance of a part. Its forward pass runs; the network stays as it is."""
    place = max(range(len(part.frames)), key=lambda place: part.frames[place])
    one, two = (activations(network, part, [place] * count, options, loss) for count in (1, 2))
    return Need(parameters_of(network) * states(options), max(0.0, 2 * one - two), two - one)


def activations(
    network: nn.Module, part: Part, places: Sequence[int], options: Training, loss: Loss
) -> float:
    """The bytes that the backward pass of a batch waits for."""
    buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
    batch = Utterances(part)[Share([*places])]
    try:
        with torch.random.fork_rng(devices=[]), saved(network) as watch:
            loss(network, batch, options.precision == "bf16")
    finally:
        for buffer, before in buffers:  # running means of a batch normalisation
            buffer.copy_(before)
    return watch.bytes


def too_large(need: Need, options: Training, longest: int, machine: Machine) -> str:
    """What is said of a batch that does not fit."""
    room, wanted = machine.room(options.devices), options.at_once(longest)
    name = "frames" if options.frames else "batch"
    what = f"{wanted} utterances at once, of up to {longest:,} frames, need {gib(need.of(wanted))}"
    if not (most := need.most(room)):
        lacks = f"not even one fits, which needs {gib(need.of(1))}"
        return f"training.{name} is {getattr(options, name)}: {what}; {expected(machine, room)}: {lacks}"
    way_out = f"at most training.{name}={largest(options, longest, most)}"
    if shares := enough_shares(options, longest, most):
        way_out = f"{way_out}, or training.accumulate={shares}"
    return f"training.{name} is {getattr(options, name)}: {what}; {expected(machine, room)}: {way_out}"


def largest(options: Training, longest: int, most: int) -> int:
    """The largest batch whose shares have at most `most` utterances, in what `unit_of` says.

    >>> largest(Training(accumulate=2), 100, 3), largest(Training(frames=9999), 100, 3)
    (6, 300)
    """
    together = most * options.devices * options.accumulate
    return together * longest if options.frames else together


def unit_of(options: Training) -> str:
    """What a batch is measured in."""
    return "frames" if options.frames else "utterances"


def enough_shares(options: Training, longest: int, most: int) -> int | None:
    """The least `accumulate` with which no more than `most` utterances are worked on at once; None where there is none."""
    together = replace(options, devices=1, accumulate=1).at_once(longest)
    for shares in range(options.accumulate + 1, together + 1):
        try:
            fewer = replace(options, accumulate=shares)
        except ValueError:  # more shares than utterances
            return None
        if fewer.at_once(longest) <= most:
            return shares
    return None


def expected(machine: Machine, room: float) -> str:
    """What there is, in words."""
    return f"expected at most {gib(room)}, of the {gib(machine.memory)} of {machine.name}"


def gib(size: Number) -> str:
    """Bytes in GiB, in three digits or more.

    >>> gib(2**30), gib(2**20), gib(1500 * 2**30)
    ('1 GiB', '0.000977 GiB', '1500 GiB')
    """
    value = size / GIB
    return f"{value:.0f} GiB" if value >= 100 else f"{value:.3g} GiB"
