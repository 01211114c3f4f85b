"""`specaug sweep`, and beside it `sweep worker`, `sweep status` and `sweep stop`."""

import argparse
import sys
from pathlib import Path
from typing import Any

from specaug.cli.common import add_folders, add_logger, add_verb, chosen, complain, places
from specaug.cli.launchers import add_launcher, add_storage, agree, desk, url

ACTIONS = ("worker", "status", "stop", "report")


def joined(argv: list[str]) -> list[str]:
    """`sweep status X` as the one verb that it is."""
    if len(argv) > 1 and argv[0] == "sweep" and argv[1] in ACTIONS:
        return [f"sweep {argv[1]}", *argv[2:]]
    return argv


def add_sweep(verbs: Any) -> None:
    """The verbs of sweeps."""
    example = "\n  ".join(
        (
            "specaug sweep sweeps/spoken-widths.yaml --workers 2",
            "specaug sweep sweeps/fsdd-widths.yaml --storage postgresql://me@host/optuna --launcher slurm --workers 32",
            "specaug sweep status spoken-widths             how far, the best so far, what failed",
            "specaug sweep report spoken-widths             one HTML page",
            "specaug sweep stop spoken-widths               workers put their trials back and leave",
            "specaug sweep worker spoken-widths --storage URL   one more worker, by hand, on any machine",
        )
    )
    verb = add_verb(
        verbs, "sweep", "search mask widths and counts with Optuna, then confirm the best", sweep, example
    )
    verb.add_argument("recipe", type=Path, metavar="RECIPE", help="a YAML file in sweeps/")
    verb.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="trials=20 space.F.high=15")
    add_launcher(verb)
    verb.add_argument("--print-config", action="store_true", help="print the resolved sweep and stop")
    verb.add_argument("--study", metavar="NAME", help="instead of the recipe's file name")
    add_folders(verb)
    add_logger(verb)
    add_storage(verb)
    for action, what, run in (
        ("worker", "one worker of a study, on this machine", worker),
        ("status", "how far a study is", status),
        ("report", "write a page about a study: history, responses, importance, the confirm table", report),
        ("stop", "have the workers of a study put their trials back and leave", stop),
    ):
        one = add_verb(verbs, f"sweep {action}", what, run, f"specaug sweep {action} spoken-widths")
        one.add_argument("study", metavar="STUDY", help="the name of a study")
        one.add_argument(
            "--laboratory", type=Path, default=Path(), metavar="DIR", help="the folder that holds models/ (.)"
        )
        add_folders(one)
        add_storage(one)
        if action == "worker":
            add_logger(one)
        if action == "status":
            one.add_argument("--format", choices=("text", "tsv"), default="text")
        if action == "report":
            one.add_argument("--out", type=Path, metavar="FILE", help="the page (runs/STUDY/report.html)")
            push = "also into optuna-dashboard's view of the study, and into a W&B run"
            one.add_argument("--push", action="store_true", help=push)
            one.add_argument("--online", action="store_true", help="send that run now, not by `wandb sync`")


def sweep(arguments: argparse.Namespace) -> int:
    """Search, confirm, print what came out."""
    from dataclasses import replace

    from specaug.study.load import as_yaml
    from specaug.study.sweep.book import load_plan

    plan = load_plan(arguments.recipe, arguments.overrides)
    if arguments.study:
        plan = replace(plan, name=arguments.study)
    if arguments.print_config:
        sys.stdout.write(as_yaml(plan.sweep))
        return 0
    agree(arguments)
    from specaug.study.screen import Screen

    at = places(arguments)
    with Screen(0) as screen:
        screen.say(f"{arguments.recipe}: checking the recipe and the data")
        from specaug.study.sweep.conduct import conduct

        swept = conduct(plan, desk(arguments, at, plan.name, screen, plan.recipe.training.devices))
    from specaug.study.sweep.outcome import outcome

    for line in swept.failed:
        complain(line, 1)
    sys.stdout.write(outcome(swept.study, plan, swept.confirmed))
    return 1 if swept.failed else 0


def reached(arguments: argparse.Namespace) -> tuple[Any, Any, Any, str]:
    """The study of a name, its plan, the places and the storage's URL."""
    from specaug.study.places import Places
    from specaug.study.sweep.book import remembered
    from specaug.study.sweep.storage import caution, open_storage

    at = Places.of(arguments.laboratory.resolve(), arguments.data, arguments.runs)
    where = url(arguments, at, arguments.study)
    storage = open_storage(where, arguments.beat, arguments.grace, looking_for=arguments.study)
    if said := caution(where):
        complain(said, 0)
    return *remembered(arguments.study, storage, where), at, where


def worker(arguments: argparse.Namespace) -> int:
    """Work at a study until nothing is left."""
    from specaug.study.sweep.objective import objective_of
    from specaug.study.sweep.samplers import sampler_of
    from specaug.study.sweep.worker import work

    logs = chosen(arguments)
    study, plan, at, where = reached(arguments)
    work(study, where, objective_of(plan, at, logs), sampler_of(plan.sweep))
    return 0


def status(arguments: argparse.Namespace) -> int:
    """Print how far a study is."""
    from specaug.study.sweep.status import told

    study, plan, _, where = reached(arguments)
    sys.stdout.write(told(study, plan, where, arguments.format))
    return 0


def report(arguments: argparse.Namespace) -> int:
    """Write the page."""
    from specaug.study.sweep import page
    from specaug.study.sweep.conduct import confirm_runs
    from specaug.study.sweep.findings import drawn, findings
    from specaug.study.sweep.push import push

    study, plan, at, _ = reached(arguments)
    folders = confirm_runs(study, plan, at)
    found = findings(study, plan)
    out = arguments.out or at.runs / plan.name / "report.html"
    sys.stdout.write(f"{page.report(study, plan, folders, out, found)}\n")
    if arguments.push:
        for line in push(study, plan, drawn(found), at.runs / plan.name, folders, arguments.online):
            sys.stdout.write(f"{line}\n")
    return 0


def stop(arguments: argparse.Namespace) -> int:
    """Have a study stop, and its confirm stage."""
    from specaug.study.sweep import slots
    from specaug.study.sweep.status import finished
    from specaug.study.sweep.storage import reaching

    study, plan, _, where = reached(arguments)
    with reaching(where):
        slots.stop(study)
    told = "its workers put their trials back; `specaug sweep` goes on with them"
    if finished(study, plan, where):
        told = "it is finished, and nobody is at it"
    sys.stdout.write(f"{arguments.study}: {told}\n")
    return 0
