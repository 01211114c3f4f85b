"""How often `specaug compare` is wrong about equal policies, and how often it sees a difference.

    python benchmarks/verdicts.py                 # minutes on one core; the same numbers each time
    python benchmarks/verdicts.py --repeats 400 --tsv
    python benchmarks/verdicts.py --runs docs/results/fsdd --only real

"told apart" is the share of comparisons of two equal policies that end in "better" or "worse", in percent; it ought
to be 5. "seen" is the share that say "better" of a policy that is better by "effect" (points), and "planned" what
`specaug plan` predicts of it. A line that is off by more than 2 points is marked: bold or careful. Sources:

- simulated: word counts of speakers who are recognised with 10 to 50 % errors, around which the two policies differ
  by seed, by speaker, from run to run, or in nothing but the counting.
- real: the differences between two policies in the runs that are kept, split into seed, speaker and rest, each
  centred so that the truth is 0, then drawn anew: three quarters of a draw's variance is a real one's, one quarter
  normal (a smoothed bootstrap: from five seeds and six speakers alone only a handful of values could be drawn).
  The shape and the size of real differences are in it. How rare the rarest ones are is not: five seeds do not know.
- split: one real policy under two names. Each name gets seeds of its own, drawn from those that are there, and both
  the same speakers, drawn as well; the counts are untouched. Here nothing is assumed, but one policy does not favour
  speakers above itself, so this source says nothing of policies that do; and seeds are drawn more than once.

Speakers whom one fold tests share a model; no source knows of that, as the method does not.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from specaug.errors import UserError
from specaug.study.comparing.gathered import Tested, gathered
from specaug.study.stats.power import Deviations, detectable, power
from specaug.study.stats.statistics import BETTER, NO_DIFFERENCE, Runs, estimates
from specaug.study.stats.variance import Floats
from specaug.study.tables.text_table import aligned

WORDS = 2000  # of a simulated speaker
RATE = (6.0, 14.0)  # of the beta distribution of speakers' word error rates: 30 % on average
SEEDS, SPEAKERS = (3, 5, 10), (6, 20, 100)
REPLICATES = 500
SMOOTH = 0.5  # of a draw's deviation that is normal
NORMAL, BOUND = 0.05, 0.02  # what is promised, and what is said of it
CASES = {  # deviations in points: of seeds, of speakers, of the rest beside the counting
    "seeds differ": (2.0, 0.0, 0.0),
    "speakers differ": (0.0, 5.0, 0.0),
    "all differ": (1.0, 3.0, 2.0),
    "runs differ at random": (0.0, 0.0, 4.0),
    "the counting alone": (0.0, 0.0, 0.0),
}
KEPT = Path(__file__).resolve().parent.parent / "docs" / "results" / "fsdd"
HEADER = (
    "source",
    "case",
    "seeds",
    "speakers",
    "told apart",
    "+-",
    "effect",
    "planned",
    "seen",
    "+-",
    "mark",
)

Chance = np.random.Generator
Make = Callable[[Chance, float], dict[str, Runs]]  # two policies, "b" worse by so much than "a"


@dataclass(frozen=True, slots=True)
class Cell:
    """One line of the table: how its runs are made, and what makes them differ (None: no power is planned)."""

    source: str
    case: str
    seeds: int
    speakers: int
    make: Make
    deviations: Deviations | None


def simulated() -> Iterator[Cell]:
    """Word counts of a known world."""
    mean = RATE[0] / sum(RATE)
    spread = mean * (1 - mean) / (sum(RATE) + 1)
    counting = 2 * (mean * (1 - mean) - spread) / WORDS  # of the difference of two binomial rates
    for case, points in CASES.items():
        seed, speaker, rest = (value / 100 for value in points)
        whole = Deviations(seed, speaker, math.sqrt(rest**2 + counting))
        for seeds in SEEDS:
            for speakers in SPEAKERS:

                def make(
                    chance: Chance,
                    effect: float,
                    shape: tuple[int, int] = (seeds, speakers),
                    sizes: tuple[float, float, float] = (seed, speaker, rest),
                ) -> dict[str, Runs]:
                    rate = chance.beta(*RATE, shape[1])
                    between = effect + sum(
                        chance.normal(0, size, wide)
                        for size, wide in zip(sizes, ((shape[0], 1), (1, shape[1]), shape), strict=True)
                    )
                    errors = [
                        chance.binomial(WORDS, (rate + sign * between / 2).clip(0, 1)) for sign in (-1, 1)
                    ]
                    return _policies(*errors, np.full(shape[1], float(WORDS)))

                yield Cell("simulated", case, seeds, speakers, make, whole)


def real(folders: list[Path]) -> Iterator[Cell]:
    """The differences of kept runs, drawn anew around 0."""
    for tested, label, policy, baseline, words in _kept(folders):
        if label is None:
            continue
        whole = Deviations.of([policy - baseline], words)
        shapes = _shapes((policy - baseline) / words)
        for seeds in SEEDS:
            for speakers in sorted({len(words), 20}):

                def make(
                    chance: Chance,
                    effect: float,
                    size: tuple[int, int] = (seeds, speakers),
                    sizes: Deviations = whole,
                    shapes: tuple[Floats, ...] = shapes,
                    kept: tuple[Floats, Floats] = (baseline.mean(axis=0), words),
                ) -> dict[str, Runs]:
                    drawn = chance.integers(len(kept[1]), size=size[1])
                    between = (
                        effect
                        + sizes.seed * smoothed(chance, shapes[0], (size[0], 1))
                        + sizes.unit * smoothed(chance, shapes[1], (1, size[1]))
                        + sizes.residual * smoothed(chance, shapes[2], size)
                    )
                    errors = np.broadcast_to(kept[0][drawn], size)
                    return _policies(errors, errors + between * kept[1][drawn], kept[1][drawn])

                yield Cell("real", f"{label}, {tested.name}", seeds, speakers, make, whole)


def split(folders: list[Path]) -> Iterator[Cell]:
    """One policy of kept runs under two names."""
    for tested, label, policy, baseline, words in _kept(folders):
        errors, name = (baseline, "the baseline") if label is None else (policy, label)
        for seeds in SEEDS:

            def make(
                chance: Chance,
                effect: float,
                seeds: int = seeds,
                errors: Floats = errors,
                words: Floats = words,
            ) -> dict[str, Runs]:
                at = chance.integers(len(words), size=len(words))
                ours, theirs = (errors[chance.integers(len(errors), size=seeds)][:, at] for _ in range(2))
                return _policies(ours, theirs + effect * words[at], words[at])

            yield Cell("split", f"{name}, {tested.name}", seeds, len(words), make, None)


def _kept(folders: list[Path]) -> Iterator[tuple[Tested, str | None, Floats, Floats, Floats]]:
    """Each reported part and policy (None: the baseline itself), errors (seeds, speakers), and words."""
    runs = gathered(folders)
    for tested in runs.parts:
        if tested.choosing:
            continue
        names, speaker_of = np.unique(tested.speakers, return_inverse=True)
        words = np.bincount(speaker_of, weights=tested.words)
        for label in [None, *runs.others]:
            both = [tested.errors[label or runs.baseline], tested.errors[runs.baseline]]
            seeds = sorted(set(both[0]) & set(both[1]))
            policy, baseline = (
                np.array([np.bincount(speaker_of, weights=one[seed]) for seed in seeds]) for one in both
            )
            if min(len(seeds), len(names)) > 2:
                yield tested, label, policy, baseline, words


def _shapes(rates: Floats) -> tuple[Floats, Floats, Floats]:
    """What is left of (seeds, speakers) rates: by seed, by speaker and the rest, each of mean 0 and deviation 1."""
    by_seed, by_speaker = rates.mean(axis=1) - rates.mean(), rates.mean(axis=0) - rates.mean()
    rest = rates - rates.mean() - by_seed[:, None] - by_speaker
    first, second, third = (values.ravel() / values.std() for values in (by_seed, by_speaker, rest))
    return first, second, third


def smoothed(chance: Chance, shape: Floats, size: tuple[int, int]) -> Floats:
    """Draws from `shape`, of mean 0 and deviation 1, a quarter of whose variance is normal."""
    return math.sqrt(1 - SMOOTH**2) * chance.choice(shape, size) + SMOOTH * chance.normal(size=size)


def _policies(a: Floats, b: Floats, words: Floats) -> dict[str, Runs]:
    seeds = tuple(range(len(a)))
    return {name: Runs(seeds, errors.astype(float), words) for name, errors in (("a", a), ("b", b))}


def verdicts(cell: Cell, chance: Chance, repeats: int, effect: float) -> list[str | None]:
    """What is said of "a" as against "b", in so many worlds."""
    return [
        estimates(cell.make(chance, effect), [("a", "b")], REPLICATES)[1]["a", "b"].verdict
        for _ in range(repeats)
    ]


def measured(cell: Cell, place: int, repeats: int, seed: int) -> tuple[str, ...]:
    """One line of the table."""
    chance = np.random.default_rng([seed, place])
    told = np.mean([verdict != NO_DIFFERENCE for verdict in verdicts(cell, chance, repeats, 0.0)])
    off = "bold" if told > NORMAL + BOUND else "careful" if told < NORMAL - BOUND else ""
    line = (cell.source, cell.case, str(cell.seeds), str(cell.speakers), *percents(told, repeats))
    if cell.deviations is None:
        return *line, "-", "-", "-", "-", off
    effect = detectable(cell.deviations, cell.seeds, cell.speakers, 0.8)
    planned = power(cell.deviations, cell.seeds, cell.speakers, effect)
    seen = np.mean([verdict == BETTER for verdict in verdicts(cell, chance, repeats, effect)])
    return *line, f"{100 * effect:.2f}", f"{100 * planned:.0f}", *percents(seen, repeats), off


def percents(share: float, repeats: int) -> tuple[str, str]:
    """A share in percent, and its standard error."""
    return f"{100 * share:.1f}", f"{100 * math.sqrt(share * (1 - share) / repeats):.1f}"


def main() -> None:
    """Print the table, line by line as it is measured."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--repeats", type=int, default=400, help="comparisons of each kind (400)")
    options.add_argument("--runs", type=Path, nargs="+", default=[KEPT])
    options.add_argument("--only", choices=("simulated", "real", "split"), help="one source alone")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--tsv", action="store_true", help="tab-separated")
    given = options.parse_args()
    sources: dict[str, Callable[[], Iterator[Cell]]] = {
        "simulated": simulated,
        "real": lambda: real(given.runs),
        "split": lambda: split(given.runs),
    }
    try:
        cells = [cell for name, source in sources.items() if given.only in (None, name) for cell in source()]
    except UserError as error:
        sys.exit(str(error))
    rows, started = [HEADER], time.monotonic()
    for place, cell in enumerate(cells):
        rows.append(measured(cell, place, given.repeats, given.seed))
        if given.tsv:
            print(*(["\t".join(HEADER)] if place == 0 else []), "\t".join(rows[-1]), sep="\n", flush=True)
        elif sys.stderr.isatty():
            print(f"{place + 1} of {len(cells)}", end="\r", file=sys.stderr, flush=True)
    if not given.tsv:
        print(aligned(rows, left=2))
    print(f"# {given.repeats} repeats, seed {given.seed}, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
