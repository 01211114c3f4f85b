"""How often `specaug compare` is wrong about the mAP of equal policies.

    python -m benchmarks.verdicts_of_map                 # a few minutes on one core; the same numbers each time

Two policies give scores to the classes of single words of simulated speakers. They differ by speaker and from run to
run, and neither is better on the whole. "told apart" is the share of comparisons that end in "better" or "worse", in
percent, which ought to be 5: of the error rate; of mAP as it is judged, by what each utterance missed; and of mAP if
only the precision at an utterance's own rank were drawn anew.
"""

import argparse
import time
from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.verdicts import REPLICATES, Chance, percents
from specaug.speech.ranking import missed, weights
from specaug.study.stats.statistics import NO_DIFFERENCE, Runs, estimates
from specaug.study.stats.variance import Floats
from specaug.study.tables.text_table import aligned

CLASSES, EACH = 10, 5  # words, and how often each speaker says one
SIGNAL = 2.0  # by which the score of the right class is higher, in deviations of a score
SPEAKER, POLICY, RUN = (
    0.7,
    0.5,
    0.3,
)  # deviations: of a speaker, of a policy for a speaker, of a run for a speaker
SEEDS, SPEAKERS = (3, 5), (6, 20, 60)
HEADER = ("seeds", "speakers", "error rate", "+-", "mAP", "+-", "precisions alone", "+-")

Wrong = Callable[[Floats, list[int]], Floats]  # of the scores and the classes, for each utterance


def errors(scores: Floats, of: list[int]) -> Floats:
    """1 where another class has the highest score."""
    return (scores.argmax(axis=1) != np.array(of)).astype(float)


def shares(scores: Floats, of: list[int]) -> Floats:
    """What each utterance takes from mAP, so that together they are what it lacks."""
    return missed(scores, of) / len(of)


def precisions(scores: Floats, of: list[int]) -> Floats:
    """The same by the precision at each utterance's own rank."""
    right = scores[np.arange(len(of)), of]
    above = (scores[:, of] >= right).sum(axis=0)
    own = ((scores[:, of] >= right) & (np.array(of)[:, None] == of)).sum(axis=0)
    lacking: Floats = weights([str(one) for one in of]) * (1 - own / above)
    return lacking


MEASURES: Mapping[str, Wrong] = {"error rate": errors, "mAP": shares, "precisions alone": precisions}


def world(chance: Chance, seeds: int, speakers: int) -> dict[str, dict[str, Runs]]:
    """The runs of two equal policies, by each measure."""
    of = np.tile(np.repeat(np.arange(CLASSES), EACH), speakers)
    who = np.repeat(np.arange(speakers), CLASSES * EACH)
    right = np.eye(CLASSES)[of]
    counted = {
        name: np.full(len(of), 1.0) if name == "error rate" else weights([str(one) for one in of])
        for name in MEASURES
    }
    taste, skill = chance.normal(0, SPEAKER, (speakers, CLASSES)), chance.normal(0, SPEAKER, speakers)
    found: dict[str, dict[str, Runs]] = {name: {} for name in MEASURES}
    for policy in "ab":
        own = taste + chance.normal(0, POLICY, taste.shape)
        able = skill + chance.normal(0, POLICY, speakers)
        wrong: dict[str, list[Floats]] = {name: [] for name in MEASURES}
        for _ in range(seeds):
            scores = chance.normal(size=right.shape) + (own + chance.normal(0, RUN, own.shape))[who]
            scores += right * (SIGNAL + able[who])[:, None]
            for name, measure in MEASURES.items():
                wrong[name].append(np.bincount(who, measure(scores, of.tolist())))
        for name in MEASURES:
            words = np.bincount(who, counted[name])
            found[name][policy] = Runs(tuple(range(seeds)), np.array(wrong[name]), words)
    return found


def measured(seeds: int, speakers: int, repeats: int, seed: int) -> tuple[str, ...]:
    """One line of the table."""
    chance, apart = np.random.default_rng([seed, seeds, speakers]), dict.fromkeys(MEASURES, 0)
    for _ in range(repeats):
        for name, runs in world(chance, seeds, speakers).items():
            said = estimates(runs, [("a", "b")], REPLICATES)[1]["a", "b"].verdict
            apart[name] += said != NO_DIFFERENCE
    told = [figure for count in apart.values() for figure in percents(count / repeats, repeats)]
    return (str(seeds), str(speakers), *told)


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--repeats", type=int, default=400, help="comparisons of each kind (400)")
    options.add_argument("--seed", type=int, default=0)
    given, started = options.parse_args(), time.monotonic()
    lines = [measured(seeds, count, given.repeats, given.seed) for seeds in SEEDS for count in SPEAKERS]
    print(aligned([HEADER, *lines]))
    print(f"# {given.repeats} repeats, seed {given.seed}, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
