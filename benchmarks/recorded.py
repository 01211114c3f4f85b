"""Real runs as one small table: every policy of a grid with every seed, and its WER on dev as training went on.

    specaug ablate experiments/fsdd-grid.yaml --data DIR --workers 2
    python benchmarks/recorded.py runs/fsdd-grid        # writes docs/results/fsdd-grid/curves.tsv

A row is a run: its policy, its seed, the words of dev, the errors at the end, and the errors after each epoch that
was measured (columns named by the epoch). benchmarks/samplers.py searches such a table.
"""

import argparse
import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from specaug.errors import UserError
from specaug.speech.corpus import DEV
from specaug.study.choice import USUAL, PolicyChoice
from specaug.study.results import Result, find_runs
from specaug.study.sweep.options import Axis, Confirm, Sweep, Value
from specaug.study.sweep.response import grid
from specaug.study.sweep.space import IDLE, point_of, values_of
from specaug.training.callbacks import read_curves
from specaug.training.files import CURVES

TABLE = Path(__file__).resolve().parent.parent / "docs" / "results" / "fsdd-grid" / "curves.tsv"
MADE = "expected the table that `python benchmarks/recorded.py RUNS` makes of finished runs"
SYMBOLS = ("W", "m_F", "F", "m_T", "T", "p")  # a count stands above what means nothing where it is 0
COUNT_OF = {symbol: count for count, idle in IDLE.items() for symbol in idle}
FACTS = ("run", "seed", "words", "errors")

Key = tuple[tuple[str, Value], ...]  # a point of the space, sorted by symbol


@dataclass(frozen=True)
class Record:
    """One run of the table."""

    choice: PolicyChoice
    seed: int
    value: float  # WER on dev at the end
    curve: Mapping[int, float]  # WER on dev by epoch


@dataclass(frozen=True)
class Grid:
    """All records of a space: every point of it with every seed."""

    sweep: Sweep  # whose space it is
    records: Mapping[tuple[Key, int], Record]

    @cached_property
    def points(self) -> list[Key]:
        """The points of the space."""
        return list(dict.fromkeys(point for point, _ in self.records))

    @cached_property
    def seeds(self) -> list[int]:
        """The seeds with which all were trained."""
        return sorted({seed for _, seed in self.records})

    @cached_property
    def epochs(self) -> int:
        """How long each was trained."""
        return max(max(record.curve) for record in self.records.values())

    def rate(self, point: Key, seeds: Iterable[int]) -> float:
        """The WER on dev at a point, mean of some seeds."""
        rates = [self.records[point, seed].value for seed in seeds]
        return sum(rates) / len(rates)


def key(point: Mapping[str, Value]) -> Key:
    """A point as what a table is looked up by."""
    return tuple(sorted(point.items()))


def read_grid(path: Path) -> Grid:
    """The grid in a table; raises UserError where there is none, and where a policy or a seed is missing in it."""
    if not path.is_file():
        raise UserError(f"{path}: no such table; {MADE}")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    if not rows or not {*FACTS, *SYMBOLS} <= set(rows[0]):
        raise UserError(f"{path}: no table of runs; {MADE}")
    return gridded([record_of(row) for row in rows], str(path))


def record_of(row: Mapping[str, str]) -> Record:
    """The record in a row of the table."""
    policy: dict[str, Any] = {symbol: number(row[symbol]) for symbol in SYMBOLS}
    words = int(row["words"])
    epochs = (name for name in row if name.isdigit() and row[name])
    curve = {int(epoch): int(row[epoch]) / words for epoch in epochs}
    return Record(PolicyChoice(**policy), int(row["seed"]), int(row["errors"]) / words, curve)


def number(text: str) -> int | float:
    """A number as it is written: whole, or with a point."""
    return float(text) if "." in text else int(text)


def gridded(records: Sequence[Record], where: str) -> Grid:
    """The records as a grid, whose space is what varies in them."""
    sweep = spanned([values_of(record.choice) for record in records])
    found: dict[tuple[Key, int], Record] = {}
    for record in records:
        point = point_of(sweep, record.choice)
        if isinstance(point, str):
            raise UserError(f"{where}: {record.choice.title()} lies outside the grid: {point}")
        if (key(point), record.seed) in found:
            raise UserError(f"{where}: {record.choice.title()}, seed {record.seed}, stands there twice")
        found[key(point), record.seed] = record
    for point in every(sweep):
        for seed in sorted({record.seed for record in records}):
            if (key(point), seed) not in found:
                said = " ".join(f"{symbol}={value}" for symbol, value in point.items())
                raise UserError(f"{where}: {said}, seed {seed}, is missing; expected all policies and seeds")
    return Grid(sweep, found)


def spanned(policies: Sequence[Mapping[str, Any]]) -> Sweep:
    """A sweep over what varies in some policies; what means nothing where a count is 0 varies elsewhere alone."""
    space: dict[str, Axis] = {}
    fixed: dict[str, Any] = {}
    for symbol in SYMBOLS:
        count = COUNT_OF.get(symbol)
        values = sorted({policy[symbol] for policy in policies if count is None or policy[count]})
        if len(values) > 1:
            space[symbol] = axis(values, f"{count} > 0" if count in space else "")
        elif values:
            fixed[symbol] = values[0]
    if not space:
        raise UserError("all runs have one policy; expected a grid of several")
    base = PolicyChoice(**fixed)
    return Sweep(experiment="", space=space, policy=base, first=(), confirm=Confirm(top=0))


def axis(values: Sequence[int | float], when: str) -> Axis:
    """Values as a recipe of a sweep writes them: a range where they are whole and evenly spread, else choices."""
    steps = {high - low for low, high in pairwise(values)}
    if len(steps) > 1 or not all(isinstance(value, int) for value in values):
        return Axis(choices=tuple(values), when=when)
    return Axis(low=values[0], high=values[-1], step=steps.pop(), when=when)


def every(sweep: Sweep) -> list[dict[str, Value]]:
    """Every point of a space."""
    base = values_of(sweep.policy)
    points: list[dict[str, Value]] = [{}]
    for symbol, along in sweep.space.items():
        points = [
            {**point, **more}
            for point in points
            for more in ([{symbol: value} for value in grid(along)] if along.applies(base | point) else [{}])
        ]
    return points


def collected(runs: Sequence[Path], out: Path) -> int:
    """Write the table of the finished runs in some folders; how many there are."""
    found = find_runs(runs).finished
    rows = [row_of(result) for result in found]
    epochs = sorted({name for row in rows for name in row if isinstance(name, int)})
    if not epochs:
        raise UserError(f"{', '.join(map(str, runs))}: no finished run whose WER on dev was measured")
    order = sorted(rows, key=lambda row: [float(row[symbol]) for symbol in (*SYMBOLS, "seed")])
    gridded([record_of({str(k): str(v) for k, v in row.items()}) for row in order], ", ".join(map(str, runs)))
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(
            file, [*FACTS[:2], *SYMBOLS, *FACTS[2:], *epochs], delimiter="\t", lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(order)
    return len(rows)


def row_of(result: Result) -> dict[Any, Any]:
    """A run as a row of the table; raises UserError where its policy is more than the table's symbols."""
    if DEV not in result.parts:
        raise UserError(f"{result.folder}: no part {DEV}; expected its WER by epoch")
    policy, dev = result.policy, result.parts[DEV].wer
    further = [name for name in USUAL if policy.get(name, USUAL[name]) != USUAL[name] and name not in SYMBOLS]
    if policy.get("operations") or further:
        raise UserError(f"{result.folder}: {result.label} has more than {', '.join(SYMBOLS)}")
    curve = {
        int(row["epoch"]): round(float(row["dev/wer"]) * dev.total)
        for row in read_curves(result.folder / CURVES)
        if row["dev/wer"]
    }
    if not curve:
        raise UserError(f"{result.folder}: WER on dev was never measured; expected it by epoch")
    facts = {"run": result.run, "seed": result.seed, "words": dev.total, "errors": dev.errors}
    return {**facts, **{symbol: policy[symbol] for symbol in SYMBOLS}, **curve}


def main() -> None:
    """Write the table."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("runs", nargs="+", type=Path, metavar="RUNS", help="folders with the grid's runs")
    options.add_argument("--out", type=Path, default=TABLE)
    given = options.parse_args()
    try:
        print(f"{given.out}: {collected(given.runs, given.out)} runs")
    except UserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
