"""The sound of some utterances: what is played, the waveform, and the spectrogram that the network is given."""

import base64
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import soundfile
import torch
from matplotlib.colors import to_hex

from specaug.errors import UserError
from specaug.speech.audio import read_audio
from specaug.speech.corpus import TRAIN, Corpus
from specaug.speech.kinds import Tell, Wave
from specaug.speech.manifest import Utterance, fingerprint
from specaug.speech.options import Features
from specaug.speech.prepare import Rows, compute
from specaug.study.corpora import open_corpus
from specaug.study.load import load
from specaug.study.picture import COLOURS, SHADES, Spoken, ticks
from specaug.study.places import Places
from specaug.study.recipe import Recipe
from specaug.study.results import RECIPE, Result

LEVELS = 64  # of a spectrogram: more are not told apart, and take more room
QUIETEST = 1e-3  # what is not louder is not blown up
COLUMNS = 2  # of the waveform in a frame
PLAYED = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # Hz that MP3 has


@dataclass(frozen=True, slots=True)
class Voices:
    """The corpora of a comparison by fold, and the recipe of a run on each; or, in one line, why there are none."""

    corpora: Mapping[int, Corpus]
    recipes: Mapping[int, Recipe]
    why: str = ""

    def utterances(self, fold: int) -> dict[str, Utterance]:
        """All utterances of a fold by id."""
        return {u.id: u for part in self.corpora[fold].parts.values() for u in part}

    def trained(self, fold: int, count: int) -> Sequence[Utterance]:
        """The first of the utterances that a fold was trained on."""
        return self.corpora[fold].parts[TRAIN][:count]


def voices(results: Sequence[Result], places: Places, tell: Tell) -> Voices:
    """The corpus of each fold, opened; it must be the one that the runs were made with."""
    corpora: dict[int, Corpus] = {}
    recipes: dict[int, Recipe] = {}
    try:
        for fold, result in sorted({result.fold: result for result in results}.items()):
            recipes[fold] = load(result.folder / RECIPE).run()
            corpora[fold] = open_corpus(recipes[fold].corpus, places, tell)
            found = fingerprint(u for part in corpora[fold].parts.values() for u in part)
            if found != result.fingerprint:
                raise UserError(
                    f"{result.folder}: the corpus there is now is {found}; expected {result.fingerprint}"
                )
    except UserError as error:
        return Voices({}, {}, str(error))
    return Voices(corpora, recipes)


def sound(utterance: Utterance, options: Features) -> dict[str, Any] | None:
    """An utterance as the page shows and plays it; None where its file cannot be read or is too short."""
    rows, reading = compute(utterance, options)
    if reading.fault or not len(rows):
        return None
    framing = {"mel": options.mel, "shift": options.shift, "window": options.window}
    block: dict[str, Any] = {"frames": len(rows), **framing}
    block["picture"] = picture(rows)
    if utterance.audio is not None and reading.rate:
        wave, rate = read_audio(utterance)
        block["ticks"] = list(zip(*ticks(Spoken("", torch.from_numpy(rows), options, rate)), strict=True))
        block["wave"] = envelope(wave, rate, len(rows), options.shift)
        block["audio"] = played(wave, rate)
    return block


def picture(rows: Rows) -> str:
    """Features (frames, mel) as levels of one byte each, frame by frame, compressed (zlib), in base64."""
    low, high = SHADES
    levels = np.clip(np.round((rows - low) / (high - low) * (LEVELS - 1)), 0, LEVELS - 1)
    return base64.b64encode(zlib.compress(levels.astype(np.uint8).tobytes(), 9)).decode()


def envelope(wave: Wave, rate: int, frames: int, shift: float) -> str:
    """The lowest and the highest sample of each column of the waveform, in 127ths of the loudest, one signed byte each, in base64."""
    edges = np.round(np.arange(frames * COLUMNS + 1) * shift / COLUMNS * rate).astype(int)
    pieces = [wave[a : max(a + 1, b)] for a, b in pairwise(edges)]
    ends = np.array([(piece.min(initial=0.0), piece.max(initial=0.0)) for piece in pieces])
    loudest = max(float(np.abs(ends).max()), QUIETEST)
    return base64.b64encode(np.round(127 / loudest * ends).astype(np.int8).tobytes()).decode()


def played(wave: Wave, rate: int) -> str:
    """The audio as a data URL: MP3, which every browser plays; FLAC at rates that MP3 does not have."""
    kind, subtype, mime = ("MP3", "MPEG_LAYER_III", "mpeg") if rate in PLAYED else ("FLAC", "PCM_16", "flac")
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=kind, subtype=subtype)
    return f"data:audio/{mime};base64,{base64.b64encode(file.getvalue()).decode()}"


def palette() -> list[str]:
    """The colour of each level, as in `specaug show`."""
    return [to_hex(colour) for colour in mpl.colormaps[COLOURS](np.linspace(0, 1, LEVELS))]
