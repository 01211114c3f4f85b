"""Where workers run, and where they find their work: what `sweep` and `ablate` have in common."""

import argparse
import os
import re
from collections.abc import Sequence
from typing import Any

from specaug.cli.common import chosen
from specaug.errors import UserError
from specaug.speech.cores import cores

NO_STUDY = "none with --launcher local; with others "  # of verbs whose runs are made here without a study
LAUNCHERS = ("local", "ray", "slurm")
KNOWN = {"gpus": ("ray", "slurm"), "partition": ("slurm",), "minutes": ("slurm",), "memory": ("slurm",)}


def add_launcher(verb: argparse.ArgumentParser) -> None:
    """The options of launchers."""
    verb.add_argument(
        "--workers",
        type=int,
        default=cores(),
        help="processes that train at a time; on Ray or SLURM workers, each with the processes of its run (%(default)s)",
    )
    verb.add_argument("--launcher", choices=LAUNCHERS, default="local", help="where the workers run")
    gpus = "of each worker on Ray or SLURM; on Ray also a share, as 0.25"
    verb.add_argument("--gpus", type=float, metavar="N", help=gpus)
    verb.add_argument("--partition", help="of SLURM")
    verb.add_argument("--minutes", type=int, help="of a SLURM job until it makes room (240)")
    verb.add_argument("--memory", metavar="8G", help="of a SLURM job")


def agree(arguments: argparse.Namespace) -> None:
    """Raise UserError where workers cannot be as the options say, where the launcher would pass over one, or at a bad URL.

    To be asked first: what comes then may take minutes.
    """
    if arguments.workers < 1:
        raise UserError(f"--workers is {arguments.workers}; expected at least 1")
    for option, launchers in KNOWN.items():
        value = getattr(arguments, option)
        if value is not None and arguments.launcher not in launchers:
            expected = " or ".join(launchers)
            raise UserError(
                f"--{option} is {value} with --launcher {arguments.launcher}; expected --launcher {expected}"
            )
    require_sizes(arguments)
    if not here(arguments):
        from specaug.study.sweep.storage import STORAGE, require_url

        if given := arguments.storage or os.environ.get(STORAGE):
            require_url(given)


def require_sizes(arguments: argparse.Namespace) -> None:
    """Raise UserError where a worker has less than nothing, or what SLURM cannot read."""
    gpus, minutes, memory = arguments.gpus, arguments.minutes, arguments.memory
    if gpus is not None and not 0 <= gpus < float("inf"):
        raise UserError(f"--gpus is {gpus}; expected 0 or more")
    if gpus is not None and arguments.launcher == "slurm" and gpus != int(gpus):
        raise UserError(f"--gpus is {gpus}; expected a whole number for SLURM")
    if minutes is not None and minutes < 1:
        raise UserError(f"--minutes is {minutes}; expected at least 1")
    if memory is not None and not re.fullmatch(r"[1-9]\d*[KMGT]?", memory):
        raise UserError(f"--memory is {memory!r}; expected a whole number of K, M, G or T, as 8G")


def add_storage(verb: argparse.ArgumentParser, unless: str = "") -> None:
    """The options of storages; `unless` says where none is used."""
    otherwise = f"{unless}SPECAUG_STORAGE, else runs/STUDY/study.db"
    verb.add_argument("--storage", metavar="URL", help=f"sqlite:///FILE or postgresql://... ({otherwise})")
    verb.add_argument("--beat", type=int, default=20, help=argparse.SUPPRESS)  # for tests
    verb.add_argument("--grace", type=int, default=60, help=argparse.SUPPRESS)


def url(arguments: argparse.Namespace, at: Any, study: str) -> str:
    """The storage that is meant."""
    from specaug.study.sweep.storage import STORAGE, default_storage

    return str(arguments.storage or os.environ.get(STORAGE) or default_storage(at.runs / study))


def launched(arguments: argparse.Namespace, name: str, recipe: Any, at: Any, logs: Any, screen: Any) -> Any:
    """Every run of a recipe, made by the launcher that is meant, and those that failed."""
    from specaug.study.ablation import Experiment, ready

    runs = ready(name, recipe, at, screen)
    return runs, made(arguments, [Experiment(name, recipe, runs)], at, logs, screen)


def here(arguments: argparse.Namespace) -> bool:
    """Whether runs are made on this machine and without a study."""
    return not arguments.storage and arguments.launcher == "local"


def made(arguments: argparse.Namespace, experiments: Sequence[Any], at: Any, logs: Any, screen: Any) -> Any:
    """Finish the runs of experiments by the launcher that is meant, in one pool where that is here; those that failed."""
    if here(arguments):
        from specaug.study.ablation import make_here

        return make_here(experiments, arguments.workers, logs, screen)
    from specaug.study.sweep.conduct import make_through_a_study

    return [
        failed
        for one in experiments
        for failed in make_through_a_study(
            one, desk(arguments, at, one.name, screen, one.recipe.training.devices)
        )
    ]


def desk(arguments: argparse.Namespace, at: Any, study: str, screen: Any, devices: int) -> Any:
    """What a study's launcher needs to know; each run trains in so many processes, `devices`."""
    from specaug.study.sweep.conduct import Desk

    places = ["--laboratory", str(at.laboratory), "--data", str(at.data), "--runs", str(at.runs)]
    beats = ["--beat", str(arguments.beat), "--grace", str(arguments.grace)]
    return Desk(
        places=at,
        url=url(arguments, at, study),
        options=[*places, *beats, *chosen(arguments).words],
        launch=launch(arguments, devices),
        screen=screen,
        beat=arguments.beat,
        grace=arguments.grace,
    )


def launch(arguments: argparse.Namespace, devices: int) -> Any:
    """The launcher that is meant: it takes a command, a folder for logs, and what to do meanwhile."""
    workers, gpus = arguments.workers, arguments.gpus or 0.0
    if arguments.launcher == "ray":
        from specaug.study.sweep.on_ray import on_ray

        return lambda command, logs, look: on_ray(command, workers, logs, look, cpus=devices, gpus=gpus)
    if arguments.launcher == "slurm":
        from specaug.study.sweep.on_slurm import MINUTES, Wanted, on_slurm

        wanted = Wanted(
            partition=arguments.partition or "",
            minutes=arguments.minutes or MINUTES,
            cpus=devices,
            gpus=int(gpus),
            memory=arguments.memory or "",
        )
        return lambda command, logs, look: on_slurm(command, workers, logs, look, wanted=wanted)
    from specaug.study.sweep.launch import local

    return lambda command, logs, look: local(command, max(1, workers // devices), logs, look)
