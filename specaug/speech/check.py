"""What is wrong with a corpus, utterance by utterance, before anything is trained on it.

Reading and judging are apart. `read_file` (or whatever builds the features and so reads the audio anyhow)
tells of one utterance's file; the rules are functions of that.
"""

import tokenize
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from specaug.errors import UserError
from specaug.speech.audio import read_audio
from specaug.speech.corpus import Corpus
from specaug.speech.manifest import Utterance, numbered_lines, parse_line, twice
from specaug.speech.options import Features
from specaug.speech.text import foreign, frames_needed

ENOUGH = 1_000_000  # frames of output for one of features: more than any transcript needs


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that the user should mend: where, and what."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What an utterance's file turned out to hold: its frames, or else what is wrong with it."""

    frames: int = 0
    rate: int | None = None  # Hz; None for features
    fault: str | None = None


def same(frames: int) -> int:
    """`frames`: the output of a network that does not subsample."""
    return frames


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What utterances must fit."""

    features: Features = field(default_factory=Features)
    alphabet: str | None = None  # None: any character
    outputs: Callable[[int], int] = same  # frames that a network puts out for so many frames of features
    encode: Callable[[str], Sequence[int]] | None = None  # the labels of a transcript; None: one a character
    fault: Callable[[int], str] | None = None  # of so many frames; where given, transcripts are not looked at


Read = Callable[[Utterance], Reading]


def read_features(utterance: Utterance) -> NDArray[np.floating]:
    """The (frames, mel) array of an utterance's feature file, memory-mapped.

    Raises UserError where the file is missing or holds anything else. The values are not looked at.
    """
    path, where = utterance.features, _place(utterance)
    assert path is not None
    if not path.is_file():
        raise UserError(f"{where}: feature file {path} does not exist")
    try:
        # Refuses pickles and, unlike numpy.load, archives.
        array = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, TypeError, OverflowError, OSError, tokenize.TokenError, SyntaxError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{where}: feature file {path} cannot be read as .npy: {reason}") from None
    if array.ndim != 2 or array.dtype.kind != "f":
        raise UserError(
            f"{where}: feature file {path} holds {array.dtype} {array.shape}; expected floats (frames, mel)"
        )
    return array


def read_file(utterance: Utterance, features: Features) -> Reading:
    """What the file of `utterance` holds, all of it read."""
    try:
        if utterance.features is not None:
            return reading_of_features(utterance, read_features(utterance), features)
        wave, rate = read_audio(utterance)
    except UserError as error:
        return fault_of(utterance, error)
    return Reading(frames_of(len(wave), rate, features), rate)


def reading_of_features(utterance: Utterance, array: NDArray[np.floating], features: Features) -> Reading:
    """What a (frames, mel) array holds."""
    if array.shape[1] != features.mel:
        return Reading(
            fault=f"feature file {utterance.features} has {array.shape[1]} mel channels; expected {features.mel}"
        )
    if not np.isfinite(array).all():
        return Reading(fault=f"feature file {utterance.features} holds NaN or infinity")
    return Reading(len(array))


def fault_of(utterance: Utterance, error: UserError) -> Reading:
    """The reading of a file that could not be read, from the error that said so."""
    return Reading(fault=str(error).removeprefix(f"{_place(utterance)}: "))


def frames_of(samples: int, rate: int, features: Features) -> int:
    """The frames of log-mel features for so many samples at `rate` Hz."""
    window, shift = round(features.window * rate), round(features.shift * rate)
    return 1 + (samples - window) // shift if samples >= window else 0


def problems_of(utterance: Utterance, reading: Reading, expected: Expected) -> Iterator[Problem]:
    """Every problem that an utterance has by itself, given what its file holds."""
    where, text = _place(utterance), utterance.text
    if reading.fault is not None:
        yield Problem(where, reading.fault)
    if expected.fault is not None:
        if reading.fault is None and (what := expected.fault(reading.frames)):
            yield Problem(where, what)
        return
    if not text.strip():
        yield Problem(where, "the transcript is empty; expected text")
    strange = "" if expected.alphabet is None else foreign(text, expected.alphabet)
    if strange:
        yield Problem(where, f"characters {strange!r} are not in the alphabet {expected.alphabet!r}")
    if reading.fault is None:
        labels = text if strange or not expected.encode else expected.encode(text)
        outputs, needed = expected.outputs(reading.frames), max(1, frames_needed(labels))
        if outputs < needed:
            yield Problem(
                where,
                f"too short for its transcript: {reading.frames} frames make {outputs} outputs, "
                f"and {needed} are needed for {len(labels)} {'labels' if expected.encode else 'characters'}",
            )


def repeated_ids(utterances: Iterable[Utterance]) -> Iterator[Problem]:
    """A problem for each utterance whose id an earlier one has."""
    seen: dict[str, str] = {}
    for u in utterances:
        if u.id in seen:
            yield Problem(_place(u), twice(u, seen[u.id]))
        seen.setdefault(u.id, _place(u))


def mixed_rates(utterances: Sequence[Utterance], readings: Sequence[Reading]) -> Iterator[Problem]:
    """A problem for each sample rate after the first, naming a file of either."""
    files: dict[int, Path | None] = {}
    for u, reading in zip(utterances, readings, strict=True):
        if reading.rate is None or reading.rate in files:
            continue
        if files:
            rate, path = next(iter(files.items()))
            what = f"{u.audio} has {reading.rate} Hz and {path} has {rate} Hz; expected one sample rate"
            yield Problem(_place(u), what)
        files[reading.rate] = u.audio


def check_utterances(
    utterances: Sequence[Utterance], expected: Expected, read: Read | None = None
) -> Iterator[Problem]:
    """Every problem of `utterances`, in order, those that several share last; `read` is `read_file`."""
    readings = []
    for u in utterances:
        readings.append(read(u) if read else read_file(u, expected.features))
        yield from problems_of(u, readings[-1], expected)
    yield from repeated_ids(utterances)
    yield from mixed_rates(utterances, readings)


def check_manifest(path: Path, expected: Expected) -> Iterator[Problem]:
    """Every problem of a manifest, those lines first that are no utterances.

    Raises UserError where there is no such file, or no line in it.
    """
    utterances = []
    for where, line in numbered_lines(path):
        try:
            utterances.append(parse_line(line, where, path.parent))
        except UserError as error:
            yield Problem(where, str(error).removeprefix(f"{where}: "))
    yield from check_utterances(utterances, expected)


def expected_of(utterance: Utterance, expected: Expected, test: Container[str]) -> Expected:
    """`expected`, without the rule of CTC for what is only tested on: too short to train on, it can be transcribed.

    `test` holds the ids of those utterances. Were it left out, networks of other strides would be tested on other utterances (decision D11).
    """
    if utterance.id not in test:
        return expected
    return replace(expected, outputs=lambda frames: ENOUGH * frames)


def screen(
    utterances: Sequence[Utterance],
    expected: Expected,
    on_bad: Literal["error", "skip"],
    read: Read | None = None,
    test: Container[str] = (),
) -> tuple[list[Utterance], list[Problem]]:
    """The utterances without a problem, and the problems of the others; `read` is `read_file`.

    `test` holds the ids of the utterances that are only tested on.

    Raises UserError where an id is repeated (before anything is read), sample rates are mixed, or no utterance
    is left; with `on_bad="error"`, at any problem.
    """
    refuse(repeated_ids(utterances))
    good, readings, problems = [], [], []
    for u in utterances:
        reading = read(u) if read else read_file(u, expected.features)
        found = list(problems_of(u, reading, expected_of(u, expected, test)))
        problems += found
        if not found:
            good.append(u)
            readings.append(reading)
    if on_bad == "error":
        refuse(problems)
    refuse(mixed_rates(good, readings))
    if not good:
        raise _nothing_left("the corpus", utterances, problems)
    return good, problems


def screen_corpus(
    corpus: Corpus, expected: Expected, on_bad: Literal["error", "skip"], read: Read | None = None
) -> tuple[Corpus, list[Problem]]:
    """`corpus` with its parts screened together, since ids and rates must fit across them.

    Raises UserError as `screen` does, and where a part is left without an utterance.
    """
    everything = [u for utterances in corpus.parts.values() for u in utterances]
    good, problems = screen(everything, expected, on_bad, read, test_ids(corpus))
    kept = {u.id for u in good}
    parts = {part: [u for u in us if u.id in kept] for part, us in corpus.parts.items()}
    for part, utterances in parts.items():
        if not utterances:
            raise _nothing_left(f"part {part}", corpus.parts[part], problems)
    return replace(corpus, parts=parts), problems


def test_ids(corpus: Corpus) -> frozenset[str]:
    """The ids of the utterances in test parts."""
    return frozenset(u.id for part in corpus.tests for u in corpus.parts[part])


def refuse(problems: Iterable[Problem]) -> None:
    """Raise UserError with the first problem, where there is one, and the number of the others."""
    if found := list(problems):
        raise UserError(f"{found[0]}" + (f" (and {len(found) - 1} more)" if found[1:] else ""))


def _nothing_left(what: str, utterances: Sequence[Utterance], problems: Sequence[Problem]) -> UserError:
    places = {_place(u) for u in utterances}
    first = next((f"; the first problem: {problem}" for problem in problems if problem.where in places), "")
    return UserError(f"{what} has no utterance left of {len(utterances)}; expected at least one{first}")


def _place(utterance: Utterance) -> str:
    """Where an utterance comes from, as its problems say it."""
    return utterance.where or utterance.id
