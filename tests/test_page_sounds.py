import base64
import io
import zlib

import numpy as np
import pytest
import soundfile
from pages import corpus_of, finished, places

from specaug.speech.audio import read_audio
from specaug.speech.options import Features
from specaug.speech.prepare import compute
from specaug.study.page.sounds import (
    COLUMNS,
    LEVELS,
    PLAYED,
    envelope,
    palette,
    picture,
    played,
    sound,
    voices,
)
from specaug.study.picture import SHADES
from specaug.study.results import find_runs

OPTIONS = Features(mel=32)


@pytest.fixture(scope="module")
def utterance(tiny, tmp_path_factory):
    return corpus_of(tiny, tmp_path_factory.mktemp("sounds"))[1].parts["test"][0]


def test_a_picture_holds_the_features_to_within_half_a_level(utterance):
    rows, _ = compute(utterance, OPTIONS)
    block = sound(utterance, OPTIONS)
    levels = np.frombuffer(zlib.decompress(base64.b64decode(block["picture"])), np.uint8)
    low, high = SHADES
    shown = levels.reshape(rows.shape) * (high - low) / (LEVELS - 1) + low
    assert (block["frames"], block["mel"]) == rows.shape
    assert np.abs(shown - rows.clip(low, high)).max() <= (high - low) / (LEVELS - 1) / 2 + 1e-6
    assert len(set(palette())) == LEVELS


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_what_is_played_is_what_was_recorded_sample_for_sample(rate):
    time = np.arange(2 * rate) / rate
    wave = (0.4 * np.sin(2 * np.pi * 300 * time * (1 + 0.3 * time))).astype(np.float32)
    kind, _, text = played(wave, rate).partition(";base64,")
    heard, there = soundfile.read(io.BytesIO(base64.b64decode(text)), dtype="float32")
    assert kind == "data:audio/mpeg"
    assert (there, len(heard)) == (rate, len(wave))
    assert np.corrcoef(heard, wave)[0, 1] > 0.99  # a shift by two samples would break this
    assert len(text) < 2 * len(wave) / 3


def test_at_a_rate_that_mp3_does_not_have_it_is_flac():
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 3000).astype(np.float32)
    kind, _, text = played(wave, 10_000).partition(";base64,")
    heard, there = soundfile.read(io.BytesIO(base64.b64decode(text)), dtype="float32")
    assert (kind, there) == ("data:audio/flac", 10_000)
    assert 10_000 not in PLAYED
    np.testing.assert_allclose(heard, wave, atol=1e-4)


def test_a_column_of_the_waveform_reaches_from_its_lowest_to_its_highest_sample():
    rate, frames, shift = 8000, 30, 0.01
    wave = np.random.default_rng(1).uniform(-0.2, 0.2, 2600).astype(np.float32)
    told = np.frombuffer(base64.b64decode(envelope(wave, rate, frames, shift)), np.int8).reshape(-1, 2)
    size = int(rate * shift) // COLUMNS
    expected = wave[: frames * COLUMNS * size].reshape(-1, size)
    loudest = np.abs(expected).max()
    assert len(told) == frames * COLUMNS
    np.testing.assert_allclose(told[:, 0], 127 * expected.min(axis=1) / loudest, atol=0.51)
    np.testing.assert_allclose(told[:, 1], 127 * expected.max(axis=1) / loudest, atol=0.51)


def test_silence_is_not_blown_up():
    told = envelope(np.full(800, 1e-5, np.float32), 8000, 5, 0.01)
    assert np.abs(np.frombuffer(base64.b64decode(told), np.int8)).max() <= 2


def test_an_utterance_whose_file_cannot_be_read_has_no_sound(utterance, tmp_path):
    from dataclasses import replace

    assert sound(replace(utterance, audio=tmp_path / "none.wav"), OPTIONS) is None


def test_features_without_audio_are_seen_and_not_heard(utterance, tmp_path):
    from dataclasses import replace

    rows = np.random.default_rng(2).normal(size=(40, 32)).astype(np.float32)
    np.save(tmp_path / "a.npy", rows)
    block = sound(replace(utterance, audio=None, features=tmp_path / "a.npy", duration=0.4), OPTIONS)
    assert set(block) == {"frames", "mel", "shift", "window", "picture"}
    levels = np.frombuffer(zlib.decompress(base64.b64decode(block["picture"])), np.uint8)
    assert len(levels) == rows.size
    assert block["picture"] == picture(
        compute(replace(utterance, audio=None, features=tmp_path / "a.npy"), OPTIONS)[0]
    )


def test_the_corpus_of_the_runs_is_opened(tiny, tmp_path):
    results = find_runs([finished(tiny, tmp_path, seeds=(0,))]).finished
    found = voices(results, places(tiny, tmp_path), lambda *_: None)
    assert found.why == ""
    assert [u.id for u in found.trained(0, 2)] == ["train-0", "train-1"]
    wave, _ = read_audio(found.utterances(0)["test-1"])
    assert len(wave)


def test_another_corpus_than_that_of_the_runs_is_not_shown(tiny, tmp_path):
    folder = finished(tiny, tmp_path, seeds=(0,))
    for file in folder.glob("*/result.json"):
        file.write_text(file.read_text().replace('"fingerprint": "', '"fingerprint": "0'))
    found = voices(find_runs([folder]).finished, places(tiny, tmp_path), lambda *_: None)
    assert not found.corpora
    assert "expected 0" in found.why


def test_why_a_corpus_cannot_be_opened_is_one_line(tiny, tmp_path):
    results = find_runs([finished(tiny, tmp_path, seeds=(0,))]).finished
    found = voices(results, places(tmp_path, tmp_path), lambda *_: None)
    assert not found.corpora
    assert "train.jsonl" in found.why
    assert "\n" not in found.why
