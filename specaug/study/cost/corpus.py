"""How long the utterances of a recipe's corpus are: from its manifests, or as far as it is known without them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from specaug.errors import UserError
from specaug.speech.batching import bucketed, filled, share
from specaug.speech.classes import asked_of
from specaug.speech.corpus import DEV, TRAIN
from specaug.speech.kinds import Tell
from specaug.speech.options import Features, Text
from specaug.study.corpora import open_corpus
from specaug.study.cost.known import known
from specaug.study.places import Places
from specaug.study.pretraining.recipe import Pretraining
from specaug.study.recipe import Recipe
from specaug.training.options import Training

CHARACTERS = 15.0  # that are said in a second, where no transcript is at hand; assumed
PIECE = 4.0  # characters of a word piece, assumed: pieces are trained only when training begins
FIRST = 0  # the seed and the epoch whose batches are looked at


@dataclass(frozen=True)
class Lengths:
    """The utterances of a corpus by their lengths."""

    frames: Mapping[str, Sequence[int]]  # of each part's utterances
    labels: float  # a frame, on average
    assumed: str = ""  # why lengths are assumed, where they are

    @cached_property
    def train(self) -> Sequence[int]:
        """Frames of the training utterances."""
        return self.frames[TRAIN]

    @property
    def typical(self) -> float:
        """Frames of a training utterance, on average."""
        return fmean(self.train)

    @property
    def longest(self) -> int:
        """Frames of the longest training utterance."""
        return max(self.train)

    @property
    def total(self) -> int:
        """Frames of all parts."""
        return sum(sum(frames) for frames in self.frames.values())

    def of_dev(self) -> Sequence[int]:
        """Frames of the utterances that each pass over dev hears."""
        return self.frames.get(DEV, ())

    def batches(self, options: Training) -> list[list[int]]:
        """The frames of the utterances of each batch of an epoch, as training makes batches."""
        ids = [str(place) for place in range(len(self.train))]
        make, most = (filled, options.frames) if options.frames else (bucketed, options.batch)
        places = make(ids, self.train, most, FIRST, FIRST)
        return [[self.train[place] for place in batch] for batch in places]


def shares_of(batch: Sequence[int], options: Training) -> list[list[int]]:
    """What the first of the processes works off one after the other of a batch; nothing is left out."""
    shares = options.devices * options.accumulate
    mine = [share(range(len(batch)), turn * options.devices, shares) for turn in range(options.accumulate)]
    return [[batch[place] for place in places] for places in mine if places]


def lengths_of(recipe: Recipe | Pretraining, places: Places, progress: Tell = lambda *_: None) -> Lengths:
    """The lengths of a recipe's corpus; a pretraining takes it as it is, whatever is said there.

    Raises UserError where it is neither at hand nor known, lacks the classes that are asked for, or none of its training
    utterances has a frame.
    """
    text = recipe.text if isinstance(recipe, Recipe) else Text()
    try:
        corpus = open_corpus(recipe.corpus, places, progress)
    except UserError as error:
        if (found := known(recipe.corpus)) is None:
            raise
        told = (
            f"lengths of utterances are assumed, and their sum is known: the corpus is not at hand ({error})"
        )
        parts = {name: frames_of(seconds, recipe.features) for name, seconds in found.items()}
        return Lengths(parts, CHARACTERS * recipe.features.shift / unit(text), told)
    corpus, _ = asked_of(corpus, text)
    heard = {
        name: frames_of([u.duration for u in utterances], recipe.features)
        for name, utterances in corpus.parts.items()
    }
    if not sum(heard[TRAIN]):
        raise UserError(
            f"corpus {corpus.title}: no training utterance is as long as a window of the features"
        )
    said = sum(len(u.text) for u in corpus.parts[TRAIN]) / unit(text)
    return Lengths(heard, said / sum(heard[TRAIN]))


def unit(text: Text) -> float:
    """Characters of a label; of a class, which is one however long its name and its utterance are, infinitely many."""
    if text.classes:
        return math.inf
    return PIECE if text.pieces else 1.0


def frames_of(seconds: Sequence[float], features: Features) -> list[int]:
    """Frames of features of utterances: the windows that lie wholly inside each.

    >>> frames_of([1.0, 0.025, 0.02], Features())
    [98, 1, 0]
    """
    return [max(0, 1 + math.floor((length - features.window) / features.shift + 1e-6)) for length in seconds]
