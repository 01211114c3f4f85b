"""What the pretrainings cost that the runs of a recipe begin with (decision D105)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from specaug.augment.patch_grid_masks import PatchHiding
from specaug.errors import UserError
from specaug.speech.corpus import DEV, TRAIN
from specaug.speech.kinds import Tell
from specaug.speech.prepare import Part
from specaug.study.cost.corpus import Lengths, lengths_of
from specaug.study.cost.costs import Costs, laws_of, measured, small_enough
from specaug.study.cost.counting import Counted, counted
from specaug.study.cost.laws import Number, lengths_for
from specaug.study.cost.machines import Machine
from specaug.study.cost.made_up import batch_of, made_up
from specaug.study.cost.memory import Need, needed_by, parameters_of
from specaug.study.places import Places
from specaug.study.pretraining.data import fault
from specaug.study.pretraining.first import KEY, pretraining_of
from specaug.study.pretraining.recipe import Pretraining
from specaug.study.pretraining.run import PretrainRun, built, hiding_of
from specaug.study.recipe import Recipe
from specaug.training.callbacks import Reseed
from specaug.training.pretrain_contract import answering
from specaug.training.pretrain_module import FIXED, Pretrainer, hidden_of, loss_under, pretext_loss
from specaug.training.trial import told_as

ROWS = 8  # patches one after the other, at least, of an utterance of typical length


@dataclass(frozen=True, kw_only=True)
class PretrainCosts(Costs):
    """What the pretrainings of an experiment cost: one of each seed, and of each fold where both corpora have some."""

    EVALUATED: ClassVar[float] = 0.4  # a pass forward is a third; as measured of SSAST on FSDD

    recipe: Pretraining
    name: str
    pretrainings: int
    needed: Need
    too_short: int  # utterances, for what is hidden

    @property
    def runs(self) -> int:
        """How many pretrainings there are."""
        return self.pretrainings

    @property
    def need(self) -> Need:
        """What the process needs of memory, looked at as a pretraining does before it begins."""
        return self.needed


def pretrain_costs(
    recipe: Recipe, places: Places, machine: Machine, progress: Tell, patience: float
) -> PretrainCosts | None:
    """What the pretrainings of a recipe's runs cost, or None where they begin with none.

    Raises UserError where a pretraining cannot be built, its corpus is neither at hand nor known, no utterance is long
    enough for what is hidden, or its objective fails or is too large to be looked at here.
    """
    found = distinct(recipe, places)
    if not found:
        return None
    first = found[0]
    wanted, options, mel = first.recipe, first.recipe.training, first.recipe.features.mel
    network = small_enough(
        lambda: built(wanted, places.laboratory), f"objective {wanted.objective.path}", wanted.seed
    )
    hiding = hiding_of(wanted, answering(network).encoder)
    lengths, too_short = fitting(lengths_of(wanted, places, progress), hiding, mel)
    typical = max(lengths.typical, ROWS * hiding.grid.t)
    shown = in_proportion(hiding, typical, mel)

    def make(frames: Sequence[int]) -> Part:
        return made_up(frames, 0.0, mel, 1)

    def count(frames: Sequence[int]) -> Counted:
        batch = batch_of(make(frames))
        loss = partial(loss_under, hidden_of(shown, batch, *FIXED))  # drawn where nothing is counted
        return counted(network, batch, options.precision == "bf16", loss)

    with told_as(f"objective {type(network).__name__}"):
        costs = PretrainCosts(
            recipe=wanted,
            machine=machine,
            lengths=lengths,
            parameters=parameters_of(network),
            laws=laws_of(count, typical, progress),
            name=first.experiment,
            pretrainings=len(found),
            needed=needed_by(network, make([lengths.longest]), options, partial(pretext_loss, hiding)),
            too_short=too_short,
        )
        if machine.kind is not None:
            return costs
        module = Pretrainer(network.train(), options, hiding, wanted.seed)
        return replace(costs, timed=measured(costs, make, module, [Reseed(wanted.seed)], patience))


def distinct(recipe: Recipe, places: Places) -> list[PretrainRun]:
    """The pretrainings that the runs of a recipe begin with, each once."""
    wanted = [one for run in recipe.runs() if (one := pretraining_of(run, places))]
    return list({one.id: one for one in wanted}.values())


def fitting(lengths: Lengths, hiding: PatchHiding, mel: int) -> tuple[Lengths, int]:
    """The lengths without the utterances that are too short for what is hidden, and how many these are.

    Raises UserError where no utterance of training is left.
    """
    kept = {
        part: [n for n in frames if part not in (TRAIN, DEV) or not fault(hiding, mel, n)]
        for part, frames in lengths.frames.items()
    }
    if not kept[TRAIN]:
        raise UserError(f"{KEY}: no training utterance is long enough: {fault(hiding, mel, lengths.longest)}")
    left_out = sum(map(len, lengths.frames.values())) - sum(map(len, kept.values()))
    return replace(lengths, frames=kept), left_out


def in_proportion(hiding: PatchHiding, typical: Number, mel: int) -> PatchHiding:
    """What is hidden as a share, as large as at the typical length, and one patch at least of what a network is shown.

    Costs are taken from shorter utterances to longer ones, which no number of patches is.
    """
    shortest, length = lengths_for(typical)[0], round(typical)
    columns = hiding.grid.columns(mel)

    def share_of(patches: int, frames: int) -> float:
        return (patches + 0.5) / (hiding.grid.whole(frames) * columns)  # which is rounded down

    wanted = hiding.share or share_of(hiding.number or 0, length)
    return replace(hiding, number=None, share=max(wanted, share_of(1, shortest)))
