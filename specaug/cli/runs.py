"""`specaug train` and `specaug ablate`."""

import argparse
import sys
import textwrap
from typing import Any

from specaug.cli.common import WIDTH, add_logger, add_recipe, add_verb, chosen, complain, places, refuse, show
from specaug.cli.launchers import NO_STUDY, add_launcher, add_storage, agree, launched
from specaug.cli.report import PAGE, paged

RUN = {"policy": "policies=LB,LD or policies='[{name: LD, F: 15}]'", "seed": "seeds=0,1"}  # in an ablation
ABLATION = {"policies": "policy=LD", "seeds": "seed=0", "folds": "corpus.fold=0"}  # in a run


def add_train(verbs: Any) -> None:
    """`specaug train`."""
    example = "specaug train experiments/fsdd.yaml policy=LD seed=0"
    verb = add_verb(verbs, "train", "train one run: one policy with one seed", train, example)
    add_recipe(verb, "policy=LD policy.F=15 seed=3 corpus.fold=1 training.batch=8")
    add_logger(verb)


def train(arguments: argparse.Namespace) -> int:
    """Train one run and print where it lies."""
    from specaug.study.load import as_yaml, load

    refuse(arguments.overrides, "ablate", ABLATION)
    run_recipe = load(arguments.recipe, arguments.overrides).run()
    if arguments.print_config:
        sys.stdout.write(as_yaml(run_recipe))
        return 0
    from specaug.study.screen import Screen

    logs = chosen(arguments)
    with Screen(1) as screen:
        screen.say(f"{arguments.recipe}: {run_recipe.policy.label}, seed {run_recipe.seed}")
        from specaug.study.run import Run, execute

        run = Run(arguments.recipe.stem, run_recipe, places(arguments))
        execute(run, logs, screen.loading, lambda progress: screen.progress(run, progress), say=screen.say)
        screen.ended(run, None)
    sys.stdout.write(f"{run.folder}\n")
    return 0


def add_ablate(verbs: Any) -> None:
    """`specaug ablate`."""
    example = "specaug ablate experiments/fsdd.yaml --policies None,LD --seeds 0,1,2 --workers 2"
    what = "train every policy with every seed, then print the table"
    verb = add_verb(verbs, "ablate", what, ablate, example)
    add_recipe(verb, "policies=LB,LD seeds=0,1 folds=0,2 scale=0.25 training.batch=8")
    add_logger(verb)
    verb.add_argument("--policies", metavar="A,B", help="instead of the recipe's")
    verb.add_argument("--seeds", metavar="0,1", help="instead of the recipe's")
    add_launcher(verb)
    add_storage(verb, NO_STUDY)


def ablate(arguments: argparse.Namespace) -> int:
    """Train what is not finished yet; the table goes to standard output."""
    from specaug.study.load import as_yaml, load

    refuse(arguments.overrides, "train", RUN)
    lists = {"policies": arguments.policies, "seeds": arguments.seeds}
    given = [f"{name}={value}" for name, value in lists.items() if value is not None]
    recipe = load(arguments.recipe, [*arguments.overrides, *given])
    if arguments.print_config:
        sys.stdout.write(as_yaml(recipe))
        return 0
    agree(arguments)
    from specaug.study.screen import Screen

    logs = chosen(arguments)
    with Screen(0) as screen:
        screen.say(f"{arguments.recipe}: checking the recipe and the data")
        at = places(arguments)
        name = arguments.recipe.stem
        runs, failures = launched(arguments, name, recipe, at, logs, screen)
    for failed in failures:
        complain(f"{failed.run.name} failed: {failed.why}", 1)
    if finished := [run.folder for run in runs if run.finished]:
        show(finished, "text", None)
        if recipe.caption:
            sys.stdout.write(f"\n{textwrap.fill(recipe.caption, WIDTH)}\n")
        page = paged(finished, at.runs / name / PAGE, at)
        sys.stdout.write(f"\nresults: {at.runs / name}\npage: {page}\n")
    return 1 if failures else 0
