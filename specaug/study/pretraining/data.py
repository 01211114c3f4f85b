"""What pretraining takes of a corpus: the features of `train` and `dev`, of every utterance that its masks fit."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from specaug.augment.patch_grid_masks import PatchHiding
from specaug.speech.check import Expected, Problem, Reading, problems_of, screen_corpus
from specaug.speech.corpus import DEV, TRAIN, Corpus
from specaug.speech.kinds import Tell
from specaug.speech.manifest import Utterance
from specaug.speech.prepare import Prepared, Store, build_store, placed
from specaug.speech.text import Alphabet
from specaug.study.pretraining.recipe import Pretraining


def unlabelled(
    corpus: Corpus, recipe: Pretraining, hiding: PatchHiding, cache: Path, progress: Tell = lambda *_: None
) -> Prepared:
    """The features, from the cache that ordinary runs of the corpus share (decision D89), without a transcript.

    The labels of an utterance are as many zeros as patches of it are hidden (decision D90). Raises UserError at the
    first utterance that cannot be read, or is too short for the mask; where the recipe says `skip` it is left out.
    """
    everything, name, folder = placed(corpus, recipe.features, cache)
    used = replace(corpus, parts={part: corpus.parts[part] for part in (TRAIN, DEV)})
    wanted = {u.id for utterances in used.parts.values() for u in utterances}
    stop = recipe.on_bad_utterance == "error"
    expected = Expected(features=recipe.features, fault=partial(fault, hiding, recipe.features.mel))

    def problem(u: Utterance, reading: Reading) -> Problem | None:
        return next(problems_of(u, reading, expected), None) if stop and u.id in wanted else None

    build_store(folder, everything, recipe.features, problem, progress)
    store = Store.open(folder, recipe.features.mel)
    good, skipped = screen_corpus(used, expected, recipe.on_bad_utterance, lambda u: store.readings[u.id])

    def hidden(u: Utterance) -> list[int]:
        return [0] * hiding.count(store.readings[u.id].frames, recipe.features.mel)

    parts = {part: store.part(utterances, hidden) for part, utterances in good.parts.items()}
    return Prepared(good, name, parts, skipped, Alphabet(""), store.rate)


def fault(hiding: PatchHiding, mel: int, frames: int) -> str:
    """Why so many frames are too short for the mask; empty where they are not."""
    try:
        hiding.count(frames, mel)
    except ValueError as error:
        return str(error)
    return ""
