"""Digits from the Free Spoken Digit Dataset (Jackson et al.): real speech at 8 kHz.

Six speakers, fifty recordings of each digit by each. A string joins recordings of one speaker with short
pauses; `single` is each recording on its own. The parts: `train` (four speakers, recordings 5-49), `dev` (the same
speakers, recordings 0-4), `unseen` (the other two speakers) and `noisy` (what `unseen` says, with noise of 5-20 dB). With
`dev_speaker` the fourth training speaker is heard in `dev` alone, so that policies can be chosen for speakers nobody has heard.

With `speakers: known` all six train, and the recordings are split as the data set has it: 0-4 are `test` (and `noisy`), the
rest is for training, of which 5-9 are `dev` here.
"""

import hashlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from specaug.errors import UserError
from specaug.speech.audio import read_wave, write_audio
from specaug.speech.chance import generator
from specaug.speech.corpora.options import Fsdd, content
from specaug.speech.corpus import DEV, TRAIN, Corpus, build_once, check_disjoint
from specaug.speech.kinds import Tell, Wave
from specaug.speech.manifest import Utterance, Value
from specaug.speech.noise import COLOURS, add_noise

Recordings = dict[tuple[int, str, int], Wave]  # by digit, speaker, take

VERSION = 1  # of this builder: another one gets another folder
RATE = 8000  # Hz
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RECORDINGS = 50  # of each digit by each speaker
HELD_OUT = 5  # the first recordings: never in train
FIRST_KNOWN = 10  # where all speakers are known, the first recording of train: those before are test and dev
PAUSE = (0.02, 0.20)  # seconds between two digits
LENGTHS = {"short": (3, 7), "long": (15, 25), "mixed": (3, 25)}  # digits
SINGLE, KNOWN, NOISY = "single", "known", "noisy"
SNR = (5.0, 20.0)  # dB


def fsdd(options: Fsdd, data: Path, cache: Path, progress: Tell = lambda *_: None) -> Corpus:
    """The corpus, built once under `cache` from `data/free-spoken-digit-dataset/recordings`.

    Raises UserError where the recordings are not there.
    """
    source = data / "free-spoken-digit-dataset" / "recordings"
    text = content(options, VERSION)
    folder = cache / f"fsdd-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if not (folder / "corpus.json").is_file() and not source.is_dir():
        raise UserError(
            f"{source}: no such folder; give the data folder with --data DIR or SPECAUG_DATA, "
            f"or fetch the recordings with `specaug data fsdd --download --data {shlex.quote(str(data))}`"
        )
    return build_once(folder, lambda partial: _write(options, source, partial, progress))


@dataclass(frozen=True)
class Share:
    """What a part is made of."""

    count: int  # strings; single recordings are all taken
    speakers: tuple[str, ...]
    takes: range  # of each digit by each speaker
    drawn_as: str = ""  # the part whose strings these are, where that is another


def _write(options: Fsdd, source: Path, folder: Path, progress: Tell) -> Corpus:
    recordings = _read_recordings(source, progress)
    plan = _known(options) if options.speakers == KNOWN else _disjoint(options)
    parts: dict[str, list[Utterance]] = {}
    for part, share in plan.items():
        parts[part] = []
        for string in _strings(options, part, share):
            wave = string.spoken(recordings)
            path = folder / part / f"{string.id}.wav"
            write_audio(path, wave, RATE)
            parts[part].append(string.utterance(path, len(wave) / RATE))
        progress(f"fsdd {part}", len(parts), len(plan))
    corpus = Corpus("fsdd", _title(options), False, parts)
    apart = () if options.speakers == KNOWN else corpus.tests
    check_disjoint(corpus, apart=(*apart, *([DEV] if options.dev_speaker else [])))
    return corpus


def _disjoint(options: Fsdd) -> dict[str, Share]:
    """The parts where two speakers are tested whom training never hears."""
    unseen = SPEAKERS[2 * options.fold : 2 * options.fold + 2]
    seen = tuple(speaker for speaker in SPEAKERS if speaker not in unseen)
    train, dev, test = range(HELD_OUT, RECORDINGS), range(HELD_OUT), range(RECORDINGS)
    trained, heard = (seen[:-1], (seen[-1:], test)) if options.dev_speaker else (seen, (seen, dev))
    tested = Share(options.test, unseen, test, "unseen")
    return {
        TRAIN: Share(options.train, trained, train),
        DEV: Share(options.dev, *heard),
        "unseen": tested,
        NOISY: tested,
    }


def _known(options: Fsdd) -> dict[str, Share]:
    """The parts where all speakers train."""
    tested = Share(options.test, SPEAKERS, range(HELD_OUT), "test")
    return {
        TRAIN: Share(options.train, SPEAKERS, range(FIRST_KNOWN, RECORDINGS)),
        DEV: Share(options.dev, SPEAKERS, range(HELD_OUT, FIRST_KNOWN)),
        "test": tested,
        NOISY: tested,
    }


def _title(options: Fsdd) -> str:
    if options.strings == SINGLE:
        what = "single digits"
    else:
        what = f"strings of {'-'.join(map(str, LENGTHS[options.strings]))} digits"
    return f"FSDD, {what}{' of known speakers' if options.speakers == KNOWN else ''}: real speech"


@dataclass(frozen=True)
class DigitString:
    """Which recordings are joined, by whom, with which pauses and which noise."""

    id: str
    speaker: str
    digits: list[int]
    takes: list[int]  # which recording of each digit
    pauses: list[float]  # seconds after each digit
    snr: float | None = None  # dB
    noise: str = ""

    def spoken(self, recordings: Recordings) -> Wave:
        """The samples, at 8 kHz."""
        pieces: list[Wave] = []
        for digit, take, pause in zip(self.digits, self.takes, self.pauses, strict=True):
            pieces += [recordings[digit, self.speaker, take], np.zeros(round(pause * RATE), np.float32)]
        wave = np.concatenate(pieces)
        return (
            wave if self.snr is None else add_noise(wave, self.snr, self.noise, generator("noise", self.id))
        )

    def utterance(self, path: Path, duration: float) -> Utterance:
        """The line of the manifest."""
        single = len(self.digits) == 1  # no string is so short
        columns: dict[str, Value] = {"digit": self.digits[0]} if single else {"digits": len(self.digits)}
        columns |= {} if self.snr is None else {"snr": round(self.snr, 2), "noise": self.noise}
        text = " ".join(DIGITS[digit] for digit in self.digits)
        return Utterance(
            id=self.id, text=text, speaker=self.speaker, duration=duration, audio=path, columns=columns
        )


def _strings(options: Fsdd, part: str, share: Share) -> Iterator[DigitString]:
    """The strings of a part, or its single recordings; `noisy` says what the clean test part says."""
    if options.strings == SINGLE:
        for speaker, digit, take in product(share.speakers, range(len(DIGITS)), share.takes):
            name = f"fsdd-{SINGLE}-{_split(options)}-{part}-{digit}_{speaker}_{take}"
            string = DigitString(name, speaker, [digit], [take], [0.0])
            yield _noisy(string, generator(VERSION, name)) if part == NOISY else string
    else:
        for number in range(share.count):
            yield _draw_string(options, part, share, number)


def _draw_string(options: Fsdd, part: str, share: Share, number: int) -> DigitString:
    """String `number` of a part; the speakers take turns."""
    kind, split = options.strings, _split(options)
    chance = generator("fsdd", VERSION, kind, split, share.drawn_as or part, number)
    count = int(chance.integers(LENGTHS[kind][0], LENGTHS[kind][1], endpoint=True))
    string = DigitString(
        id=f"fsdd-{kind}-{split}-{part}-{number:05d}",
        speaker=share.speakers[number % len(share.speakers)],
        digits=chance.integers(0, len(DIGITS), count).tolist(),
        takes=chance.integers(share.takes.start, share.takes.stop, count).tolist(),
        pauses=chance.uniform(*PAUSE, count).tolist(),
    )
    return _noisy(string, chance) if part == NOISY else string


def _noisy(string: DigitString, chance: np.random.Generator) -> DigitString:
    return replace(string, snr=float(chance.uniform(*SNR)), noise=str(chance.choice(list(COLOURS))))


def _split(options: Fsdd) -> int | str:
    """Which recordings are in which part, as ids say it."""
    return KNOWN if options.speakers == KNOWN else options.fold


def _read_recordings(source: Path, progress: Tell) -> Recordings:
    """Every recording, from files called <digit>_<speaker>_<take>.wav."""
    recordings: Recordings = {}
    for done, speaker in enumerate(SPEAKERS, 1):
        for digit in range(len(DIGITS)):
            for take in range(RECORDINGS):
                path = source / f"{digit}_{speaker}_{take}.wav"
                wave, rate = read_wave(path)
                if rate != RATE:
                    raise UserError(f"{path}: sample rate is {rate} Hz; expected {RATE} Hz")
                recordings[digit, speaker, take] = wave
        progress("fsdd recordings", done, len(SPEAKERS))
    return recordings
