"""What training costs on a machine, of whatever kind it is: time, memory, space on disk."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from statistics import fmean
from typing import ClassVar

import lightning as L
import torch
from torch import nn

from specaug.errors import UserError
from specaug.speech.kinds import Tell
from specaug.study.cost.corpus import Lengths, shares_of
from specaug.study.cost.counting import Counted
from specaug.study.cost.laws import Law, Number, lengths_for
from specaug.study.cost.machines import Machine, here
from specaug.study.cost.made_up import Made
from specaug.study.cost.memory import GRADIENT, WEIGHT, Need, expected, gib, parameters_of, sketched, states
from specaug.study.cost.timing import Timed, spread, timed
from specaug.study.pretraining.recipe import Pretraining
from specaug.study.recipe import Recipe
from specaug.training.module import Trained

USED = 0.35  # of a GPU's peak in products; assumed
STREAMED = 0.6  # of its bandwidth in all else; assumed
LAUNCH = 6e-6  # seconds between two operations that a GPU starts; assumed
UPDATED = 40  # bytes a parameter: clipping reads twice and writes once, AdamW reads four and writes three
# Bytes a parameter: weight noise is kept from (two), drawn (one), added (three) and taken away (two)
NOISED = 32
COUNTING = "passes that are counted"
SAMPLE = 8  # batches that are timed


@dataclass(frozen=True)
class Costs(ABC):
    """What each of some trainings that are alike costs on a machine: runs of a recipe, or of a pretraining."""

    EVALUATED: ClassVar[float]  # the time of a pass over dev, of that of training on as much

    recipe: Recipe | Pretraining
    machine: Machine
    lengths: Lengths
    parameters: int
    laws: Mapping[str, Law]  # of the fields of `Counted`
    timed: Timed | None = None  # on this machine alone

    @cached_property
    def shares(self) -> list[list[list[int]]]:
        """The shares that the first process works off of each batch of an epoch: frames of their utterances."""
        return [
            shares_of(batch, self.recipe.training) for batch in self.lengths.batches(self.recipe.training)
        ]

    @property
    def epochs(self) -> int:
        """Epochs until step s_f; the one in which it falls is finished."""
        return -(-self.recipe.training.schedule.s_f // len(self.shares))

    @property
    def steps(self) -> int:
        """Steps of a run."""
        return self.epochs * len(self.shares)

    @property
    def noisy(self) -> float:
        """The share of the steps that have weight noise."""
        options = self.recipe.training
        return max(0, self.steps - options.schedule.s_noise) / self.steps if options.weight_noise else 0.0

    def mean(self, name: str) -> float:
        """What a step costs one process, on average over the steps of an epoch."""
        law = self.laws[name]
        return fmean(sum(law.of(len(own), max(own)) for own in shares) for shares in self.shares)

    @property
    def flops(self) -> float:
        """FLOPs of a step, of all its processes together."""
        return self.mean("flops") * self.recipe.training.devices

    @property
    def moved(self) -> float:
        """Bytes that a step moves, of all its processes together."""
        return self._moved * self.recipe.training.devices

    @property
    def _moved(self) -> float:
        return self.mean("moved") + (UPDATED + NOISED * self.noisy) * self.parameters

    @property
    def step(self) -> float:
        """Seconds of a step."""
        kind = self.machine.kind
        if kind is None:
            assert self.timed is not None
            passes = self.mean("flops") / self.timed.rate(self.laws["flops"])
            return passes + self.timed.update + self.noisy * self.timed.noise
        products = self.mean("flops") / (USED * kind.peak(self.recipe.training.precision))
        streams = self._moved / (STREAMED * kind.bandwidth)
        return max(products + streams, self.mean("launches") * LAUNCH)

    @property
    def training(self) -> float:
        """Seconds of the steps of a run."""
        return self.steps * self.step

    @property
    @abstractmethod
    def runs(self) -> int:
        """How many there are."""

    @property
    def passes(self) -> float:
        """Seconds of the passes over dev while training."""
        count = -(-self.epochs // self.recipe.training.evaluate_every)
        return count * self.pass_over(self.lengths.of_dev())

    @property
    def evaluation(self) -> float:
        """Seconds of all passes without training."""
        return self.passes

    def pass_over(self, frames: Sequence[int]) -> float:
        """Seconds in which utterances of so many frames are evaluated."""
        share = sum(map(self.laws["flops"].each, frames)) / sum(
            map(self.laws["flops"].each, self.lengths.train)
        )
        return self.EVALUATED * share * len(self.shares) * self.step

    @property
    def run(self) -> float:
        """Seconds of a run."""
        return self.training + self.evaluation

    @property
    def beside(self) -> int:
        """Runs that the machine trains at a time."""
        return min(self.runs, self.machine.devices // self.recipe.training.devices)

    @property
    def all_runs(self) -> float:
        """Seconds of all runs, as many at a time as there are devices for."""
        return -(-self.runs // max(1, self.beside)) * self.run

    @property
    def at_once(self) -> int:
        """Utterances that a process works on at once, where they are the longest."""
        return self.recipe.training.at_once(self.lengths.longest)

    @property
    def need(self) -> Need:
        """What a process needs of memory."""
        law, longest = self.laws["activations"], self.lengths.longest
        weights = self.parameters * states(self.recipe.training)
        return Need(weights, max(0.0, law.of(0, longest)), law.each(longest))

    @property
    def room(self) -> float:
        """Bytes that a process may take."""
        return self.machine.room(self.recipe.training.devices)

    @property
    def most(self) -> int:
        """Utterances of the longest kind that fit at once."""
        return self.need.most(self.room)

    @property
    def storage(self) -> float:
        """Bytes of the features of the corpus."""
        return float(self.lengths.total * self.recipe.features.mel * 4)


def measured(
    costs: Costs, make: Made, module: Trained, callbacks: Sequence[L.Callback], patience: float
) -> Timed:
    """Some of the batches that the costs are of, made up and trained on here; raises whatever the network raises."""
    fitting = max(1, costs.most)
    shapes = [own[:fitting] for own in spread([s for step in costs.shares for s in step], SAMPLE)]
    part, ends = make([n for shape in shapes for n in shape]), [0, *accumulate(map(len, shapes))]
    return timed(module, callbacks, part, [range(*pair) for pair in pairwise(ends)], patience)


def laws_of(
    count: Callable[[Sequence[int]], Counted], typical: Number, progress: Tell = lambda *_: None
) -> dict[str, Law]:
    """How the costs of a pass grow, from four passes: one and two utterances, of a quarter and half the typical length."""
    frames, longer = lengths_for(typical)
    passes = [(n, t) for n in (1, 2) for t in (frames, longer)]
    found: dict[tuple[int, int], Counted] = {}
    for n, t in passes:
        progress(
            COUNTING, len(found), len(passes)
        )  # a minute each, where there are hundreds of millions of weights
        found[n, t] = count([t] * n)
    progress(COUNTING, len(passes), len(passes))

    def law(place: int) -> Law:
        return Law.through(lambda n, t: found[n, t][place], frames, longer)

    return {name: law(place) for place, name in enumerate(Counted._fields)}


def small_enough(make: Callable[[], nn.Module], what: str, seed: int) -> nn.Module:
    """A network, built here as a run of that seed does. Raises UserError where its weights and gradients have no room."""
    sketch, this = sketched(make), here()
    if sketch is not None and (needed := parameters_of(sketch) * (WEIGHT + GRADIENT)) > this.room(1):
        told = f"to count what a step takes its {parameters_of(sketch):,} parameters need {gib(needed)}"
        raise UserError(f"{what}: {told}; {expected(this, this.room(1))}")
    torch.set_num_threads(1)  # as in training
    torch.manual_seed(seed)
    return make()
