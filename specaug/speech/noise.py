"""Additive noise at a stated signal-to-noise ratio."""

import numpy as np
from numpy.typing import NDArray

from specaug.speech.kinds import Wave

COLOURS = {"white": 0.0, "pink": 1.0, "brown": 2.0}  # power falls with frequency to this exponent


def coloured_noise(samples: int, colour: str, chance: np.random.Generator) -> NDArray[np.float64]:
    """Gaussian noise of mean 0 and power 1 whose spectrum falls as 1/f^exponent, `samples` (>= 2) long."""
    if samples < 2:
        raise ValueError(f"samples is {samples}; expected 2 or more, since one sample has no spectrum")
    spectrum = np.fft.rfft(chance.standard_normal(samples))
    spectrum[0] = 0.0  # no direct current
    frequency = np.maximum(np.arange(len(spectrum)), 1.0)
    noise = np.fft.irfft(spectrum * frequency ** (-COLOURS[colour] / 2), samples)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)))


def add_noise(wave: Wave, snr: float, colour: str, chance: np.random.Generator) -> Wave:
    """`wave` plus noise `snr` dB below its power, scaled down where the sum would leave [-1, 1]."""
    power = float(np.mean(wave.astype(np.float64) ** 2))
    noise = coloured_noise(len(wave), colour, chance) * np.sqrt(power * 10 ** (-snr / 10))
    noisy = wave + noise
    return np.asarray(noisy / max(1.0, float(np.abs(noisy).max())), dtype=np.float32)
