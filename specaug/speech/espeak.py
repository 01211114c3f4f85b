"""Speech from text by eSpeak NG, in a process of its own for every voice (see `espeak_worker`)."""

import importlib
import json
import struct
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np

from specaug.errors import UserError, installing
from specaug.speech.kinds import Wave

RATE = 22_050  # Hz
WORKER = Path(__file__).with_name("espeak_worker.py")


def library() -> tuple[str, str]:
    """The paths of eSpeak NG's shared library and of its data. Raises UserError where it is not installed."""
    try:
        loader = importlib.import_module("espeakng_loader")
    except ImportError:
        raise UserError(
            f"eSpeak NG: package espeakng-loader is not installed; expected it ({installing('tts')})"
        ) from None
    return loader.get_library_path(), loader.get_data_path()


def speak(voice: str, lines: Sequence[tuple[str, int]]) -> Generator[Wave, None, None]:
    """The samples (RATE Hz, in [-1, 1]) of each line of (text, words per minute), as they are spoken.

    The same voice and lines give the same samples; a line alone gives other samples than it gives after
    others. Raises UserError where eSpeak NG is not installed, and RuntimeError with what it said where it
    fails.
    """
    # Isolated and without site-packages: the worker needs the standard library alone, and starts in 20 ms.
    command = [sys.executable, "-I", "-S", str(WORKER), *library()]
    with tempfile.TemporaryFile() as job, tempfile.TemporaryFile() as complaint:
        job.write(json.dumps({"voice": voice, "lines": lines}).encode())
        job.seek(0)
        with subprocess.Popen(command, stdin=job, stdout=subprocess.PIPE, stderr=complaint) as worker:
            assert worker.stdout is not None
            try:
                for _ in lines:
                    head = worker.stdout.read(4)
                    size = struct.unpack("=I", head)[0] if len(head) == 4 else 0
                    raw = worker.stdout.read(size)
                    if len(head) < 4 or len(raw) < size:
                        worker.wait()
                        break
                    yield np.frombuffer(raw, dtype=np.int16).astype(np.float32) / np.float32(32768)
                else:
                    return
            finally:
                worker.kill()  # does nothing to one that has ended
        complaint.seek(0)
        said = complaint.read().decode(errors="replace").strip()
        raise RuntimeError(f"voice {voice}: {said or f'the worker left with status {worker.returncode}'}")
