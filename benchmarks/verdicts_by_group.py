"""How often `specaug compare --by` is wrong about policies that are equal in every group.

    python -m benchmarks.verdicts_by_group                # minutes on one core; the same numbers each time
    python -m benchmarks.verdicts_by_group --repeats 100 --runs docs/results/fsdd

"a group" is the share of comparisons in which any group is called better or worse after Holm's correction over the
groups, in percent; "the gap" is the share that ends in "widens" or "narrows". Both ought to be 5 at most. Sources:

- simulated: speakers who are recognised with 10 to 50 % errors, 100 utterances of 5 words each, around which two
  policies differ by seed, by seed and speaker, and in the counting. A group is a speaker, or ten of them.
- real: the differences between two policies in the runs that are kept, by speaker. What seeds make of a speaker is
  centred over seeds and drawn anew, smoothed as in `benchmarks/verdicts.py`; what is left of each utterance is
  centred over the utterances of its speaker and drawn with it, so that some are still easier for one policy.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.verdicts import KEPT, RATE, REPLICATES, Chance, percents, smoothed
from specaug.study.comparing import gaps, groups
from specaug.study.comparing.columns import Column
from specaug.study.comparing.gathered import Gathered, Tested, gathered
from specaug.study.stats import statistics
from specaug.study.stats.statistics import NO_DIFFERENCE
from specaug.study.stats.variance import Floats
from specaug.study.tables.text_table import aligned

SEEDS = (3, 5)
UTTERANCES, WORDS = 100, 5  # of a simulated speaker, and of an utterance
POINTS = (0.01, 0.03)  # by which simulated policies differ: by seed, and by seed and speaker
HARDER = 0.1  # the deviation of an utterance's rate from its speaker's
HEADER = ("source", "groups", "seeds", "a group", "+-", "the gap", "+-")

World = Callable[[Chance], tuple[Floats, Floats, Floats]]  # errors (seeds, utterances) of two policies, words


@dataclass(frozen=True, slots=True)
class Cell:
    """One line of the table: two equal policies, and the speaker and the group of each utterance."""

    source: str
    groups: str
    seeds: int
    world: World
    speakers: tuple[str, ...]
    group: tuple[str, ...]


def simulated(seeds: int, count: int, speakers: int) -> Cell:
    """So many groups of so many speakers, of a known world."""
    names = np.repeat(np.arange(count * speakers), UTTERANCES)
    words = np.full(len(names), float(WORDS))

    def world(chance: Chance) -> tuple[Floats, Floats, Floats]:
        rate = chance.beta(*RATE, count * speakers)[names] + chance.normal(0, HARDER, len(names))
        wide = chance.normal(0, POINTS[1], (seeds, count * speakers))[:, names]
        between = chance.normal(0, POINTS[0], (seeds, 1)) + wide
        first, second = (chance.binomial(WORDS, (rate + s * between / 2).clip(0, 1)) for s in (-1, 1))
        return first.astype(float), second.astype(float), words

    spoken, group = tuple(map(str, names)), tuple(map(str, names // speakers))
    return Cell("simulated", f"{count} of {speakers}", seeds, world, spoken, group)


def real(seeds: int, tested: Tested, label: str, baseline: str) -> Cell:
    """A policy of kept runs, made equal to the baseline for every speaker."""
    both = sorted(set(tested.errors[label]) & set(tested.errors[baseline]))
    theirs = np.array([tested.errors[baseline][seed] for seed in both], dtype=float)
    rest = np.array([tested.errors[label][seed] for seed in both]) - theirs
    words = tested.words.astype(float)
    names, speaker = np.unique(tested.speakers, return_inverse=True)
    places = [np.flatnonzero(speaker == one) for one in range(len(names))]
    rates = np.array([rest[:, at].sum(axis=1) / words[at].sum() for at in places]).T  # (seeds, speakers)
    left = rest - rates[:, speaker] * words
    counting = np.mean([(left[:, at] ** 2).sum(axis=1) / words[at].sum() ** 2 for at in places])
    shape = (rates - rates.mean(axis=0)).ravel()
    freedom = len(both) / (len(both) - 1)
    size = math.sqrt(max(0.0, float((shape**2).mean() * freedom - counting)))

    def world(chance: Chance) -> tuple[Floats, Floats, Floats]:
        at = np.concatenate([chance.choice(places[one], len(places[one])) for one in range(len(names))])
        effect = size * smoothed(chance, shape / shape.std(), (seeds, len(names)))
        drawn = left[chance.integers(len(both), size=seeds)][:, at]
        errors = np.broadcast_to(theirs.mean(axis=0)[at], drawn.shape)
        return errors, errors + drawn + effect[:, speaker[at]] * words[at], words[at]

    spoken = tuple(names[np.concatenate([np.full(len(at), one) for one, at in enumerate(places)])])
    return Cell("real", f"{label}, {tested.name}", seeds, world, spoken, spoken)


def cells(runs: list[Path]) -> Iterator[Cell]:
    """The lines of the table."""
    found = gathered(runs)
    for seeds in SEEDS:
        yield simulated(seeds, 6, 1)
        yield simulated(seeds, 2, 10)
        for part in found.parts:
            if not part.choosing:
                yield real(seeds, part, found.others[0], found.baseline)


def judged(cell: Cell, chance: Chance) -> tuple[bool, bool]:
    """Whether any group is told apart, and whether the gap is."""
    one, other, words = cell.world(chance)
    errors = {name: dict(enumerate(rows)) for name, rows in (("a", one), ("b", other))}
    ids = tuple(map(str, range(len(words))))
    part = Tested("test", False, ids, cell.speakers, ids, words, {"group": Column(cell.group)}, errors, {})
    seeds = tuple(range(cell.seeds))
    told = groups.grouped(Gathered("", "a", {"a": seeds, "b": seeds}, [part], [], []), "group").parts[0]
    verdicts = [told.scores[group.name]["b"].contrast.difference.verdict for group in told.groups[1:]]
    return any(verdict != NO_DIFFERENCE for verdict in verdicts), (
        told.gaps["b"].change.verdict != NO_DIFFERENCE
    )


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--repeats", type=int, default=400, help="comparisons of each kind (400)")
    options.add_argument("--runs", type=Path, nargs="+", default=[KEPT])
    given = options.parse_args()
    statistics.REPLICATES = gaps.REPLICATES = REPLICATES  # verdicts are as often right with these
    rows, started = [HEADER], time.monotonic()
    for place, cell in enumerate(cells(given.runs)):
        chance = np.random.default_rng([1, place])
        told = np.mean([judged(cell, chance) for _ in range(given.repeats)], axis=0)
        shares = [text for share in told for text in percents(float(share), given.repeats)]
        rows.append((cell.source, cell.groups, str(cell.seeds), *shares))
    print(aligned(rows, left=2))
    print(f"# {given.repeats} repeats, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
