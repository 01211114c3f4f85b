"""An ablation: the runs of an experiment, by some workers of one thread each."""

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

from specaug.errors import UserError
from specaug.speech.prepare import Prepared
from specaug.study.attempts import Busy
from specaug.study.choice import PolicyChoice
from specaug.study.expected import at_full_strength, hides
from specaug.study.loggers import OFFLINE, Logs
from specaug.study.origin import left_out, same_data
from specaug.study.places import Places
from specaug.study.recipe import Recipe, run_id
from specaug.study.run import Run, check, execute
from specaug.study.screen import Screen
from specaug.study.turns import Turns
from specaug.training.callbacks import Progress

GRACE = 15.0  # seconds that workers have, after Ctrl-C, to close their logs


@dataclass(frozen=True)
class Failed:
    """A run that did not finish, and why."""

    run: Run
    why: str


class Experiment(NamedTuple):
    """A recipe by the name that its runs lie under, and these."""

    name: str
    recipe: Recipe
    runs: Sequence[Run]


class Titled(NamedTuple):
    """A run by what the screen calls it."""

    name: str


@dataclass
class Worker:
    """A process that trains one run after the other, and the run it is at."""

    process: BaseProcess
    pipe: Connection
    run: Run | None = None


def ablate(
    runs: Sequence[Run],
    workers: int,
    logs: Logs = OFFLINE,
    progress: Callable[[Run, Progress], None] = lambda run, progress: None,
    ended: Callable[[Run, Failed | None], None] = lambda run, failed: None,
) -> list[Failed]:
    """Finish the runs (a finished one is answered from disk); the failed ones are returned and stop no other.

    A run's bits do not depend on the worker, so one worker and many give the same results. A run that another process
    is at is left to it, and made here should it leave it. On Ctrl-C the workers close their logs and KeyboardInterrupt
    goes on; every run continues from its last checkpoint.
    """
    turns = Turns(runs)
    team = [hire(logs) for _ in range(min(workers, len(runs)))]
    failures: list[Failed] = []
    try:
        while turns or any(worker.run for worker in team):
            turns.look(progress, ended)
            for place, worker in enumerate(team):
                if worker.run is None and turns.waiting:
                    team[place] = worker if worker.process.is_alive() else hire(logs)
                    begin(team[place], turns.next([other.run for other in team if other.run]))
            for worker in team:
                if wait([worker.pipe], timeout=0.05) and worker.run is not None:
                    failures += heard(worker, worker.run, turns, progress, ended)
    finally:
        dismiss(team)
    return failures


def begin(worker: Worker, run: Run | None) -> None:
    """Have an idle worker make a run, if there is one."""
    if run is not None:
        worker.pipe.send(run)
    worker.run = run


def hire(logs: Logs) -> Worker:
    """A new worker, importing while nobody waits."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, logs), daemon=True)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited: no Ctrl-C while the worker imports
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, before)
    theirs.close()
    return Worker(process, ours)


def heard(
    worker: Worker,
    run: Run,
    turns: Turns,
    progress: Callable[[Run, Progress], None],
    ended: Callable[[Run, Failed | None], None],
) -> list[Failed]:
    """Take in what a worker says of its run, and return the run where it has failed."""
    news = hear(worker)
    if isinstance(news, Progress):
        progress(run, news)
        return []
    worker.run = None
    if isinstance(news, Busy):
        turns.elsewhere.append(run)
        return []
    failed = None if news is None else Failed(run, news)
    ended(run, failed)
    return [failed] if failed else []


def hear(worker: Worker) -> Any:
    """Progress, None for a finished run, Busy where another process is at it, or why it failed.

    A worker that died has failed its run.
    """
    try:
        return worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join(timeout=GRACE)
        code = worker.process.exitcode or 0
        name = signal.Signals(-code).name if code < 0 else f"status {code}"
        return f"its process died ({name}); the next start continues from its last checkpoint"


def dismiss(team: Sequence[Worker]) -> None:
    """End the workers: the idle ones at once, the others as by Ctrl-C."""
    for worker in team:
        if worker.run is not None and worker.process.pid and worker.process.is_alive():
            os.kill(worker.process.pid, signal.SIGINT)
        worker.pipe.close()
    for worker in team:
        worker.process.join(timeout=GRACE)
        worker.process.kill()


def work(pipe: Connection, logs: Logs) -> None:
    """What a worker does until its pipe is closed."""
    signal.signal(signal.SIGINT, interrupted)
    try:
        while True:
            pipe.send(one(pipe.recv(), pipe, logs))
    except (EOFError, OSError, KeyboardInterrupt):
        return


def interrupted(*_: object) -> None:
    """Ctrl-C, once: the terminal's and `dismiss`'s are the same, and the second must not cut the closing short."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def one(run: Run, pipe: Connection, logs: Logs) -> str | Busy | None:
    """Train one run; None, or why it failed, or that another process is at it."""
    try:
        execute(run, logs, training=pipe.send)
    except BrokenPipeError:
        raise  # nobody is left to be told
    except Busy as error:
        return error
    except UserError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 (one failed run must not stop the others)
        first = (str(error).splitlines() or [""])[0]
        return f"{type(error).__name__}: {first}{kept_trace(run.folder)}"
    return None


def kept_trace(folder: Path) -> str:
    """Where the trace of the error at hand was written; empty where that failed too (no space, for one)."""
    path = folder / "failure.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(traceback.format_exc(), encoding="utf-8")
    except OSError:
        return ""
    return f" (see {path})"


def ready(experiment: str, recipe: Recipe, places: Places, screen: Screen) -> list[Run]:
    """Every run of a recipe, after all that can be wrong before training was looked at."""
    runs = [Run(experiment, run, places) for run in recipe.runs()]
    if not runs:
        raise UserError("the recipe has no policies or no seeds; expected at least one of each")
    missing = [run for run in runs if not run.finished]
    seen: dict[str, Prepared] = {}
    for run in missing:
        if alike(run) not in seen:
            data = seen[alike(run)] = check(run, screen.loading, screen.say)
            same_data([one.folder for one in runs if alike(one) == alike(run)], data)
            if data.skipped:
                screen.say(left_out(data))
    for run in {run.recipe.policy.label: run for run in missing}.values():
        policy, data = run.recipe.policy, next(iter(seen.values()))
        screen.say(
            f"{policy.label}: {policy.policy()}{hides(at_full_strength(run.recipe, data), policy.strength)}"
        )
    return runs


def alike(run: Run) -> str:
    """What runs have in common that share a corpus and a network: all but policy and seed."""
    return run_id(replace(run.recipe, policy=PolicyChoice(), seed=0))


def make_here(experiments: Sequence[Experiment], workers: int, logs: Logs, screen: Screen) -> list[Failed]:
    """Finish the runs of all the experiments on this machine, in one pool, and return those that failed.

    `workers` processes train at a time: so many workers, or fewer whose runs take several processes each.
    """
    runs = [run for one in experiments for run in one.runs]
    missing = [run for run in runs if not run.finished]
    screen.begin(len(runs), len(runs) - len(missing))
    processes = max(one.recipe.training.devices for one in experiments)

    def shown(run: Run) -> Run | Titled:
        return run if len(experiments) == 1 else Titled(titled(run))

    return ablate(
        missing,
        max(1, workers // processes),
        logs,
        lambda run, at: screen.progress(shown(run), at),
        lambda run, failed: screen.ended(shown(run), failed),
    )


def titled(run: Run) -> str:
    """A run of several experiments, for people."""
    return f"{Path(run.experiment).name}: {run.name}"
