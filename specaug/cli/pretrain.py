"""`specaug pretrain`."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from specaug.cli.common import add_logger, add_recipe, add_verb, chosen, places


def add_pretrain(verbs: Any) -> None:
    """`specaug pretrain`."""
    example = "specaug pretrain experiments/pretraining/fsdd.yaml seeds=0,1 hidden.share=0.5"
    what = (
        "pretrain an encoder on masked spectrograms, without transcripts (models.ssast.SSAST, Generative or "
        "Discriminative, models.maskspec.MaskSpec); a run that was killed goes on. It leaves encoder.safetensors, the "
        "network.init of ordinary recipes, and reconstructions.png"
    )
    verb = add_verb(verbs, "pretrain", what, pretrain, example)
    add_recipe(verb, "seed=3 hidden.share=0.5 objective.path=models.maskspec.MaskSpec training.batch=8")
    add_logger(verb)


def pretrain(arguments: argparse.Namespace) -> int:
    """Train the runs that are not finished, one after the other, and print where each encoder lies as it is there."""
    from specaug.study.load import as_yaml, load_as
    from specaug.study.pretraining.recipe import Pretraining

    recipe = load_as(Pretraining, arguments.recipe, alone(arguments.overrides))
    if arguments.print_config:
        sys.stdout.write(as_yaml(recipe))
        return 0
    from specaug.study.plural import counted
    from specaug.study.screen import Screen

    logs, wanted = chosen(arguments), list(recipe.runs())
    with Screen(len(wanted)) as screen:
        what = f"{recipe.objective.path} on {recipe.corpus.name}, {counted(len(wanted), 'run')}"
        screen.say(f"{arguments.recipe}: {what}")
        from specaug.study.pretraining.kept import KEPT
        from specaug.study.pretraining.run import PretrainRun, execute

        runs = [PretrainRun(arguments.recipe.stem, one, places(arguments)) for one in wanted]
        for run in runs:
            execute(run, logs, screen.loading, partial(screen.progress, run), screen.say)
            screen.ended(run, None)
            sys.stdout.write(
                f"{(run.folder / KEPT).absolute()}\n"
            )  # a recipe's own paths begin at its laboratory
            sys.stdout.flush()
    return 0


def alone(overrides: Sequence[str]) -> list[str]:
    """A `seed` that is asked for is the only one, whatever seeds the recipe has.

    >>> alone(["seed=3"]), alone(["seed=3", "seeds=0,1"])
    (['seed=3', 'seeds=[]'], ['seed=3', 'seeds=0,1'])
    """
    keys = [override.partition("=")[0] for override in overrides]
    return [*overrides, *(["seeds=[]"] if "seed" in keys and "seeds" not in keys else [])]
