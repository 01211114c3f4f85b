"""Connected digit strings from the Free Spoken Digit Dataset (Jackson et al.): real speech at 8 kHz.

Six speakers, fifty recordings of each digit by each. A string joins recordings of one speaker with short
pauses. The parts: `train` (four speakers, recordings 5-49), `dev` (the same speakers, recordings 0-4),
`unseen` (the other two speakers) and `noisy` (the strings of `unseen` with noise of 5-20 dB). With `dev_speaker`
the fourth training speaker is heard in `dev` alone, so that policies can be chosen for speakers nobody has heard.
"""

import hashlib
import shlex
from dataclasses import dataclass, replace
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
PAUSE = (0.02, 0.20)  # seconds between two digits
LENGTHS = {"short": (3, 7), "long": (15, 25), "mixed": (3, 25)}  # digits
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


def _write(options: Fsdd, source: Path, folder: Path, progress: Tell) -> Corpus:
    recordings = _read_recordings(source, progress)
    unseen = SPEAKERS[2 * options.fold : 2 * options.fold + 2]
    seen = tuple(speaker for speaker in SPEAKERS if speaker not in unseen)
    train, dev, test = range(HELD_OUT, RECORDINGS), range(HELD_OUT), range(RECORDINGS)
    trained, known = (seen[:-1], (seen[-1:], test)) if options.dev_speaker else (seen, (seen, dev))
    plan = {
        TRAIN: (options.train, trained, train),
        DEV: (options.dev, *known),
        "unseen": (options.test, unseen, test),
        "noisy": (options.test, unseen, test),
    }
    parts: dict[str, list[Utterance]] = {}
    for part, (count, speakers, takes) in plan.items():
        parts[part] = []
        for number in range(count):
            string = _draw_string(options, part, number, speakers[number % len(speakers)], takes)
            wave = string.spoken(recordings)
            path = folder / part / f"{string.id}.wav"
            write_audio(path, wave, RATE)
            parts[part].append(string.utterance(path, len(wave) / RATE))
        progress(f"fsdd {part}", len(parts), len(plan))
    title = f"FSDD, strings of {'-'.join(map(str, LENGTHS[options.strings]))} digits: real speech"
    corpus = Corpus("fsdd", title, False, parts)
    check_disjoint(corpus, apart=(*corpus.tests, *([DEV] if options.dev_speaker else [])))
    return corpus


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
        columns: dict[str, Value] = {"digits": len(self.digits)}
        columns |= {} if self.snr is None else {"snr": round(self.snr, 2), "noise": self.noise}
        text = " ".join(DIGITS[digit] for digit in self.digits)
        return Utterance(
            id=self.id, text=text, speaker=self.speaker, duration=duration, audio=path, columns=columns
        )


def _draw_string(options: Fsdd, part: str, number: int, speaker: str, takes: range) -> DigitString:
    """String `number` of a part; the strings of `noisy` are those of `unseen`."""
    kind, fold = options.strings, options.fold
    chance = generator("fsdd", VERSION, kind, fold, "unseen" if part == "noisy" else part, number)
    count = int(chance.integers(LENGTHS[kind][0], LENGTHS[kind][1], endpoint=True))
    string = DigitString(
        id=f"fsdd-{kind}-{fold}-{part}-{number:05d}",
        speaker=speaker,
        digits=chance.integers(0, len(DIGITS), count).tolist(),
        takes=chance.integers(takes.start, takes.stop, count).tolist(),
        pauses=chance.uniform(*PAUSE, count).tolist(),
    )
    if part != "noisy":
        return string
    return replace(string, snr=float(chance.uniform(*SNR)), noise=str(chance.choice(list(COLOURS))))


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
