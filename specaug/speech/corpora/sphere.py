"""Telephone calls in NIST SPHERE files: two channels, one for each side."""

import re
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from specaug.errors import UserError
from specaug.speech.audio import opened

RATE = 8000  # Hz
HEADER = 1024  # bytes, in which the fields of such a file's header stand
FIELD = re.compile(rb"^(sample_coding|sample_count) -\w+ (\S+)", re.MULTILINE)

Call = NDArray[np.int16]  # (samples, 2)


def check_call(path: Path) -> None:
    """Raise UserError where a file is missing, compressed, cut short, or no call over the telephone; only its header is read."""
    coding, count = _header(path)
    if "," in coding:
        raise UserError(
            f"{path}: its samples are {coding}, which cannot be read here; "
            f"expected it decompressed: sph2pipe -f sph {path.name} OUT.sph"
        )
    with opened(path, "") as file:
        channels, rate, there = file.channels, file.samplerate, file.frames
    if (channels, rate) != (2, RATE):
        raise UserError(f"{path}: {channels} channels at {rate} Hz; expected 2 channels at {RATE} Hz")
    if not 0 < there >= count:
        raise UserError(f"{path}: cut short: {there} samples of {count} in each channel")


def read_call(path: Path) -> Call:
    """Both sides of a call that is in order, (samples, 2), at 8 kHz."""
    with opened(path, "") as file:
        return np.asarray(file.read(dtype="int16"))


def _header(path: Path) -> tuple[str, int]:
    """How the samples are coded, and how many there are in each channel, by the header; nothing where it says nothing."""
    try:
        with path.open("rb") as file:
            start = file.read(HEADER)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    if not start.startswith(b"NIST"):
        return "", 0
    fields = {name.decode(): value.decode("latin-1") for name, value in FIELD.findall(start)}
    count = fields.get("sample_count", "0")
    return fields.get("sample_coding", ""), int(count) if count.isdigit() else 0


def write_side(path: Path, samples: NDArray[np.int16]) -> None:
    """Write one side of a call as FLAC, which keeps every bit of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE, format="FLAC", subtype="PCM_16")
