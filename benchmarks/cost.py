"""Whether a recipe costs what `specaug plan` says: the plan of one run, then that run, on this machine.

    python benchmarks/cost.py [RECIPE] [KEY=VALUE ...] [--data DIR] [--minutes 0.5]

RECIPE is experiments/demo.yaml where none is given. The run trains for some epochs, `--minutes` by the plan, in a folder
that is removed afterwards; the corpus and its features are made first, and do not count. Printed, tab-separated: what
a step takes by the plan and in the run, from the end of its first step to the end of the last epoch without the
passes over dev, and their ratio, which is meant to lie between 0.8 and 1.2; then the same for the passes over dev, and of
the pretraining that the run begins with, which trains as long, where there is one.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning as L

from specaug.augment.policy import NONE
from specaug.study.cost.costs import Costs
from specaug.study.cost.plan import planned
from specaug.study.cost.pretrained import PretrainCosts
from specaug.study.laboratory import find, on_path
from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.pretraining.first import pretraining_of
from specaug.study.pretraining.run import PretrainRun, ready
from specaug.study.recipe import Recipe
from specaug.study.run import Run, prepared_run
from specaug.training import fit, pretrain
from specaug.training.fit import Job
from specaug.training.options import Training
from specaug.training.schedule import Schedule

DEMO = Path(__file__).resolve().parent.parent / "experiments" / "demo.yaml"


class Clock(L.Callback):
    """Seconds and steps of training, and seconds of the passes over dev; the first step warms up."""

    def __init__(self) -> None:
        self.steps, self.training, self.dev, self.passes = 0, 0.0, 0.0, 0
        self.since = self.paused = math.nan

    def on_train_batch_end(self, trainer: L.Trainer, *_: object) -> None:
        """A step, or a share of one."""
        if math.isnan(self.since):
            self.since, self.first = time.perf_counter(), trainer.global_step
        self.steps = trainer.global_step - self.first
        self.training = time.perf_counter() - self.since - self.dev

    def on_validation_start(self, *_: object) -> None:
        """A pass over dev begins."""
        self.paused = time.perf_counter()

    def on_validation_end(self, *_: object) -> None:
        """It is over."""
        self.dev += time.perf_counter() - self.paused
        self.passes += 1


@dataclass(frozen=True)
class Compared:
    """Seconds by the plan, and in the run."""

    what: str
    planned: float
    measured: float

    @property
    def ratio(self) -> float:
        """Planned over measured."""
        return self.planned / self.measured


def compared(path: Path, overrides: Sequence[str], data: Path | None, seconds: float) -> list[Compared]:
    """Plan one run, train it for some `seconds`, and hold the two against each other; and its pretraining."""
    places = Places.of(find(path), data)
    recipe = single(load(path, overrides))
    with on_path(places.laboratory), tempfile.TemporaryDirectory() as folder:
        network, prepared, _ = prepared_run(Run("cost", recipe.run(), places))
        plan = planned(recipe, places)
        options, policy = shortened(plan, seconds), recipe.policy.policy()
        clock = Clock()
        with beside(fit, clock):
            fit.train(Job(network, prepared, policy, recipe.seed, options, Path(folder)))
        found = rows(plan, clock)
        if plan.pretrained and (wanted := pretraining_of(recipe.run(), places)):
            found += [
                replace(row, what=f"{row.what}, pretraining")
                for row in first(plan.pretrained, wanted, seconds)
            ]
    return found


def first(costs: PretrainCosts, wanted: PretrainRun, seconds: float) -> list[Compared]:
    """The same of a pretraining."""
    prepared, recipe, clock = ready(wanted), wanted.recipe, Clock()
    with tempfile.TemporaryDirectory() as folder, beside(pretrain, clock):
        pretrain.pretrain(
            pretrain.PretrainJob(
                network=prepared.network,
                prepared=prepared.data,
                policy=NONE,
                seed=recipe.seed,
                options=shortened(costs, seconds),
                folder=Path(folder),
                hiding=prepared.hiding,
                measures=prepared.measures,
                choose=recipe.choose,
            )
        )
    return rows(costs, clock)


def shortened(costs: Costs, seconds: float) -> Training:
    """The options of a training that ends after some `seconds` by its plan, with a pass over dev after every epoch."""
    steps = max(2, min(costs.steps, round(seconds / costs.step)))
    return replace(costs.recipe.training, schedule=Schedule(s_r=1, s_i=1, s_f=steps), evaluate_every=1)


@contextmanager
def beside(module: Any, clock: Clock) -> Iterator[None]:
    """What a module trains has a clock beside its callbacks."""
    make = module.make_trainer
    module.make_trainer = lambda job, callbacks, *rest: make(job, [*callbacks, clock], *rest)
    try:
        yield
    finally:
        module.make_trainer = make


def rows(costs: Costs, clock: Clock) -> list[Compared]:
    """What there is to print."""
    dev = costs.pass_over(costs.lengths.of_dev())
    return [
        Compared("a step", costs.step, clock.training / clock.steps),
        Compared("a pass over dev", dev, clock.dev / max(1, clock.passes)),
    ]


def single(recipe: Recipe) -> Recipe:
    """The recipe with one run: the policy with the most to do, the first seed."""
    return replace(recipe, policy=recipe.policies[-1], seed=recipe.seeds[0], decodings=())


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("recipe", nargs="?", type=Path, default=DEMO, metavar="RECIPE")
    options.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    options.add_argument("--data", type=Path, metavar="DIR")
    options.add_argument("--minutes", type=float, default=0.5)
    given = options.parse_args()
    print("what", "planned (s)", "measured (s)", "ratio", sep="\t")
    for row in compared(given.recipe, given.overrides, given.data, 60 * given.minutes):
        print(row.what, f"{row.planned:.4f}", f"{row.measured:.4f}", f"{row.ratio:.2f}", sep="\t")


if __name__ == "__main__":
    main()
