"""Workers of a small sweep that are killed, stopped and woken at moments which a seed decides, and what the sweep leaves.

The workers are forked from a server that has imported what is slow to import.
"""

import json
import multiprocessing
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from optuna.trial import TrialState

from specaug.study.places import Places
from specaug.study.sweep.book import Plan, load_plan, opened
from specaug.study.sweep.objective import RUNS, objective_of
from specaug.study.sweep.samplers import sampler_of
from specaug.study.sweep.slots import slots
from specaug.study.sweep.storage import default_storage, open_storage
from specaug.study.sweep.worker import WORKER, work

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    ["specaug.cli", "specaug.study.sweep.objective", "specaug.study.sweep.worker", "psycopg", "wandb"]
)
BEAT, GRACE = 1, 3  # seconds
LIMIT = 400.0  # seconds after which a sweep of this size will never end
SWEEP = """experiment: ../experiments/tiny.yaml
overrides: [training.schedule.s_i=24, training.schedule.s_f=48]
space:
  m_F: {low: 1, high: 2}
  F: {low: 1, high: 8}
  m_T: {low: 0, high: 2}
  T: {low: 1, high: 12, when: m_T > 0}
metric: cer
sampler: random
first: []
trials: 5
seeds: [0, 1]
confirm: {top: 0}
"""


class Row(NamedTuple):
    """What a slot came to, but for its times."""

    value: float
    runs: list[dict[str, Any]]  # as the study remembers them
    scores: list[Any]  # of each run, as its result file tells them


def planned(laboratory: Path, *overrides: str) -> Plan:
    """The small sweep of a laboratory, whose every point is known before it starts."""
    path = laboratory / "sweeps" / "chaos.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(SWEEP)
    return load_plan(path, overrides)


def renamed(plan: Plan, name: str) -> Plan:
    """The same sweep as another study."""
    return replace(plan, name=name)


def begun(plan: Plan, url: str) -> optuna.Study:
    """The study of the sweep, with all slots queued."""
    return opened(plan, open_storage(url, BEAT, GRACE), url)[0]


@contextmanager
def begun_at(plan: Plan, url: str) -> Iterator[optuna.Study]:
    """The same, with every connection closed in the end: psycopg warns of those that are not."""
    study = begun(plan, url)
    try:
        yield study
    finally:
        storage = backend(study)
        storage.remove_session()
        storage.engine.dispose()


def backend(study: optuna.Study) -> Any:
    """The study's relational storage, behind what remembers trials."""
    return getattr(study._storage, "_backend", study._storage)


def command(plan: Plan, url: str, laboratory: Path, runs: Path) -> list[str]:
    """What a worker of the sweep is told."""
    places = ["--laboratory", str(laboratory), "--runs", str(runs)]
    beats = ["--beat", str(BEAT), "--grace", str(GRACE)]
    return ["sweep", "worker", plan.name, "--storage", url, *places, *beats]


def undisturbed(plan: Plan, laboratory: Path, runs: Path) -> dict[int, Row]:
    """What the sweep comes to where one worker does it from end to end, in this process."""
    url, places = default_storage(runs), Places.of(laboratory, None, runs)
    study = begun(plan, url)
    work(study, url, objective_of(plan, places), sampler_of(plan.sweep))
    return finished_once(study, runs / plan.name)


def finished_once(study: optuna.Study, folder: Path) -> dict[int, Row]:
    """What each slot came to, after making sure that each was finished, and none twice."""
    found: dict[int, Row] = {}
    for slot in slots(study):
        states = [trial.state for trial in slot.trials]
        assert states.count(TrialState.COMPLETE) == 1, (slot.number, states)
        assert set(states) <= {TrialState.COMPLETE, TrialState.FAIL}, (slot.number, states)
        assert slot.done is not None
        assert slot.done.value is not None
        runs = slot.done.user_attrs[RUNS]
        found[slot.number] = Row(
            slot.done.value,
            [{key: value for key, value in run.items() if key != "seconds"} for run in runs],
            [scores(folder, run["run"]) for run in runs],
        )
    return found


def scores(folder: Path, run: str) -> Any:
    """What the result file of a run tells, but for its time and the study's name."""
    (path,) = folder.glob(f"*-{run}/result.json")
    result = json.loads(path.read_text())
    del result["wall_seconds"], result["experiment"]
    return result


@dataclass
class Team:
    """Workers, of whom the dead are replaced."""

    command: Sequence[str]
    folder: Path
    workers: list[BaseProcess] = field(default_factory=list)
    left: list[int] = field(default_factory=list)  # exit statuses

    def hire(self) -> None:
        """One more worker, whose words go to a file of its own."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / f"worker-{len(self.left) + len(self.workers)}.log"
        worker = SERVER.Process(target=live, args=(list(self.command), dict(os.environ), str(log)))
        worker.start()
        self.workers.append(worker)

    def replace(self) -> None:
        """Hire one for each that has died, and let those go who say that nothing is left."""
        for worker in [one for one in self.workers if one.exitcode is not None]:
            self.workers.remove(worker)
            self.left.append(worker.exitcode or 0)
            if worker.exitcode:
                self.hire()

    def words(self) -> str:
        """All that they said."""
        return "\n".join(f"{path.name}: {path.read_text()}" for path in sorted(self.folder.glob("*.log")))


def live(words: list[str], environment: dict[str, str], log: str) -> None:
    """What a worker process does."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(environment)
    out = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    from specaug import cli

    os._exit(cli.main(words))


@contextmanager
def team_of(size: int, words: Sequence[str], folder: Path) -> Iterator[Team]:
    """So many workers, started at one moment; none outlives the block."""
    team = Team(words, folder)
    try:
        for _ in range(size):
            team.hire()
        yield team
    finally:
        for worker in team.workers:
            worker.kill()
            worker.join()


def until(met: Callable[[], bool], team: Team, limit: float = LIMIT) -> bool:
    """Wait for something, replacing the dead meanwhile; whether it came about in time."""
    end = time.monotonic() + limit
    while not met():
        if time.monotonic() > end:
            return False
        team.replace()
        time.sleep(0.1)
    return True


def done(team: Team) -> None:
    """Wait until all workers have said that nothing is left."""
    assert until(lambda: not team.workers, team), team.words()


def running(study: optuna.Study, team: Team) -> dict[int, BaseProcess]:
    """The trials that the team is at, by number, each with its worker."""
    there = {worker.pid: worker for worker in team.workers}
    return {number: there[process] for number, process in at_work(study).items() if process in there}


def chaos(study: optuna.Study, team: Team, seed: int, kills: int = 6) -> None:
    """Kill so many workers amid trials, at random, and between two of them take one for dead that is not."""
    rng = random.Random(seed)
    asleep_after = rng.randrange(kills)
    for strike in range(kills):
        time.sleep(rng.uniform(0.0, 0.5))  # a quick machine does all in a few seconds
        until(lambda: not team.workers or bool(running(study, team)), team)
        if not team.workers:
            return
        with held(study) as at:
            if at:
                signalled(at[rng.choice(sorted(at))], signal.SIGKILL)
        if strike == asleep_after:
            put_to_sleep(study, team, rng)


def put_to_sleep(study: optuna.Study, team: Team, rng: random.Random) -> None:
    """Stop a worker in its trial until others take it for dead, then wake it."""
    until(lambda: bool(running(study, team)), team, 60)
    at = sorted(running(study, team).items())
    if not at:
        return
    number, worker = rng.choice(at)
    if not stopped(study, [worker.pid or 0]):
        return
    until(lambda: study.get_trials(deepcopy=False)[number].state != TrialState.RUNNING, team, 30)
    signalled(worker.pid or 0, signal.SIGCONT)  # unless it was done before it could be stopped


def at_work(study: optuna.Study) -> dict[int, int]:
    """The trials that somebody is at, by number, each with the process of its worker."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    told = {trial.number: trial.user_attrs.get(WORKER, "").rpartition(":")[2] for trial in trials}
    return {number: int(process) for number, process in told.items() if process}


@contextmanager
def held(study: optuna.Study) -> Iterator[dict[int, int]]:
    """The trials that somebody is at, none of which is finished before the block ends."""
    still = stopped(study, list(at_work(study).values()))
    try:
        yield {number: process for number, process in at_work(study).items() if process in still}
    finally:
        for process in still:
            signalled(process, signal.SIGCONT)


def stopped(study: optuna.Study, processes: Sequence[int], tries: int = 20) -> list[int]:
    """Stop the processes, at a moment when none of them has locked the study's file; those that were there."""
    for _ in range(tries):
        there = [process for process in processes if signalled(process, signal.SIGSTOP)]
        if unlocked(study):
            return there
        for process in there:
            signalled(process, signal.SIGCONT)
        time.sleep(0.2)
    return []


def unlocked(study: optuna.Study) -> bool:
    """Whether the study's file can be written to (SQLite locks all of it; PostgreSQL a trial's row)."""
    engine = backend(study).engine
    if engine.dialect.name != "sqlite":
        return True
    file = sqlite3.connect(engine.url.database, timeout=2, isolation_level=None)
    try:
        file.execute("BEGIN IMMEDIATE")
        file.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return False
    finally:
        file.close()
    return True


def signalled(process: int, sign: signal.Signals) -> bool:
    """Whether the process was there to be told."""
    try:
        os.kill(process, sign)
    except ProcessLookupError:
        return False
    return True


def deaths(study: optuna.Study) -> int:
    """How many trials were left halfway and taken up by others."""
    return len(study.get_trials(deepcopy=False, states=(TrialState.FAIL,)))
