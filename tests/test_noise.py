import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specaug.speech.chance import generator
from specaug.speech.noise import COLOURS, add_noise, coloured_noise

colours = st.sampled_from(sorted(COLOURS))


@given(samples=st.integers(2, 3000), colour=colours, seed=st.integers(0, 99))
def test_noise_has_mean_0_and_power_1_whatever_its_length(samples, colour, seed):
    noise = coloured_noise(samples, colour, generator("noise", seed))
    assert noise.shape == (samples,)
    assert abs(noise.mean()) < 1e-9
    assert np.mean(noise**2) == pytest.approx(1.0)


@pytest.mark.parametrize("samples", [0, 1])
def test_less_than_two_samples_have_no_noise(samples):
    with pytest.raises(ValueError, match="expected 2 or more"):
        coloured_noise(samples, "white", generator(0))


@pytest.mark.parametrize(("colour", "exponent"), [("white", 0), ("pink", 1), ("brown", 2)])
def test_the_power_of_noise_falls_with_frequency_as_its_colour_says(colour, exponent):
    samples = 2**19
    power = np.abs(np.fft.rfft(coloured_noise(samples, colour, generator("slope")))) ** 2
    # An octave's mean power against the next one's: 2^exponent. The mean of n exponential variates strays by
    # 1/sqrt(n) of itself; five times that for the smaller octave.
    low, high = 2**16, 2**17
    ratio = power[low:high].mean() / power[high : 2 * high].mean()
    assert ratio == pytest.approx(2**exponent, rel=5 * (1 / low + 1 / high) ** 0.5)


@given(snr=st.floats(-10, 40), colour=colours, loudness=st.floats(0.001, 0.02))
def test_the_noise_lies_as_far_below_the_speech_as_asked(snr, colour, loudness):
    chance = np.random.default_rng(0)
    wave = (loudness * chance.standard_normal(4000)).astype(np.float32)
    noisy = add_noise(wave, snr, colour, generator(colour)).astype(np.float64)
    if np.abs(noisy).max() < 1:  # else it was scaled
        noise = noisy - wave
        got = 10 * np.log10(np.mean(wave.astype(np.float64) ** 2) / np.mean(noise**2))
        assert got == pytest.approx(snr, abs=0.01)


@given(snr=st.floats(-60, 60), colour=colours, scale=st.floats(0.01, 1))
def test_no_sum_leaves_the_range_of_samples(snr, colour, scale):
    wave = (scale * np.sin(np.arange(500))).astype(np.float32)
    noisy = add_noise(wave, snr, colour, generator("range"))
    assert noisy.dtype == np.float32
    assert np.abs(noisy).max() <= 1


def test_a_sum_that_would_leave_the_range_is_scaled_and_not_clipped():
    wave = np.sin(np.arange(500)).astype(np.float32)
    noise = coloured_noise(500, "white", generator("loud"))
    plain = wave + noise * np.sqrt(np.mean(wave.astype(np.float64) ** 2) * 10)
    noisy = add_noise(wave, -10.0, "white", generator("loud"))
    assert noisy == pytest.approx(plain / np.abs(plain).max(), abs=1e-6)


def test_silence_stays_silent():
    assert not add_noise(np.zeros(100, np.float32), 10.0, "pink", generator(0)).any()


def test_the_same_words_give_the_same_noise_and_other_words_another():
    wave = np.sin(np.arange(500)).astype(np.float32)
    one, same, other = (add_noise(wave, 10.0, "pink", generator("noise", word)) for word in ("a", "a", "b"))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)
