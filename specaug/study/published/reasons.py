"""Why a run is not to be compared with a published row, though its recipe names the same corpus, network and training."""

from collections.abc import Mapping
from typing import Any

from specaug.speech.corpora.options import CorpusOptions
from specaug.speech.corpus import TRAIN
from specaug.study.cost.known import HUB5_00, LIBRISPEECH, facts_of
from specaug.study.plural import counted
from specaug.study.recipe import Recipe
from specaug.study.results import Result

# The share of a part's utterances by which a run may differ: some may be skipped, and of Switchboard's the numbers are rough.
NEAR = {"librispeech": 0.001, "switchboard": 0.1}


def trained_on(result: Result, recipe: Recipe) -> str:
    """That a run was trained on more or fewer utterances than the published corpus has, or nobody knows how many; else empty."""
    if result.trained is None:
        return "trained on a number of utterances that the result does not say"
    return other_number("trained", TRAIN, result.trained, recipe.corpus)


def tested_on(part: str, count: int, recipe: Recipe) -> str:
    """That a part has more or fewer utterances than the published one; else empty."""
    return other_number("tested", part, count, recipe.corpus)


def other_number(what: str, part: str, count: int, corpus: CorpusOptions) -> str:
    """`trained on 4 utterances, where there are 281,241`, unless the two are near each other."""
    there = numbers(corpus).get(part, count)
    if abs(count - there) <= NEAR.get(corpus.name, 0.0) * there:
        return ""
    return f"{what} on {counted(count, 'utterance')}, where there are {there:,}"


def numbers(corpus: CorpusOptions) -> Mapping[str, int]:
    """The utterances of the parts of a published corpus, as far as they are known."""
    train = (facts_of(corpus) or {}).get(TRAIN, ())
    parts = {part: facts.utterances for part, facts in LIBRISPEECH.items()}
    return {**parts, **HUB5_00, **({TRAIN: sum(one.utterances for one in train)} if train else {})}


def decoded_otherwise(label: str, recipe: Recipe, published: Recipe) -> str:
    """That two recipes mean other decodings by one label, but for the weights, which dev may choose; else empty."""
    found, expected = (fixed(label, one) for one in (recipe, published))
    told = " and ".join(what for what in expected if found.get(what) != expected[what])
    return f"decoded with another {told}" if told else ""


def fixed(label: str, recipe: Recipe) -> dict[str, Any]:
    """What dev does not choose of a decoding; a language model that counts nothing is none."""
    return {
        name: value
        for one in recipe.decodings
        if one.label == label
        for name, value in (("beam", one.beam), ("language model", one.lm if any(one.weight) else None))
    }
