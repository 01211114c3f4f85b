"""Trained models in pairs, seed by seed: what other harnesses call significance."""

from collections.abc import Iterator
from dataclasses import dataclass

from specaug.study.comparing.gathered import Gathered
from specaug.study.stats.mapsswe import ModelTests, seed_by_seed
from specaug.study.tables.plain_table import Plain
from specaug.study.tables.text_table import Table, percent

LEFT = 2  # columns of text
COLUMNS = ("part", "policy", "seed", "difference", "low", "high", "P(<)", "segments", "z", "p")
REMARKS = (
    "Two trained models with one seed on the same utterances (of all folds), policy less baseline; below 0 are fewer "
    "errors. low, high and P(<): 95 % of the bootstrap over utterances, and its share below 0. segments, z, p: NIST's "
    "matched pairs (MAPSSWE), two-sided and uncorrected.",
    "These are tests of two models and not of two policies: two seeds of one policy are told apart by them as well, "
    "far more often than in 5 of 100 cases. What policies do is in `specaug compare` without --models.",
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A policy's model against the baseline's, on one part."""

    part: str
    policy: str
    tests: ModelTests


def pairs(found: Gathered) -> Iterator[Pair]:
    """Every part, policy and seed that the policy and the baseline have both."""
    for part in found.parts:
        rows = {
            label: {
                seed: [
                    {"id": name, "reference": reference, "hypothesis": hypothesis}
                    for name, reference, hypothesis in zip(part.ids, part.references, texts, strict=True)
                ]
                for seed, texts in by_seed.items()
            }
            for label, by_seed in part.hypotheses.items()
        }
        for label in found.others:
            for tests in seed_by_seed(rows[label], rows[found.baseline]):
                yield Pair(part.name, label, tests)


def table(found: Gathered) -> Table:
    """A row a pair under a header."""
    return [COLUMNS, *map(cells, pairs(found))]


def cells(pair: Pair) -> tuple[str, ...]:
    """A pair as it is printed; differences in points."""
    tests, bootstrap, matched = pair.tests, pair.tests.bootstrap, pair.tests.matched
    bounds = (bootstrap.difference, bootstrap.low, bootstrap.high)
    p = f"{matched.p:.3f}" if matched.p >= 0.001 else "< 0.001"
    return (
        *(pair.part, pair.policy, str(tests.seed)),
        *(percent(bound, "+") for bound in bounds),
        *(f"{bootstrap.better:.2f}", str(matched.segments), f"{matched.z:+.2f}", p),
    )


def plain(found: Gathered) -> Plain:
    """The table of all pairs, and what it is."""
    return Plain(headline(found), table(found), LEFT, REMARKS)


def headline(found: Gathered) -> str:
    """What stands above the table."""
    return f"{found.title}: trained models against those of {found.baseline}, seed by seed"
