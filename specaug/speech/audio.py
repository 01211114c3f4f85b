"""Reading and writing audio through soundfile (libsndfile): WAV, FLAC, Ogg."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from specaug.errors import UserError
from specaug.speech.kinds import Wave
from specaug.speech.manifest import LONGEST, Utterance

SLACK = 0.05  # seconds by which a file may fall short of the duration in the manifest, or in its own header
STREAMED = 0x7FFFF000  # bytes from which a header says that its writer did not know the length
# libsndfile's word for the samples of a WAV, AIFF or AU file of which there are fewer than the header says
FEWER = re.compile(r"^ *(?:data|SSND|Data Size) *: (\d+) \(should be (\d+)\)$", re.MULTILINE)


def read_audio(utterance: Utterance) -> tuple[Wave, int]:
    """The samples of an utterance, in [-1, 1] and averaged to one channel, and its sample rate in Hz.

    Raises UserError where the file is missing, empty, cut short, or holds something that is no number.
    """
    assert utterance.audio is not None
    return read_wave(utterance.audio, utterance.offset, utterance.duration, utterance.where or utterance.id)


def read_wave(
    path: Path, offset: float = 0.0, duration: float | None = None, where: str = ""
) -> tuple[Wave, int]:
    """`duration` seconds of a file from `offset` seconds on, all of it by default, and its sample rate."""
    with opened(path, where) as file:
        at, rate = named(path, where), file.samplerate
        wanted = length_of(file, at) - offset if duration is None else duration
        file.seek(min(round(offset * rate), file.frames))
        wave = file.read(round(wanted * rate), dtype="float32", always_2d=True)
    if not len(wave):
        raise UserError(f"{at} has no samples at {offset} s")
    if len(wave) / rate < wanted - SLACK:
        raise UserError(f"{at} is cut short: {len(wave) / rate:.2f} s of {wanted:.2f} s")
    if not np.isfinite(wave).all():
        raise UserError(f"{at} holds NaN or infinity; expected samples in [-1, 1]")
    return np.asarray(wave.mean(axis=1), dtype=np.float32), rate


def seconds(path: Path, where: str = "") -> float:
    """The length of an audio file by its header. Raises UserError where it is missing, says none, or is cut short."""
    with opened(path, where) as file:
        length = length_of(file, at := named(path, where))
        if not reaches(file, max(0, file.frames - 1 - round(SLACK * file.samplerate))):
            raise UserError(f"{at} is cut short: its header says {length:.2f} s")
    return length


def length_of(file: soundfile.SoundFile, at: str) -> float:
    """The seconds that a header says. Raises UserError where it says none."""
    length = file.frames / file.samplerate
    if not 0 < length <= LONGEST:
        raise UserError(f"{at} has a length of {length} s; expected 0 to {LONGEST:.0f}")
    return float(length)


def reaches(file: soundfile.SoundFile, frame: int) -> bool:
    """Whether a frame can be read: of a FLAC or MP3 that is cut short nothing else tells."""
    try:
        file.seek(frame)
        return len(file.read(1)) > 0
    except soundfile.SoundFileError:
        return False


@contextmanager
def opened(path: Path, where: str) -> Iterator[soundfile.SoundFile]:
    """An audio file of which all is there as far as its header tells; what goes wrong with it is a UserError."""
    at = named(path, where)
    if not path.is_file():
        raise UserError(f"{at} does not exist")
    if not path.stat().st_size:
        raise UserError(f"{at} is empty (0 bytes)")
    try:
        with soundfile.SoundFile(path) as file:
            if cut := FEWER.search(file.extra_info):
                said, there = map(int, cut.groups())
                if said < STREAMED and (said - there) * file.frames > SLACK * file.samplerate * there:
                    raise UserError(f"{at} is cut short: {there} of {said} bytes")
            yield file
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: a .raw file, which has no header
        reason = getattr(error, "error_string", error)
        raise UserError(f"{at} cannot be read: {reason}") from None


def named(path: Path, where: str) -> str:
    """A file as messages name it, and where it was named."""
    return f"{where}: audio file {path}" if where else f"audio file {path}"


def write_audio(path: Path, wave: Wave, rate: int) -> None:
    """Write one channel of 16-bit samples; the format follows the file's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate, subtype="PCM_16")
