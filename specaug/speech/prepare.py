"""From a corpus to what a network is trained on: features computed once, labels, and bad utterances set apart."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from specaug.errors import UserError
from specaug.speech.audio import read_audio
from specaug.speech.check import (
    Expected,
    Problem,
    Reading,
    expected_of,
    fault_of,
    problems_of,
    read_features,
    reading_of_features,
    refuse,
    screen_corpus,
    test_ids,
)
from specaug.speech.classes import asked_of, classes_of
from specaug.speech.cores import on_all_cores
from specaug.speech.corpus import TRAIN, Corpus
from specaug.speech.features import log_mel, normalised
from specaug.speech.kinds import Tell
from specaug.speech.manifest import Utterance, fingerprint
from specaug.speech.once import make_once
from specaug.speech.options import Features, Text
from specaug.speech.pieces import units_of
from specaug.speech.text import Units

Rows = NDArray[np.float32]

VERSION = 1  # of what is computed here: another one gets another folder
DATA, INDEX = "features.f32", "index.json"


@dataclass(frozen=True)
class Part:
    """The usable utterances of one part, their labels, and where their features lie."""

    utterances: Sequence[Utterance]
    labels: Sequence[list[int]]
    frames: Sequence[int]
    starts: Sequence[int]  # rows of the store
    rows: Rows  # (all frames of the corpus, mel), memory-mapped

    @cached_property
    def ids(self) -> list[str]:
        """The ids, in the order of the part."""
        return [u.id for u in self.utterances]

    def features(self, place: int) -> Rows:
        """The (frames, mel) features of one utterance."""
        start = self.starts[place]
        return self.rows[start : start + self.frames[place]]


@dataclass(frozen=True)
class Prepared:
    """A corpus, ready for training."""

    corpus: Corpus
    fingerprint: str
    parts: Mapping[str, Part]
    skipped: Sequence[Problem]
    units: Units  # what the labels mean
    rate: int | None = None  # of the recordings, in Hz; None where the corpus has features


def prepare(
    corpus: Corpus,
    features: Features,
    text: Text,
    outputs: Callable[[int], int],
    cache: Path,
    progress: Tell = lambda *_: None,
) -> Prepared:
    """Features from the cache (made there where they are missing) and labels, for each part.

    `outputs` tells how many frames the network makes of so many frames of features. Raises UserError at the
    first bad utterance, or, where the recipe says `skip`, leaves those out and lists them in `skipped`. The store holds
    the whole corpus, whatever the recipe asks of it, so that all recipes with these features share it.
    """
    everything, name, folder = placed(corpus, features, cache)
    stop = text.on_bad_utterance == "error"
    corpus, unclassed = asked_of(corpus, text)
    if stop:
        refuse(unclassed)
    units, expected = wanted(corpus, features, text, outputs, cache)
    test = test_ids(corpus)
    used = {u.id: u for utterances in corpus.parts.values() for u in utterances}

    def problem(u: Utterance, reading: Reading) -> Problem | None:
        if (asked := used.get(u.id)) is None:
            return None
        return next(problems_of(asked, reading, expected_of(asked, expected, test)), None)

    build_store(folder, everything, features, problem if stop else (lambda *_: None), progress)
    store = Store.open(folder, features.mel)
    good, skipped = screen_corpus(corpus, expected, text.on_bad_utterance, lambda u: store.readings[u.id])
    parts = {
        part: store.part(utterances, lambda u: units.encode(u.text))
        for part, utterances in good.parts.items()
    }
    return Prepared(good, name, parts, [*unclassed, *skipped], units, store.rate)


def wanted(
    corpus: Corpus, features: Features, text: Text, outputs: Callable[[int], int], cache: Path
) -> tuple[Units, Expected]:
    """What a network writes, and what utterances must fit; a class is one label, whatever its name is made of."""
    if text.classes:
        one = Expected(
            features=features, fault=lambda frames: "" if outputs(frames) else "too short: no frame of output"
        )
        return classes_of(corpus, text.classes), one
    units = units_of(text, [u.text for u in corpus.parts[TRAIN]], cache)
    return units, Expected(
        features=features,
        alphabet=text.alphabet,
        outputs=outputs,
        encode=units.encode if text.pieces else None,
    )


def placed(corpus: Corpus, features: Features, cache: Path) -> tuple[list[Utterance], str, Path]:
    """All utterances of a corpus, their fingerprint, and the folder of their features."""
    everything = [u for utterances in corpus.parts.values() for u in utterances]
    name = fingerprint(everything)
    facts = [VERSION, name, asdict(features), [written_at(u) for u in everything]]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]
    return everything, name, cache / f"features-{digest}"


def written_at(utterance: Utterance) -> int:
    """When the utterance's file was last written, in nanoseconds; 0 where there is none.

    A file of the same size with other contents must not be answered from the cache.
    """
    source = utterance.audio or utterance.features
    return source.stat().st_mtime_ns if source is not None and source.is_file() else 0


@dataclass(frozen=True)
class Store:
    """The features of a corpus, one utterance after the other, and what was found in each file."""

    rows: Rows
    readings: Mapping[str, Reading]
    starts: Mapping[str, int]

    @staticmethod
    def open(folder: Path, mel: int) -> "Store":
        """The store that `build_store` left in `folder`."""
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        readings = {name: Reading(*reading) for name, reading in index.items()}
        starts, total = {}, 0
        for name, reading in readings.items():
            starts[name] = total
            total += reading.frames
        empty = np.zeros((0, mel), np.float32)
        rows = np.memmap(folder / DATA, np.float32, "c", shape=(total, mel)) if total else empty
        return Store(rows, readings, starts)

    @property
    def rate(self) -> int | None:
        """The sample rate of all recordings, in Hz; None where there are none."""
        return next((reading.rate for reading in self.readings.values() if reading.rate), None)

    def part(self, utterances: Sequence[Utterance], labels: Callable[[Utterance], list[int]]) -> Part:
        """The utterances of one part, with the labels of each."""
        return Part(
            utterances=utterances,
            labels=[labels(u) for u in utterances],
            frames=[self.readings[u.id].frames for u in utterances],
            starts=[self.starts[u.id] for u in utterances],
            rows=self.rows,
        )


def build_store(
    folder: Path,
    utterances: Sequence[Utterance],
    features: Features,
    problem: Callable[[Utterance, Reading], Problem | None],
    progress: Tell,
) -> None:
    """Compute the features of all utterances into `folder`, on all cores, whole or not at all; wait if another does it.

    The first utterance with a `problem` raises UserError; nothing is left behind then.
    """

    def build(partial: Path) -> None:
        readings = {}
        computed = on_all_cores(lambda u: compute(u, features), utterances)
        with (partial / DATA).open("wb") as data, closing(computed):
            for done, (u, (rows, reading)) in enumerate(zip(utterances, computed, strict=True), 1):
                if found := problem(u, reading):
                    raise UserError(str(found))
                data.write(rows.tobytes())
                readings[u.id] = (reading.frames, reading.rate, reading.fault)
                progress("features", done, len(utterances))
        (partial / INDEX).write_text(json.dumps(readings), encoding="utf-8")

    make_once(folder, INDEX, build)


def compute(utterance: Utterance, features: Features) -> tuple[Rows, Reading]:
    """The normalised features of one utterance; none of them where something is wrong with its file."""
    nothing = np.zeros((0, features.mel), np.float32)
    try:
        if utterance.features is not None:
            array = read_features(utterance)
            reading = reading_of_features(utterance, array, features)
            given = torch.from_numpy(np.array(array, np.float32))
            return (nothing if reading.fault else normalised(given).numpy()), reading
        wave, rate = read_audio(utterance)
    except UserError as error:
        return nothing, fault_of(utterance, error)
    rows = normalised(log_mel(torch.from_numpy(wave), rate, features)).numpy()
    return rows, Reading(len(rows), rate)
