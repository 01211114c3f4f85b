"""Reading and writing audio through soundfile (libsndfile): WAV, FLAC, Ogg."""

from pathlib import Path

import numpy as np
import soundfile

from specaug.errors import UserError
from specaug.speech.kinds import Wave
from specaug.speech.manifest import LONGEST, Utterance

SLACK = 0.05  # seconds by which a file may fall short of the duration in the manifest


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
    at = f"{where}: " if where else ""
    if not path.is_file():
        raise UserError(f"{at}audio file {path} does not exist")
    if not path.stat().st_size:
        raise UserError(f"{at}audio file {path} is empty (0 bytes)")
    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            file.seek(min(round(offset * rate), file.frames))
            count = -1 if duration is None else round(duration * rate)
            wave = file.read(count, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: a .raw file, which has no header
        reason = getattr(error, "error_string", error)
        raise UserError(f"{at}audio file {path} cannot be read: {reason}") from None
    if not len(wave):
        raise UserError(f"{at}audio file {path} has no samples at {offset} s")
    if duration is not None and len(wave) / rate < duration - SLACK:
        raise UserError(f"{at}audio file {path} is cut short: {len(wave) / rate:.2f} s of {duration:.2f} s")
    if not np.isfinite(wave).all():
        raise UserError(f"{at}audio file {path} holds NaN or infinity; expected samples in [-1, 1]")
    return np.asarray(wave.mean(axis=1), dtype=np.float32), rate


def seconds(path: Path, where: str = "") -> float:
    """The length of an audio file by its header. Raises UserError where it is missing or says none."""
    at = f"{where}: " if where else ""
    if not path.is_file():
        raise UserError(f"{at}audio file {path} does not exist")
    try:
        length = float(soundfile.info(path).duration)
    except (soundfile.SoundFileError, TypeError) as error:
        reason = getattr(error, "error_string", error)
        raise UserError(f"{at}audio file {path} cannot be read: {reason}") from None
    if not 0 < length <= LONGEST:
        raise UserError(f"{at}audio file {path} has a length of {length} s; expected 0 to {LONGEST:.0f}")
    return length


def write_audio(path: Path, wave: Wave, rate: int) -> None:
    """Write one channel of 16-bit samples; the format follows the file's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate, subtype="PCM_16")
