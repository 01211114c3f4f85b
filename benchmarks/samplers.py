"""How well our samplers and pruners search real runs, beside random search.

    python benchmarks/samplers.py                     # docs/results/fsdd-grid/curves.tsv; some minutes
    python benchmarks/samplers.py --repeats 10 --samplers tpe random --tsv

The runs are recorded (benchmarks/recorded.py): every policy of a small space, trained with some seeds. A search sees one
seed, through the worker's own loop, samplers, pruners and reports; the policy that it would choose after so many trials
is judged on the other seeds, where its luck does not count. In points of WER on dev, mean over which seed is searched:

- short: how much worse the chosen policy is, on the seed that is searched, than the best policy there;
- missed: how much worse the chosen policy is, on the other seeds, than the best policy there;
- vs random: that less what random search without a pruner misses after as many trials;
- flattered: how much better the search saw the chosen policy than the other seeds do;
- epochs: how much was trained, of what so many whole trials take. What comes up again is not trained again.

Intervals are 95 %, over searches with other seeds of the sampler. They say nothing of other corpora, nor of other seeds
of the training: of those there are as many as the table has.
"""

import argparse
import math
import statistics
import sys
import warnings
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from itertools import combinations
from pathlib import Path

import optuna
from optuna.pruners import BasePruner, MedianPruner
from scipy.stats import kendalltau

from benchmarks.recorded import TABLE, Grid, Key, key, read_grid
from specaug.errors import UserError
from specaug.study.places import Places
from specaug.study.recipe import Recipe
from specaug.study.run import Run
from specaug.study.stats.statistics import student_quantile
from specaug.study.sweep.design import designed
from specaug.study.sweep.objective import Watch, suggester
from specaug.study.sweep.options import PRUNERS, SAMPLERS, Sweep
from specaug.study.sweep.progress import standing
from specaug.study.sweep.samplers import pruner_of, sampler_name, sampler_of
from specaug.study.sweep.slots import fill, why
from specaug.study.sweep.space import suggested
from specaug.study.sweep.worker import Attempt, work
from specaug.training.callbacks import Progress

SEARCHING = tuple(name for name in SAMPLERS if name != "auto")
BY_DEFAULT = "Optuna's"  # the median pruner, where none is named; no recipe of ours can ask for it
ENDING = (*PRUNERS, BY_DEFAULT)
FLOOR = ("random", "none")  # what all are compared with
STEPS = 1000  # of an epoch; only shares of the training matter
NOWHERE = Places(Path(), Path(), Path(), Path())
COLUMNS = ("sampler", "pruner", "trials", "short", "missed", "vs random", "flattered", "epochs")


@dataclass(frozen=True)
class Tried:
    """What became of one trial."""

    point: Key
    value: float | None  # WER on dev with the seed that is searched; None where it was pruned
    epochs: int  # that were trained for it


@dataclass(frozen=True)
class Score:
    """A search after so many trials: points of WER, and a share of the epochs."""

    short: float
    missed: float
    flattered: float
    epochs: float


class Replay:
    """The objective of a search that trains nothing, since whatever it comes upon has been trained."""

    def __init__(self, grid: Grid, sweep: Sweep, seed: int) -> None:
        self.grid, self.sweep, self.seed = grid, sweep, seed
        self.trained: dict[Key, int] = {}  # epochs of each point so far
        self.tried: list[Tried] = []

    def __call__(self, trial: optuna.Trial, attempt: Attempt) -> float:
        """The recorded WER, unless the pruner ends the trial; an epoch that was trained before is not watched again."""
        point = key(suggested(self.sweep, suggester(trial)))
        record = self.grid.records[point, self.seed]
        before = self.trained.get(point, 0)
        watch = Watch(trial, attempt, Run("grid", Recipe(policy=record.choice, seed=self.seed), NOWHERE))
        try:
            for epoch, wer in sorted(record.curve.items()):
                if before < epoch < self.grid.epochs:
                    self.trained[point] = epoch
                    watch(self.progress(epoch, wer))
        except optuna.TrialPruned:
            self.tried.append(Tried(point, None, self.trained[point] - before))
            raise
        self.trained[point] = self.grid.epochs
        self.tried.append(Tried(point, record.value, self.grid.epochs - before))
        return record.value

    def progress(self, epoch: int, wer: float) -> Progress:
        """What a run says of itself when an epoch was measured and the next has begun."""
        epochs = self.grid.epochs
        return Progress(
            step=STEPS * epoch + 1,
            steps=STEPS * epochs,
            epoch=epoch + 1,
            epochs=epochs,
            loss=0.0,
            wer=wer,
        )


def searched(grid: Grid, sweep: Sweep, pruner: BasePruner, seed: int) -> list[Tried]:
    """The trials of a search on one seed of the runs."""
    name = f"{sweep.sampler}, sampler's seed {sweep.seed}, seed {seed}"  # Hyperband draws lots by the name
    replay = Replay(grid, sweep, seed)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(study_name=name, pruner=pruner)
        fill(study, designed(sweep, sweep.trials))
        work(study, "", replay, sampler_of(sweep))
    if failed := standing(study).failed:
        raise RuntimeError(f"a trial failed {why(failed[0])}")
    return replay.tried


def scored(grid: Grid, tried: Sequence[Tried], seed: int) -> Score:
    """What the search of a seed comes to after these trials."""
    values = [(one.value, place) for place, one in enumerate(tried) if one.value is not None]
    value, place = min(values)
    there = min(grid.rate(point, [seed]) for point in grid.points)
    others = [other for other in grid.seeds if other != seed]
    judged = grid.rate(tried[place].point, others)
    best = min(grid.rate(point, others) for point in grid.points)
    share = sum(one.epochs for one in tried) / (len(tried) * grid.epochs)
    return Score(100 * (value - there), 100 * (judged - best), 100 * (judged - value), share)


def averaged(scores: Sequence[Score]) -> Score:
    """The mean over which seed was searched."""
    return Score(*(statistics.fmean(kinds) for kinds in zip(*map(astuple, scores), strict=True)))


def repeated(grid: Grid, way: tuple[str, str], after: Sequence[int], repeats: int) -> dict[int, list[Score]]:
    """The scores of a sampler with a pruner after so many trials, one for each seed of the sampler."""
    found: dict[int, list[Score]] = {count: [] for count in after}
    sampler, ending = way
    for repeat in range(repeats):
        sweep = replace(grid.sweep, sampler=sampler, seed=repeat, trials=max(after))
        pruner = MedianPruner() if ending == BY_DEFAULT else pruner_of(replace(sweep, pruner=ending))
        trials = {seed: searched(grid, sweep, pruner, seed) for seed in grid.seeds}
        for count, scores in found.items():
            scores.append(averaged([scored(grid, trials[seed][:count], seed) for seed in grid.seeds]))
    return found


def row(way: tuple[str, str], count: int, scores: Sequence[Score], floor: Sequence[Score]) -> list[str]:
    """A line of the table."""
    short, missed, flattered, epochs = zip(*map(astuple, scores), strict=True)
    against = [one.missed - other.missed for one, other in zip(scores, floor, strict=True)]
    compared = "" if way == FLOOR else interval(against, "+.2f")
    told = [interval(short), interval(missed), compared, interval(flattered)]
    return [*way, str(count), *told, f"{100 * statistics.fmean(epochs):.0f} %"]


def interval(values: Sequence[float], form: str = ".2f") -> str:
    """The mean of some searches, with a 95 % interval by Student's distribution."""
    mean, many = statistics.fmean(values), len(values)
    half = student_quantile(0.975, float(many - 1)) * statistics.stdev(values) / math.sqrt(many)
    return f"{mean:{form}} [{mean - half:{form}}, {mean + half:{form}}]"


def described(grid: Grid, where: Path) -> list[str]:
    """The space, and what a search of it can come to."""
    lines = [f"{where}: {len(grid.points)} policies, {grid.epochs} epochs, seeds {numbers(grid.seeds)}"]
    for seed in grid.seeds:
        rates = sorted(100 * grid.rate(point, [seed]) for point in grid.points)
        some = ", ".join(f"{rates[round(share * (len(rates) - 1))]:.1f}" for share in (0, 0.25, 0.5, 0.75, 1))
        lines.append(f"seed {seed}: WER on dev {some} % (best, quartiles, worst)")
    for pair in combinations(grid.seeds, 2):
        one, other = ([grid.rate(point, [seed]) for point in grid.points] for seed in pair)
        tau = float(kendalltau(one, other).statistic)
        lines.append(f"seeds {numbers(pair)} order the policies alike with Kendall's tau {tau:.2f}")
    whole = averaged([scored(grid, exhausted(grid, seed), seed) for seed in grid.seeds])
    each = [scored(grid, [one], seed) for seed in grid.seeds for one in exhausted(grid, seed)]
    blind = averaged(each)
    lines.append(f"all policies tried: missed {whole.missed:.2f}, flattered {whole.flattered:.2f}")
    return [
        *lines,
        f"one policy, by lot: missed {blind.missed:.2f}",
        f"auto is {sampler_name(grid.sweep)} here",
    ]


def exhausted(grid: Grid, seed: int) -> list[Tried]:
    """Every policy, tried once."""
    return [Tried(point, grid.records[point, seed].value, grid.epochs) for point in grid.points]


def numbers(some: Sequence[int]) -> str:
    """Numbers, with commas."""
    return ", ".join(map(str, some))


def printed(cells: Sequence[str], tsv: bool) -> None:
    """A line of the table."""
    widths = (8, 10, 7, 18, 18, 20, 18, 7)
    aligned = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    print("\t".join(cells) if tsv else " ".join(aligned).rstrip(), flush=True)


def compared(grid: Grid, given: argparse.Namespace) -> None:
    """Search in every way, and print what came out."""
    after = sorted(set(given.after))
    floor = repeated(grid, FLOOR, after, given.repeats)
    printed(COLUMNS, given.tsv)
    for sampler in given.samplers:
        for ending in given.pruners:
            way = (sampler, ending)
            found = floor if way == FLOOR else repeated(grid, way, after, given.repeats)
            for count in after:
                printed(row(way, count, found[count], floor[count]), given.tsv)


def searchable(path: Path) -> Grid:
    """The grid in a table; raises UserError where nothing can be judged."""
    grid = read_grid(path)
    if len(grid.seeds) < 2:
        raise UserError(
            f"{path}: seed {grid.seeds[0]} alone; expected two or more, to search one and judge on others"
        )
    return grid


def arguments() -> argparse.Namespace:
    """What was asked for."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--table", type=Path, default=TABLE)
    options.add_argument("--after", type=int, nargs="+", default=[10, 20, 30], help="trials (10 20 30)")
    options.add_argument("--repeats", type=int, default=40, help="seeds of the sampler, 2 or more (40)")
    options.add_argument("--samplers", nargs="+", choices=SEARCHING, default=SEARCHING)
    options.add_argument("--pruners", nargs="+", choices=ENDING, default=ENDING)
    options.add_argument("--tsv", action="store_true", help="tab-separated")
    given = options.parse_args()
    if given.repeats < 2 or min(given.after) < 1:
        options.error("expected 2 repeats or more, after 1 trial or more")
    return given


def main() -> None:
    """Print the table."""
    given = arguments()
    try:
        grid = searchable(given.table)
    except UserError as error:
        sys.exit(str(error))
    for line in described(grid, given.table):
        print(f"# {line}")
    compared(grid, given)


if __name__ == "__main__":
    main()
