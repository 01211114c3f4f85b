"""What a second worker is worth: one small sweep by one worker and by two, side by side.

    python benchmarks/workers.py                       # some 15 minutes on two idle cores
    python benchmarks/workers.py --rounds 1 --trials 2 --steps 30

The command is the user's own, `specaug sweep sweeps/spoken-widths.yaml` with few and short trials, whose points are drawn
beforehand: both sweeps try the same ones. They take turns (the order changes from round to round), each in folders of
its own, on a corpus and features that were made before. A worker has one thread.

The wall time of a command is split where its trials begin and end: start-up (imports and checks of the command, then
imports of its workers), trials, and what follows them. `busy` is the share of the workers' time, between start-up and
end, that trials take. The ratios are one worker's time through two workers' time, and 2 is the most there can be.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import optuna
from optuna.trial import TrialState

from specaug.study.sweep.launch import PROGRAM
from specaug.study.sweep.storage import STORAGE, default_storage

ROOT = Path(__file__).resolve().parent.parent
RECIPE = ROOT / "sweeps" / "spoken-widths.yaml"
WANTED = 1.7  # times faster with two workers, on two idle cores
COLUMNS = ("round", "workers", "seconds", "start-up", "trials", "end", "a trial", "busy")


@dataclass(frozen=True)
class Split:
    """Where the wall time of one sweep went, in seconds."""

    workers: int
    startup: float  # until the first trial begins
    trials: float  # until the last one ends
    end: float  # until the command ends
    each: float  # mean of the trials
    count: int  # of the trials

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.startup + self.trials + self.end

    @property
    def busy(self) -> float:
        """The share of the workers' time in which they were at a trial."""
        return self.count * self.each / (self.workers * self.trials)


def overrides(trials: int, steps: int) -> list[str]:
    """What makes the sweep small, without a confirm stage, and the same with any number of workers."""
    experiment = (
        "corpus.dev_voices=2",
        "corpus.dev=20",
        "corpus.train=240",
        "corpus.test=20",
        "text.on_bad_utterance=skip",
        f"training.schedule.s_r={steps // 10}",
        f"training.schedule.s_i={steps // 2}",
        f"training.schedule.s_f={steps}",
        "training.evaluate_every=1000",
    )
    return [
        f"overrides=[{','.join(experiment)}]",
        f"trials={trials}",
        "first=[]",
        "sampler=random",
        "confirm.top=0",
    ]


def swept(workers: int, trials: int, steps: int, runs: Path) -> Split:
    """One sweep in folders of its own, timed. Raises CalledProcessError where the command fails."""
    command = [
        "sweep",
        str(RECIPE),
        *overrides(trials, steps),
        "--workers",
        str(workers),
        "--runs",
        str(runs),
    ]
    usual = {name: value for name, value in os.environ.items() if name != STORAGE}
    environment = {**usual, "WANDB_MODE": "disabled", "OMP_NUM_THREADS": "1"}
    began, clock = datetime.now(), time.monotonic()
    with (runs / "sweep.log").open("w", encoding="utf-8") as log:
        subprocess.run(
            [sys.executable, "-c", PROGRAM, *command], check=True, stdout=log, stderr=log, env=environment
        )
    whole = time.monotonic() - clock
    return split(workers, began, whole, default_storage(runs / RECIPE.stem))


def split(workers: int, began: datetime, whole: float, url: str) -> Split:
    """The wall time of a sweep, split by what its study remembers of the trials."""
    study = optuna.load_study(study_name=RECIPE.stem, storage=url)
    done = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    begins = [trial.datetime_start for trial in done if trial.datetime_start]
    ends = [trial.datetime_complete for trial in done if trial.datetime_complete]
    startup = (min(begins) - began).total_seconds()
    span = (max(ends) - min(begins)).total_seconds()
    each = statistics.fmean((b - a).total_seconds() for a, b in zip(begins, ends, strict=True))
    return Split(workers, startup, span, whole - startup - span, each, len(done))


def row(number: int, one: Split) -> list[str]:
    """A line of the table."""
    seconds = [one.seconds, one.startup, one.trials, one.end, one.each]
    return [str(number), str(one.workers), *(f"{part:.1f}" for part in seconds), f"{one.busy:.0%}"]


def ratios(name: str, pairs: Sequence[tuple[float, float]]) -> str:
    """How many times faster two workers were, by round."""
    found = [alone / together for alone, together in pairs]
    rounds = " ".join(f"{ratio:.2f}" for ratio in found)
    return f"{name}\t{statistics.median(found):.2f}\t{rounds}"


def measured(rounds: int, trials: int, steps: int, folder: Path) -> list[dict[int, Split]]:
    """The sweeps of each round by their workers, one printed after the other."""
    swept(1, 1, 10, fresh(folder / "first"))  # makes the corpus and its features, and does not count
    found: list[dict[int, Split]] = []
    for number in range(1, rounds + 1):
        found.append({})
        for workers in (1, 2) if number % 2 else (2, 1):
            runs = fresh(folder / f"{number}-{workers}")
            found[-1][workers] = swept(workers, trials, steps, runs)
            print("\t".join(row(number, found[-1][workers])), flush=True)
    return found


def fresh(folder: Path) -> Path:
    """The folder, made."""
    folder.mkdir()
    return folder


def main() -> None:
    """Print the split of every sweep, then the ratios, tab-separated."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--trials", type=int, default=10, help="even, or a worker waits at the end (10)")
    options.add_argument("--steps", type=int, default=400, help="of a trial: some 25 seconds (400)")
    given = options.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print(
        f"# cores {os.cpu_count()}, load {os.getloadavg()[0]:.1f}; wanted of the command: {WANTED} where idle"
    )
    print("\t".join(COLUMNS), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        found = measured(given.rounds, given.trials, given.steps, Path(folder))
    print("ratio\tmedian\trounds")
    print(ratios("command", [(one[1].seconds, one[2].seconds) for one in found]))
    print(ratios("trials", [(one[1].trials, one[2].trials) for one in found]))


if __name__ == "__main__":
    main()
