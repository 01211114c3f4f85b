"""Log-mel features: (frames, mel), computed from samples at any rate."""

import functools
import threading
import warnings

import torch
import torchaudio
from jaxtyping import Float
from torch import Tensor

from specaug.errors import UserError
from specaug.speech.options import Features

DOUBLINGS = 8  # of the FFT, before so many channels are refused
FLOOR = 1e-10  # energy below which the logarithm stops, of samples in [-1, 1]: digital silence
LEAST_DEVIATION = 1e-3  # a channel that never changes is not blown up
FILTERED = threading.Lock()  # warnings are filtered for all threads at once


def log_mel(wave: Float[Tensor, " samples"], rate: int, options: Features) -> Float[Tensor, "frames mel"]:
    """Log energies of mel channels, one frame for each window that lies wholly inside the utterance.

    frames = 1 + floor((samples - window) / shift); 0 where the utterance is shorter than a window.
    """
    window, shift = round(options.window * rate), round(options.shift * rate)
    if len(wave) < window:
        return wave.new_empty(0, options.mel)
    bank = filterbank(rate, options)
    frames = wave.unfold(0, window, shift) * torch.hann_window(window, periodic=False)
    power = torch.fft.rfft(frames, n=2 * (len(bank) - 1)).abs().square()
    energies: Tensor = power @ bank
    least = FLOOR
    if options.floor is not None:
        least = max(FLOOR, float(energies.max()) * 10 ** (-options.floor / 10))
    return energies.clamp(min=least).log()


def normalised(features: Float[Tensor, "frames mel"]) -> Float[Tensor, "frames mel"]:
    """Each channel with mean 0 and variance 1 over the utterance, so that a masked 0 is its mean."""
    if not len(features):
        return features
    centred = features - features.mean(dim=0)
    return centred / centred.square().mean(dim=0).sqrt().clamp(min=LEAST_DEVIATION)


@functools.cache
def filterbank(rate: int, options: Features) -> Float[Tensor, "bins mel"]:
    """Triangular mel filters over the bins of an FFT just long enough that none of them is empty.

    Raises UserError where the rate has no such frequencies, or too few for so many channels.
    """
    lowest, highest = options.lowest, options.up_to(rate)
    if highest > rate / 2:
        expected = f"{rate / 2:g} Hz or less, half the sample rate"
        raise UserError(f"features: highest is {highest:g} Hz; expected {expected}")
    shortest = (round(options.window * rate) - 1).bit_length()
    for size in (2**power for power in range(shortest, shortest + DOUBLINGS)):
        with FILTERED, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "At least one mel filterbank")  # then the next size is tried
            bank: Tensor = torchaudio.functional.melscale_fbanks(
                size // 2 + 1, lowest, highest, options.mel, rate, mel_scale="htk"
            )
        if bool((bank.amax(dim=0) > 0).all()):
            return bank
    between = f"{options.mel} mel channels above {lowest} Hz"
    between += "" if options.highest is None else f" and below {highest} Hz"
    raise UserError(f"features: {between} do not fit a sample rate of {rate} Hz; expected fewer channels")
