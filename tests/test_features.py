import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from specaug.speech.features import filterbank, log_mel, normalised
from specaug.speech.options import Features

RATES = (8000, 16000)


def mel_by_hand(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


def hertz_by_hand(mel: float) -> float:
    return 700 * (10 ** (mel / 2595) - 1)


def corners_by_hand(rate: int, mel: int, lowest: float, highest: float | None = None) -> list[float]:
    """The feet and tops of the triangles in Hz, evenly spaced in mels: triangle i stands on i, i + 1, i + 2."""
    low, high = mel_by_hand(lowest), mel_by_hand(highest or rate / 2)
    return [hertz_by_hand(low + (high - low) * i / (mel + 1)) for i in range(mel + 2)]


def triangle_by_hand(hertz: float, left: float, top: float, right: float) -> float:
    if not left < hertz < right:
        return 0.0
    return (hertz - left) / (top - left) if hertz <= top else (right - hertz) / (right - top)


def filters_by_hand(
    rate: int, mel: int, lowest: float, size: int, highest: float | None = None
) -> list[list[float]]:
    """For each channel its weight at each bin of a DFT of `size` points."""
    corners = corners_by_hand(rate, mel, lowest, highest)
    bins = [k * rate / size for k in range(size // 2 + 1)]
    return [[triangle_by_hand(hertz, *corners[i : i + 3]) for hertz in bins] for i in range(mel)]


def size_by_hand(rate: int, mel: int, lowest: float, window: int) -> int:
    """The smallest power of two that holds the window and leaves no channel without a bin."""
    size = 1
    while size < window or not all(any(row) for row in filters_by_hand(rate, mel, lowest, size)):
        size *= 2
    return size


def power_by_hand(frame: np.ndarray, size: int) -> list[float]:
    """The squared amplitudes of the discrete Fourier transform, by its definition, of a frame padded with 0."""
    n = np.arange(len(frame))
    return [abs(np.sum(frame * np.exp(-2j * np.pi * k * n / size))) ** 2 for k in range(size // 2 + 1)]


def log_mel_by_hand(wave: np.ndarray, rate: int, mel: int) -> list[list[float]]:
    """Windows of 25 ms every 10 ms under a Hann window that ends in 0 at both ends."""
    window, shift = rate // 40, rate // 100
    hann = [0.5 - 0.5 * math.cos(2 * math.pi * i / (window - 1)) for i in range(window)]
    size = size_by_hand(rate, mel, 20.0, window)
    filters = np.array(filters_by_hand(rate, mel, 20.0, size))
    rows, start = [], 0
    while start + window <= len(wave):
        power = power_by_hand(wave[start : start + window].astype(np.float64) * hann, size)
        rows.append([math.log(max(energy, 1e-10)) for energy in filters @ power])
        start += shift
    return rows


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("mel", [1, 8, 40, 80])
def test_the_filters_are_triangles_evenly_spaced_in_mels(rate, mel):
    bank = filterbank(rate, Features(mel=mel))
    size = size_by_hand(rate, mel, 20.0, rate // 40)
    assert bank.shape == (size // 2 + 1, mel)
    assert bank.T.numpy() == pytest.approx(np.array(filters_by_hand(rate, mel, 20.0, size)), abs=2e-4)


@pytest.mark.parametrize("rate", RATES)
def test_they_end_at_the_highest_frequency_that_is_asked_for(rate):
    bank = filterbank(rate, Features(mel=20, highest=3000.0))
    by_hand = filters_by_hand(rate, 20, 20.0, 2 * (len(bank) - 1), highest=3000.0)
    assert bank.T.numpy() == pytest.approx(np.array(by_hand), abs=2e-4)
    assert float(bank[len(bank) * 6000 // rate + 1 :].abs().max()) == 0


def test_with_one_highest_frequency_a_channel_is_the_same_band_at_every_rate():
    hertz = np.random.default_rng(2).uniform(100, 3400, 200)
    found = []
    for rate in (8000, 22050):
        times = torch.arange(rate, dtype=torch.float64) / rate
        tones = [torch.sin(2 * math.pi * float(each) * times + i) for i, each in enumerate(hertz)]
        wave = (0.01 * torch.stack(tones).sum(dim=0)).float()
        found.append(log_mel(wave, rate, Features(mel=20, highest=3500.0)).mean(dim=0))
    difference = found[1] - found[0]  # the longer window is louder, in every channel alike
    assert float((difference - difference.mean()).abs().max()) < 0.3


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("mel", [40, 80, 128])
def test_no_filter_is_empty_however_many_there_are(rate, mel):
    assert bool((filterbank(rate, Features(mel=mel)).sum(dim=0) > 0).all())


@pytest.mark.parametrize("rate", RATES)
def test_log_mel_is_what_its_definition_gives(rate):
    wave = np.random.default_rng(0).normal(0, 0.1, rate // 10).astype(np.float32)
    got = log_mel(torch.from_numpy(wave), rate, Features(mel=80))
    assert got.shape == (8, 80)
    assert got.numpy() == pytest.approx(np.array(log_mel_by_hand(wave, rate, 80)), abs=2e-3)


@given(
    rate=st.sampled_from(RATES),
    samples=st.integers(0, 3000),
    window=st.sampled_from([0.02, 0.025, 0.032]),
    shift=st.sampled_from([0.008, 0.01, 0.02]),
)
@example(rate=8000, samples=199, window=0.025, shift=0.01)
@example(rate=8000, samples=200, window=0.025, shift=0.01)
@example(rate=8000, samples=280, window=0.025, shift=0.01)
def test_there_is_a_frame_for_each_window_inside_the_utterance(rate, samples, window, shift):
    width, step = round(window * rate), round(shift * rate)
    starts = [start for start in range(0, samples, step) if start + width <= samples]
    got = log_mel(torch.zeros(samples), rate, Features(mel=4, window=window, shift=shift))
    assert got.shape == (len(starts), 4)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hertz", [150.0, 440.0, 1000.0, 2500.0, 3700.0])
def test_a_tone_lands_in_the_channel_whose_top_is_nearest(rate, hertz):
    options = Features(mel=40)
    wave = torch.sin(2 * math.pi * hertz * torch.arange(rate // 2, dtype=torch.float64) / rate).float()
    tops = corners_by_hand(rate, 40, 20.0)[1:-1]
    nearest = min(range(40), key=lambda i: abs(mel_by_hand(tops[i]) - mel_by_hand(hertz)))
    loudest = log_mel(wave, rate, options).argmax(dim=1)
    assert set(loudest.tolist()) == {nearest}


def test_louder_speech_is_brighter_by_the_logarithm_of_its_power():
    wave = torch.from_numpy(np.random.default_rng(1).normal(0, 0.01, 4000).astype(np.float32))
    difference = log_mel(10 * wave, 8000, Features()) - log_mel(wave, 8000, Features())
    assert difference.numpy() == pytest.approx(math.log(100), abs=1e-3)


@given(
    floor=st.floats(1, 90), quieter=st.floats(-80, 0), pause=st.integers(200, 900), seed=st.integers(0, 99)
)
def test_with_a_floor_nothing_is_weaker_and_how_loud_it_was_recorded_says_nothing(
    floor, quieter, pause, seed
):
    speech = np.random.default_rng(seed).normal(0, 0.1, 2000)
    wave = torch.from_numpy(np.concatenate([np.zeros(pause), speech]).astype(np.float32))
    options = Features(mel=20, floor=floor)
    without, got = (log_mel(wave, 8000, each).double().numpy() for each in (Features(mel=20), options))
    least = max(math.log(1e-10), without.max() - floor / 10 * math.log(10))
    assert got == pytest.approx(np.maximum(without, least), abs=1e-4)
    if least - math.log(1e-10) > 20:
        scaled = log_mel(wave * 10 ** (quieter / 20), 8000, options)
        assert scaled.double().numpy() - got == pytest.approx(quieter / 10 * math.log(10), abs=1e-3)


@given(
    frames=st.integers(5, 60), offset=st.floats(-20, 20), scale=st.floats(0.1, 10), seed=st.integers(0, 99)
)
def test_each_normalised_channel_has_mean_0_and_variance_1(frames, offset, scale, seed):
    values = np.random.default_rng(seed).normal(offset, scale, (frames, 5)).astype(np.float32)
    got = normalised(torch.from_numpy(values)).double().numpy()
    assert got.mean(axis=0) == pytest.approx(0, abs=1e-4)
    assert (got**2).mean(axis=0) == pytest.approx(1, abs=1e-2)


def test_channels_are_normalised_apart_and_keep_their_shape():
    got = normalised(torch.tensor([[0.0, 100.0], [2.0, 300.0], [4.0, 200.0]]))
    half = math.sqrt(1.5)
    assert got.numpy() == pytest.approx(np.array([[-half, -half], [0, half], [half, 0]]), abs=1e-5)


@pytest.mark.parametrize("samples", [200, 4000])
def test_silence_stays_finite_and_becomes_0(samples):
    silence = log_mel(torch.zeros(samples), 8000, Features())
    assert silence.numpy() == pytest.approx(math.log(1e-10))
    assert normalised(silence).numpy() == pytest.approx(0, abs=1e-2)


def test_an_utterance_shorter_than_a_window_has_no_frames_normalised_or_not():
    nothing = log_mel(torch.ones(199), 8000, Features(mel=7))
    assert nothing.shape == (0, 7)
    assert normalised(nothing).shape == (0, 7)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"mel": 0}, "mel is 0; expected at least 1", id="no channel"),
        pytest.param({"floor": 0.0}, "floor is 0.0; expected above 0 dB", id="no floor"),
        pytest.param({"floor": math.inf}, "floor is inf; expected above 0 dB, or null", id="endless floor"),
        pytest.param(
            {"highest": 20.0}, r"highest is 20.0; expected above lowest \(20.0 Hz\), or null", id="no band"
        ),
        pytest.param({"highest": math.inf}, "highest is inf; expected above lowest", id="endless band"),
        pytest.param({"shift": 0.0}, "shift is 0.0; expected more than 0", id="no shift"),
        pytest.param({"shift": 0.03}, "at most window", id="gaps between windows"),
    ],
)
def test_options_out_of_range_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        Features(**options)
