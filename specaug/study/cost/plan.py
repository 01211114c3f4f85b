"""The plan of a recipe: what its runs cost, and the pretrainings that they begin with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from specaug.errors import UserError
from specaug.speech.corpus import TRAIN
from specaug.speech.kinds import Tell
from specaug.speech.prepare import Part
from specaug.study.cost.corpus import lengths_of
from specaug.study.cost.costs import Costs, laws_of, measured, small_enough
from specaug.study.cost.counting import Counted, counted
from specaug.study.cost.machines import Machine, here
from specaug.study.cost.made_up import batch_of, made_up
from specaug.study.cost.memory import parameters_of
from specaug.study.cost.pretrained import PretrainCosts, pretrain_costs
from specaug.study.cost.timing import PATIENCE
from specaug.study.laboratory import on_path
from specaug.study.networks import build
from specaug.study.places import Places
from specaug.study.recipe import Recipe
from specaug.training.augment import Augment
from specaug.training.callbacks import Reseed
from specaug.training.module import Recognizer
from specaug.training.trial import told_as


@dataclass(frozen=True)
class Plan(Costs):
    """What the runs of a recipe will cost on a machine."""

    # Loss, transcripts and their errors, as measured of a BiLSTM and a Conformer (D77)
    EVALUATED: ClassVar[float] = 0.9

    recipe: Recipe
    pretrained: PretrainCosts | None = None  # what the runs begin with

    @property
    def runs(self) -> int:
        """How many runs an ablation makes."""
        recipe = self.recipe
        return len(recipe.policies) * len(recipe.seeds) * max(1, len(recipe.folds))

    @property
    def evaluation(self) -> float:
        """Seconds of the passes over dev while training, and of the test of all parts but train."""
        tested = [frames for name, frames in self.lengths.frames.items() if name != TRAIN]
        return self.passes + sum(map(self.pass_over, tested))

    @property
    def everything(self) -> float:
        """Seconds of all pretrainings, and after them of all runs."""
        return self.all_runs + (self.pretrained.all_runs if self.pretrained else 0.0)


def planned(
    recipe: Recipe,
    places: Places,
    machine: Machine | None = None,
    progress: Tell = lambda *_: None,
    patience: float = PATIENCE,
) -> Plan:
    """The plan of a recipe for a machine, or for this one. A few small batches run here in any case.

    Raises UserError where the recipe has no run, asks for more devices than there are, its corpus is neither at hand
    nor known, or its network fails or is too large to be looked at here; of its pretraining as well.
    """
    if not (recipe.policies and recipe.seeds):
        raise UserError("policies or seeds are empty; expected at least one run to plan")
    machine, devices = machine or here(), recipe.training.devices
    if devices > machine.devices and not machine.shared:
        raise UserError(
            f"training.devices is {devices}; expected at most the {machine.devices} of {machine.name}"
        )
    with on_path(places.laboratory):
        plan = costs_of_runs(recipe, places, machine, progress, patience)
        return replace(plan, pretrained=pretrain_costs(recipe, places, machine, progress, patience))


def costs_of_runs(recipe: Recipe, places: Places, machine: Machine, progress: Tell, patience: float) -> Plan:
    """What the runs of a recipe cost; raises as `planned`."""
    options, mel, vocab = recipe.training, recipe.features.mel, recipe.text.labels
    network = small_enough(
        lambda: build(recipe.network, mel, vocab, places.laboratory),
        f"network {recipe.network.path}",
        recipe.seed,
    )
    lengths = lengths_of(recipe, places, progress)

    def make(frames: Sequence[int]) -> Part:
        return made_up(frames, lengths.labels, mel, vocab)

    def count(frames: Sequence[int]) -> Counted:
        return counted(network, batch_of(make(frames)), options.precision == "bf16")

    with told_as(f"network {type(network).__name__}"):
        plan = Plan(
            recipe, machine, lengths, parameters_of(network), laws_of(count, lengths.typical, progress)
        )
        if machine.kind is not None:
            return plan
        policy = recipe.scaled(recipe.policies[-1]).policy()  # the last has the most to do
        callbacks = [Reseed(recipe.seed), Augment(policy, recipe.seed)]
        module = Recognizer(network.train(), options)
        return replace(plan, timed=measured(plan, make, module, callbacks, patience))
