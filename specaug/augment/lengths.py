"""Lengths, which drawing and applying take: whole numbers of frames, one per utterance."""

import torch
from torch import Tensor


def require_lengths(lengths: Tensor, batch: int, most: int | None = None) -> None:
    """Raise ValueError where lengths are not those of `batch` utterances of up to `most` frames.

    Their values are looked at on the host alone: to read them on a GPU is to wait for it.
    """
    whole = not (lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool)
    if lengths.shape != (batch,) or not whole:
        got = f"{lengths.dtype} of shape {tuple(lengths.shape)}"
        raise ValueError(f"lengths are {got}; expected whole numbers of shape ({batch},), one per utterance")
    frames = lengths.tolist() if lengths.device.type == "cpu" else []
    if frames and (min(frames) < 0 or (most is not None and max(frames) > most)):
        room = "0 frames or more" if most is None else f"0 to the {most} frames of the features"
        raise ValueError(f"lengths are {frames}; expected {room}")
