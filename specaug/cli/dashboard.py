"""`specaug dashboard`."""

import argparse
import sys
from typing import Any

from specaug.cli.common import add_verb


def add_dashboard(verbs: Any) -> None:
    """`specaug dashboard`."""
    example = "\n  ".join(
        (
            "specaug dashboard runs/fsdd --push     the comparison as a run of W&B, offline",
            "specaug dashboard fsdd --print         the workspace as JSON, without a network",
            "specaug dashboard fsdd                 make the workspace, once you are logged in to W&B",
        )
    )
    what = "make the W&B workspace of an experiment, or push its comparison"
    verb = add_verb(verbs, "dashboard", what, dashboard, example)
    verb.add_argument("target", metavar="RUNS|PROJECT", help="a folder with runs, or the W&B project's name")
    verb.add_argument("--project", default="", help="instead of the folder's name")
    verb.add_argument("--entity", default="", help="the W&B user or team (your own)")
    verb.add_argument(
        "--parts", default="", metavar="A,B", help="instead of those that the runs were tested on"
    )
    verb.add_argument("--baseline", metavar="POLICY", help="of the comparison (None, else the first)")
    verb.add_argument("--online", action="store_true", help="send the comparison now, not by `wandb sync`")
    instead = verb.add_mutually_exclusive_group()
    instead.add_argument("--print", action="store_true", help="print the workspace as JSON; no network")
    instead.add_argument("--push", action="store_true", help="the comparison: table and files, as a W&B run")


def dashboard(arguments: argparse.Namespace) -> int:
    """Print, push or create."""
    from specaug.study import dashboard as made

    parts = [part for part in arguments.parts.split(",") if part]
    about = made.subject(arguments.target, parts, arguments.project)
    if arguments.print:
        sys.stdout.write(made.written(made.workspace(about, arguments.entity)))
    elif arguments.push:
        sys.stdout.write(f"{made.push(about, arguments.online, arguments.baseline, arguments.entity)}\n")
    else:
        sys.stdout.write(f"{made.create(about, arguments.entity)}\n")
    return 0
