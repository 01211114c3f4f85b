from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st

from specaug.errors import UserError
from specaug.speech.audio import read_audio, read_wave, seconds, write_audio
from specaug.speech.manifest import Utterance

RATE = 8000


def utterance(audio: Path, **fields: object) -> Utterance:
    given = {"id": "u", "text": "one", "speaker": "s", "duration": 1.0, "where": "m.jsonl:3"} | fields
    return Utterance(audio=audio, **given)


def ramp(samples: int = RATE) -> np.ndarray:
    """Every sample differs from its neighbours by more than a step of 16 bits."""
    return np.linspace(-0.9, 0.9, samples, dtype=np.float32)


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_what_is_written_is_read_to_a_step_and_a_half_of_sixteen_bits(tmp_path, ending):
    path = tmp_path / "new" / f"a.{ending}"
    write_audio(path, ramp(), RATE)
    wave, rate = read_audio(utterance(path))
    assert (rate, wave.dtype) == (RATE, np.float32)
    # libsndfile writes x * 32767 to the nearest step, and reads steps as 1/32768.
    assert np.abs(wave - ramp()).max() <= 1.5 / 32768


@example(offset=1001, samples=10)  # 1001 / RATE * RATE is a little less than 1001
@given(offset=st.integers(0, RATE - 1), samples=st.integers(1, RATE))
def test_an_offset_and_a_duration_cut_out_that_stretch(tmp_path_factory, offset, samples):
    path = tmp_path_factory.getbasetemp() / "stretch.wav"
    if not path.exists():
        write_audio(path, ramp(), RATE)
    samples = min(samples, RATE - offset)
    whole, _ = read_wave(path)
    wave, _ = read_wave(path, offset / RATE, samples / RATE)
    assert np.array_equal(wave, whole[offset : offset + samples])


def test_channels_are_averaged(tmp_path):
    left, right = ramp(), np.full(RATE, 0.5, np.float32)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), RATE, subtype="FLOAT")
    wave, _ = read_audio(utterance(tmp_path / "a.wav"))
    assert np.array_equal(wave, (left + right) / 2)


def test_a_file_may_fall_short_by_rounding_and_no_more(tmp_path):
    write_audio(tmp_path / "a.wav", ramp(), RATE)
    assert len(read_audio(utterance(tmp_path / "a.wav", duration=1.04))[0]) == RATE
    with pytest.raises(UserError, match=r"cut short: 1\.00 s of 1\.06 s"):
        read_audio(utterance(tmp_path / "a.wav", duration=1.06))


def cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, RATE).astype(np.float32)


@pytest.mark.parametrize("read", [read_wave, seconds])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("ending", ["wav", "aiff", "au", "flac", "mp3"])
def test_a_file_with_less_than_its_header_says_is_refused_where_nothing_else_says_how_long_it_is(
    tmp_path, ending, share, read
):
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, NOISE, RATE)
    read(path)
    cut(path, share)
    with pytest.raises(UserError, match=rf"^audio file {path} (is cut short|cannot be read): "):
        read(path)


def test_a_wav_that_is_cut_short_tells_its_bytes(tmp_path):
    write_audio(tmp_path / "a.wav", NOISE, RATE)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:600])
    with pytest.raises(UserError, match=r"a\.wav is cut short: 556 of 16000 bytes$"):
        read_wave(tmp_path / "a.wav")


def test_a_flac_that_is_cut_short_is_found_by_its_end(tmp_path):
    write_audio(tmp_path / "a.flac", NOISE, RATE)
    cut(tmp_path / "a.flac", 0.9)
    with pytest.raises(UserError, match=r"a\.flac is cut short: its header says 1\.00 s$"):
        seconds(tmp_path / "a.flac")


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(0xFFFFFFFF, id="ffmpeg into a pipe"),
        pytest.param(0x7FFFF000, id="sox into a pipe"),
        pytest.param(2 * RATE + 2, id="a sample too many"),
    ],
)
def test_a_header_that_could_not_know_the_length_or_is_off_by_a_little_is_no_fault(tmp_path, size):
    path = tmp_path / "a.wav"
    write_audio(path, ramp(), RATE)
    content = path.read_bytes()
    place = content.index(b"data") + 4
    path.write_bytes(content[:place] + size.to_bytes(4, "little") + content[place + 4 :])
    assert len(read_wave(path)[0]) == RATE
    assert seconds(path) == 1.0


def test_a_flac_without_a_length_is_refused(tmp_path):
    path = tmp_path / "a.flac"
    write_audio(path, ramp(), RATE)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the 36 bits of STREAMINFO that count the samples
    content[22:26] = bytes(4)
    path.write_bytes(content)
    for read in (read_wave, seconds):
        with pytest.raises(UserError, match=r"has a length of .* s; expected 0 to 86400"):
            read(path)


@pytest.mark.parametrize("ending", ["wav", "flac"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5])
def test_a_truncated_file_is_an_error_that_names_it(tmp_path, ending, share):
    path = tmp_path / f"a.{ending}"
    write_audio(path, NOISE, RATE)
    cut(path, share)
    with pytest.raises(UserError) as error:
        read_audio(utterance(path))
    assert str(error.value).startswith(f"m.jsonl:3: audio file {path} ")
    assert "\n" not in str(error.value)


def test_what_is_no_audio_is_an_error_that_says_why(tmp_path):
    soundfile.write(tmp_path / "none.wav", np.zeros(0, np.float32), RATE)
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan], np.float32), RATE, subtype="FLOAT")
    for name in ("text.wav", "bare.raw"):
        (tmp_path / name).write_text("not audio")
    (tmp_path / "zero.wav").touch()
    for name, complaint in {
        "missing.wav": "does not exist",
        "zero.wav": "is empty",
        "none.wav": "has no samples at 0.0 s",
        "nan.wav": "holds NaN",
        "text.wav": "cannot be read: ",
        "bare.raw": "cannot be read: ",
        ".": "does not exist",
    }.items():
        with pytest.raises(UserError, match=complaint):
            read_audio(utterance(tmp_path / name, duration=2 / RATE))


def test_an_utterance_without_a_place_is_named_by_its_id(tmp_path):
    with pytest.raises(UserError, match=r"^u: audio file"):
        read_audio(utterance(tmp_path / "missing.wav", where=""))


def test_a_start_behind_the_end_is_an_error(tmp_path):
    write_audio(tmp_path / "a.wav", ramp(), RATE)
    with pytest.raises(UserError, match=r"has no samples at 5\.0 s"):
        read_audio(utterance(tmp_path / "a.wav", offset=5.0))


def test_the_length_is_known_from_the_header(tmp_path):
    write_audio(tmp_path / "a.flac", ramp(RATE // 4), RATE)
    assert seconds(tmp_path / "a.flac") == 0.25
    soundfile.write(tmp_path / "none.wav", np.zeros(0, np.float32), RATE)
    (tmp_path / "bare.raw").write_text("not audio")
    for name, complaint in {
        "none.wav": "length of 0.0 s",
        "missing.wav": "does not exist",
        "bare.raw": "cannot be read",
    }.items():
        with pytest.raises(UserError, match=f"^here: .*{complaint}"):
            seconds(tmp_path / name, "here")
