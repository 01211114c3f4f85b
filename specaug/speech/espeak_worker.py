"""One voice of eSpeak NG, alone in its process: `python espeak_worker.py LIBRARY DATA < job.json > samples`.

A program of its own, which imports nothing of this package: it starts in milliseconds, and the state that
eSpeak carries from one text to the next depends on the job alone, so that a job gives the same bytes each time.

The job is `{"voice": "gmw/en-US+f2", "lines": [[text, words per minute], ...]}`. Each line comes out as
its number of bytes (four bytes, native order) and its samples (16 bits, native order, 22,050 Hz).
"""

import ctypes
import json
import struct
import sys
from typing import BinaryIO

SYNCHRONOUS = 2  # espeak_AUDIO_OUTPUT: samples go to the callback, and espeak_Synth waits
SPEED = 1  # espeak_PARAMETER: words per minute
UTF8 = 1  # espeakCHARS_UTF8
CHARACTERS = 1  # espeak_POSITION_TYPE
RATE = 22_050  # Hz
SEED = 1

Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


def main(library: str, data: str, source: BinaryIO, sink: BinaryIO) -> None:
    """Speak the job that `source` holds into `sink`."""
    espeak = ctypes.CDLL(library)
    job = json.load(source)
    pieces: list[bytes] = []

    def keep(samples: int | None, count: int, _events: int | None) -> int:
        # The samples are eSpeak's own memory, which it writes over as soon as this returns.
        if samples and count:
            pieces.append(ctypes.string_at(samples, 2 * count))
        return 0

    callback = Callback(keep)
    rate = espeak.espeak_Initialize(SYNCHRONOUS, 0, data.encode(), 0)
    if rate != RATE:
        sys.exit(f"eSpeak NG answered {rate} Hz to its start with {data}; expected {RATE}")
    # Its start seeds eSpeak with the second of the day; the seed is set again to undo that.
    espeak.espeak_ng_SetRandSeed(ctypes.c_long(SEED))
    espeak.espeak_SetSynthCallback(callback)
    if espeak.espeak_SetVoiceByName(job["voice"].encode()):
        sys.exit(f"eSpeak NG has no voice {job['voice']!r}")
    for text, speed in job["lines"]:
        espeak.espeak_SetParameter(SPEED, speed, 0)
        raw = text.encode()
        if espeak.espeak_Synth(raw, ctypes.c_size_t(len(raw) + 1), 0, CHARACTERS, 0, UTF8, None, None):
            sys.exit(f"eSpeak NG could not speak {text!r}")
        spoken = b"".join(pieces)
        pieces.clear()
        sink.write(struct.pack("=I", len(spoken)) + spoken)
    sink.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.stdin.buffer, sys.stdout.buffer)
