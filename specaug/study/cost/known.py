"""What is known of corpora that are not at hand: utterances and hours. How long each one is, is assumed."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from specaug.speech.corpora.options import CorpusOptions
from specaug.speech.corpus import DEV, TRAIN


class Facts(NamedTuple):
    """A part of a corpus."""

    utterances: int
    hours: float


# Hours: Panayotov et al. 2015, Table 1. Utterances: the lines of the transcripts at openslr.org/12.
LIBRISPEECH = {
    "train-clean-100": Facts(28_539, 100.6),
    "train-clean-360": Facts(104_014, 363.6),
    "train-other-500": Facts(148_688, 496.7),
    "dev-clean": Facts(2_703, 5.4),
    "dev-other": Facts(2_864, 5.3),
    "test-clean": Facts(2_620, 5.4),
    "test-other": Facts(2_939, 5.1),
}
# LDC97S62 as egs/swbd/s5c/run.sh of Kaldi cuts it: 286 hours without most repeated sentences, and 4,000 sentences as dev. How
# many remain for training is rough. Hub5'00 (LDC2002S09) is 40 conversations of some five minutes.
SWITCHBOARD = {TRAIN: Facts(192_000, 286.0), DEV: Facts(4_000, 5.1), "test": Facts(4_000, 3.3)}
# Sentences of Hub5'00 that NIST scores, by Kaldi's egs/swbd/s5c/RESULTS; those without a word (decision D72) are among them.
HUB5_00 = {"swbd": 1_831, "callhome": 2_628}
CALLED = ("switchboard", "swbd")  # in the name, the title or the manifests of a corpus

# How lengths are spread, in seconds: the length below which a share of the utterances lies. Assumed; then scaled so that
# the hours come out.
READ = ((0.0, 1.4), (0.05, 3.5), (0.2, 9.5), (0.5, 13.9), (0.8, 15.4), (0.98, 16.6), (1.0, 24.5))
TALKED = ((0.0, 0.3), (0.25, 1.6), (0.5, 4.0), (0.75, 8.0), (0.95, 13.0), (1.0, 15.5))

Spread = Sequence[tuple[float, float]]


def known(corpus: CorpusOptions) -> Mapping[str, Sequence[float]] | None:
    """The seconds of the utterances of each part, where the corpus is one that is known, else None."""
    parts = facts_of(corpus)
    if parts is None:
        return None
    spread = READ if corpus.name == "librispeech" else TALKED
    return {name: [s for one in facts for s in seconds(one, spread)] for name, facts in parts.items()}


def facts_of(corpus: Any) -> Mapping[str, Sequence[Facts]] | None:
    """The facts on what each part is made of."""
    if corpus.name == "librispeech":
        parts = {TRAIN: corpus.train, DEV: corpus.dev, "test": corpus.test}
        if not all(name in LIBRISPEECH for names in parts.values() for name in names):
            return None
        return {part: [LIBRISPEECH[name] for name in names] for part, names in parts.items()}
    said = " ".join(str(getattr(corpus, field, "")) for field in ("name", "title", "train")).lower()
    if any(name in said for name in CALLED):
        return {part: [facts] for part, facts in SWITCHBOARD.items()}
    return None


def seconds(facts: Facts, spread: Spread) -> list[float]:
    """The lengths of so many utterances, spread so, that last so many hours together.

    >>> [round(s) for s in seconds(Facts(4, 24 / 3600), ((0.0, 1.0), (1.0, 9.0)))]
    [2, 5, 7, 10]
    """
    made = [at((place + 0.5) / facts.utterances, spread) for place in range(facts.utterances)]
    scale = facts.hours * 3600 / sum(made)
    return [scale * length for length in made]


def at(share: float, spread: Spread) -> float:
    """The length below which a share of the utterances lies."""
    for (low, shorter), (high, longer) in pairwise(spread):
        if share <= high:
            return shorter + (longer - shorter) * (share - low) / (high - low)
    return spread[-1][1]
