"""The plan of a recipe: time, memory, space on disk."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from statistics import fmean

import torch
from torch import nn

from specaug.errors import UserError
from specaug.speech.corpus import TRAIN
from specaug.speech.kinds import Tell
from specaug.speech.prepare import Part
from specaug.study.cost.corpus import Lengths, lengths_of, shares_of
from specaug.study.cost.counting import Counted, counted
from specaug.study.cost.laws import Law, lengths_for
from specaug.study.cost.machines import Machine, here
from specaug.study.cost.made_up import batch_of, made_up
from specaug.study.cost.memory import GRADIENT, WEIGHT, Need, expected, gib, on_meta, parameters_of, states
from specaug.study.cost.timing import PATIENCE, Timed, spread, timed
from specaug.study.laboratory import on_path
from specaug.study.networks import build
from specaug.study.places import Places
from specaug.study.recipe import Recipe
from specaug.training.fit import MISTAKES

USED = 0.35  # of a GPU's peak in products; assumed
STREAMED = 0.6  # of its bandwidth in all else; assumed
LAUNCH = 6e-6  # seconds between two operations that a GPU starts; assumed
UPDATED = 40  # bytes a parameter: clipping reads twice and writes once, AdamW reads four and writes three
EVALUATED = (
    0.9  # of a step's time: loss, transcripts and their errors, as measured of a BiLSTM and a Conformer (D77)
)
SAMPLE = 8  # batches that are timed


@dataclass(frozen=True)
class Plan:
    """What a recipe will cost on a machine."""

    recipe: Recipe
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
    def runs(self) -> int:
        """How many runs an ablation makes."""
        recipe = self.recipe
        return len(recipe.policies) * len(recipe.seeds) * max(1, len(recipe.folds))

    @property
    def epochs(self) -> int:
        """Epochs until step s_f; the one in which it falls is finished."""
        return -(-self.recipe.training.schedule.s_f // len(self.shares))

    @property
    def steps(self) -> int:
        """Steps of a run."""
        return self.epochs * len(self.shares)

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
        return self.mean("moved") + UPDATED * self.parameters

    @property
    def step(self) -> float:
        """Seconds of a step."""
        kind = self.machine.kind
        if kind is None:
            assert self.timed is not None
            return self.mean("flops") / self.timed.rate(self.laws["flops"]) + self.timed.update
        products = self.mean("flops") / (USED * kind.peak(self.recipe.training.precision))
        streams = self._moved / (STREAMED * kind.bandwidth)
        return max(products + streams, self.mean("launches") * LAUNCH)

    @property
    def training(self) -> float:
        """Seconds of the steps of a run."""
        return self.steps * self.step

    @property
    def evaluation(self) -> float:
        """Seconds of the passes over dev while training, and of the test of all parts but train."""
        passes = -(-self.epochs // self.recipe.training.evaluate_every)
        tested = [frames for name, frames in self.lengths.frames.items() if name != TRAIN]
        return passes * self.pass_over(self.lengths.of_dev()) + sum(map(self.pass_over, tested))

    def pass_over(self, frames: Sequence[int]) -> float:
        """Seconds in which utterances of so many frames are evaluated, transcribed greedily."""
        share = sum(map(self.laws["flops"].each, frames)) / sum(
            map(self.laws["flops"].each, self.lengths.train)
        )
        return EVALUATED * share * len(self.shares) * self.step

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

    @cached_property
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


def planned(
    recipe: Recipe,
    places: Places,
    machine: Machine | None = None,
    progress: Tell = lambda *_: None,
    patience: float = PATIENCE,
) -> Plan:
    """The plan of a recipe for a machine, or for this one. A few small batches run here in any case.

    Raises UserError where the recipe has no run, asks for more devices than there are, its corpus is neither at hand
    nor known, or its network fails or is too large to be looked at here.
    """
    if not (recipe.policies and recipe.seeds):
        raise UserError("policies or seeds are empty; expected at least one run to plan")
    machine, devices = machine or here(), recipe.training.devices
    if devices > machine.devices and not machine.shared:
        raise UserError(
            f"training.devices is {devices}; expected at most the {machine.devices} of {machine.name}"
        )
    with on_path(places.laboratory):
        network = small_enough(recipe, places)
        lengths = lengths_of(recipe, places, progress)

        def make(frames: Sequence[int]) -> Part:
            return made_up(frames, lengths.labels, recipe.features.mel, recipe.text.labels)

        try:
            laws = laws_of(network, lengths.typical, make, recipe.training.precision == "bf16")
            plan = Plan(recipe, machine, lengths, parameters_of(network), laws)
            if machine.kind is not None:
                return plan
            fitting = max(1, plan.most)
            shapes = [own[:fitting] for own in spread([s for step in plan.shares for s in step], SAMPLE)]
            part, ends = make([n for shape in shapes for n in shape]), [0, *accumulate(map(len, shapes))]
            took = timed(network, recipe, part, [range(*pair) for pair in pairwise(ends)], patience)
        except MISTAKES as error:
            name, first = type(network).__name__, (str(error).splitlines() or [""])[0]
            raise UserError(f"network {name} fails on a batch: {type(error).__name__}: {first}") from error
    return Plan(recipe, machine, lengths, plan.parameters, laws, took)


def small_enough(recipe: Recipe, places: Places) -> nn.Module:
    """The recipe's network, built here. Raises UserError where its weights and gradients have no room here."""
    sketch, this = on_meta(recipe, places.laboratory), here()
    if sketch is not None and (needed := parameters_of(sketch) * (WEIGHT + GRADIENT)) > this.room(1):
        what = f"to count what a step takes its {parameters_of(sketch):,} parameters need {gib(needed)}"
        raise UserError(f"network {recipe.network.path}: {what}; {expected(this, this.room(1))}")
    torch.set_num_threads(1)  # as in training
    torch.manual_seed(recipe.seed)
    return build(recipe.network, recipe.features.mel, recipe.text.labels, places.laboratory)


def laws_of(
    network: nn.Module, typical: float, make: Callable[[Sequence[int]], Part], half: bool
) -> dict[str, Law]:
    """How the costs of a pass grow, from four passes: one and two utterances, of half the typical length and of all."""
    frames, longer = lengths_for(typical)
    found = {
        (n, t): counted(network, batch_of(make([t] * n)), half) for n in (1, 2) for t in (frames, longer)
    }

    def law(place: int) -> Law:
        return Law.through(lambda n, t: found[n, t][place], frames, longer)

    return {name: law(place) for place, name in enumerate(Counted._fields)}
