"""Tests between two trained models on the same utterances: matched pairs, and the paired bootstrap.

Both treat the two models as given and ask whether other utterances would say the same. They know nothing of
seeds: two runs of ONE policy with two seeds are told apart by them far more often than in 5 of 100 cases, and
rightly so, for the two models do differ. They say nothing about a policy; `statistics.estimates` does.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import jiwer
import numpy as np
from numpy.typing import NDArray

from specaug.errors import UserError
from specaug.speech.scoring import tidy

Counts = NDArray[np.int64]
Row = Mapping[str, Any]  # a line of hypotheses.jsonl

GOOD = 2  # words in a row, right in both systems, that end a segment (sc_stats' default)
REPLICATES = 10_000
CELLS = 2_000_000  # utterances drawn at a time


@dataclass(frozen=True, eq=False, slots=True)
class Aligned:
    """Where one model is wrong. An utterance of n words has 2n + 1 places: gap, word, gap, ..., word, gap.

    A word's place counts its substitution or deletion, a gap's its insertions. Utterances follow one another.
    """

    references: tuple[str, ...]
    errors: Counts  # (places,)
    utterance: Counts  # (places,), from 0
    words: Counts  # (utterances,) of the references


@dataclass(frozen=True, slots=True)
class MatchedPairs:
    """The matched-pairs test of one trained model against another, which is no test of two policies.

    `difference` is the mean over segments of the first model's errors less the second's; below 0 the first is
    better. `p` is two-sided.
    """

    difference: float
    segments: int
    z: float
    p: float


@dataclass(frozen=True, slots=True)
class PairedBootstrap:
    """One trained model against another over resampled utterances, which is no test of two policies.

    `difference` is the first model's word error rate less the second's, a share; `low` and `high` bound 95 % of
    the replicates; `better` is the share of replicates in which the first makes fewer errors, ties by half.
    """

    difference: float
    low: float
    high: float
    better: float


@dataclass(frozen=True, slots=True)
class ModelTests:
    """What both tests say of the models that two policies trained with one seed; negative: the policy's is better."""

    seed: int
    sign: int  # of the difference in errors: -1, 0 or 1
    matched: MatchedPairs
    bootstrap: PairedBootstrap


def aligned(references: Sequence[str], hypotheses: Sequence[str]) -> Aligned:
    """The errors of `hypotheses` place by place (jiwer's alignment). Raises UserError where a reference is empty."""
    references = [tidy(text) for text in references]
    if "" in references:
        raise UserError(f"reference {references.index('') + 1} of {len(references)} is empty; expected words")
    words = np.array([len(text.split()) for text in references], dtype=np.int64)
    sizes = 2 * words + 1
    starts = np.cumsum(sizes) - sizes
    errors = np.zeros(sizes.sum(), dtype=np.int64)
    found = jiwer.process_words(list(references), list(hypotheses)).alignments if references else []
    for start, chunks in zip(starts.tolist(), found, strict=True):
        for chunk in chunks:
            if chunk.type == "insert":
                errors[start + 2 * chunk.ref_start_idx] += chunk.hyp_end_idx - chunk.hyp_start_idx
            elif chunk.type != "equal":
                errors[start + 2 * chunk.ref_start_idx + 1 : start + 2 * chunk.ref_end_idx : 2] = 1
    return Aligned(tuple(references), errors, np.repeat(np.arange(len(words)), sizes), words)


def segment_errors(one: Aligned, other: Aligned) -> tuple[Counts, Counts]:
    """The errors of both models in every segment that holds any (Gillick and Cox 1989, ICASSP, section 4).

    Segments are parted by the ends of utterances, and by two words in a row that both models get right with
    nothing inserted between them, as in NIST's sc_stats. Raises UserError where the references differ.
    """
    _check_same(one, other)
    wrong = np.flatnonzero(one.errors + other.errors)
    is_word = np.ones(len(one.errors), dtype=np.int64)
    starts = np.flatnonzero(np.diff(one.utterance, prepend=-1))
    is_word[:] = (np.arange(len(is_word)) - starts[one.utterance]) % 2
    seen = np.cumsum(is_word)  # words up to and with each place
    between = seen[wrong[1:]] - is_word[wrong[1:]] - seen[wrong[:-1]]
    parted = (between >= GOOD) | (one.utterance[wrong[1:]] != one.utterance[wrong[:-1]])
    segment = np.concatenate([np.zeros(min(1, len(wrong)), dtype=np.int64), np.cumsum(parted)])
    first, second = (np.bincount(segment, weights=model.errors[wrong]) for model in (one, other))
    return first.astype(np.int64), second.astype(np.int64)


def matched_pairs(one: Aligned, other: Aligned) -> MatchedPairs:
    """The matched-pairs sentence-segment word error test (MAPSSWE; Gillick and Cox 1989) of two trained models.

    It compares these two models and not the policies that trained them. z is normal where there are many
    segments. Where all segments differ by one and the same amount, z has no meaning (0, or infinite) and the
    sign test gives p.
    """
    first, second = segment_errors(one, other)
    rest = (first - second).astype(np.float64)
    segments = len(rest)
    difference = float(rest.mean()) if segments else 0.0
    if difference == 0:
        return MatchedPairs(0.0, segments, 0.0, 1.0)
    deviation = float(rest.std(ddof=1)) if segments > 1 else 0.0
    if deviation == 0:
        return MatchedPairs(difference, segments, math.copysign(math.inf, difference), 2.0 ** (1 - segments))
    z = difference / (deviation / math.sqrt(segments))
    return MatchedPairs(difference, segments, z, 2 * NormalDist().cdf(-abs(z)))


def paired_bootstrap(
    one: Aligned, other: Aligned, replicates: int = REPLICATES, seed: int = 0
) -> PairedBootstrap:
    """The bootstrap of Bisani and Ney (2004, ICASSP) over utterances, both models on the same ones.

    It compares these two trained models and not the policies that trained them.
    """
    _check_same(one, other)
    units = len(one.words)
    if not units:
        raise UserError("no utterances to compare on; expected at least one")
    rest = np.bincount(one.utterance, weights=one.errors - other.errors, minlength=units)
    chance = np.random.default_rng(seed)
    size = max(1, CELLS // units)
    parts = []
    for start in range(0, replicates, size):
        drawn = chance.integers(units, size=(min(size, replicates - start), units))
        parts.append(rest[drawn].sum(axis=1) / one.words[drawn].sum(axis=1))
    found = np.concatenate(parts)
    low, high = np.quantile(found, [0.025, 0.975])
    better = float((found < 0).mean() + (found == 0).mean() / 2)
    return PairedBootstrap(float(rest.sum() / one.words.sum()), float(low), float(high), better)


def seed_by_seed(
    policy: Mapping[int, Sequence[Row]], baseline: Mapping[int, Sequence[Row]], replicates: int = REPLICATES
) -> list[ModelTests]:
    """Both tests on each seed that both policies have; by seed the rows of one part, as in hypotheses.jsonl.

    Each compares two trained models and not two policies: where p is small and the signs differ from seed to
    seed, it is the seeds that differ. Raises UserError where two runs hold other utterances.
    """
    found = []
    for seed in sorted(set(policy) & set(baseline)):
        one, other = _of_rows(policy[seed]), _of_rows(baseline[seed])
        matched = matched_pairs(one, other)
        sign = int(np.sign(one.errors.sum() - other.errors.sum()))
        found.append(ModelTests(seed, sign, matched, paired_bootstrap(one, other, replicates)))
    return found


def _of_rows(rows: Sequence[Row]) -> Aligned:
    ordered = sorted(rows, key=lambda row: (str(row.get("part")), str(row.get("id"))))
    return aligned([row["reference"] for row in ordered], [row["hypothesis"] for row in ordered])


def _check_same(one: Aligned, other: Aligned) -> None:
    if one.references != other.references:
        counts = f"{len(one.references)} and {len(other.references)}"
        differ = (
            i for i, (a, b) in enumerate(zip(one.references, other.references, strict=False), 1) if a != b
        )
        where = next((f"utterance {i} is the first that differs" for i in differ), f"{counts} utterances")
        raise UserError(f"two models on other utterances: {where}; expected the same references")
