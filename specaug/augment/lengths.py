"""What drawing and applying are given: tensors, and of lengths whole numbers of frames, one per utterance."""

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


def all_frames(features: Tensor) -> Tensor:
    """The lengths of utterances without padding, on the host; what has not three axes is for `apply.checked` to name."""
    return torch.full(features.shape[:1], features.shape[1] if features.ndim == 3 else 0, device="cpu")


def require_tensors(**given: object) -> None:
    """Raise TypeError where an argument, if it is given, is anything but a tensor."""
    for name, value in given.items():
        if value is not None or name == "features":
            require_tensor(name, value)


def require_tensor(name: str, value: object) -> None:
    """Raise TypeError where a value is anything but a tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{shown(name, value)}; expected a torch.Tensor (see torch.as_tensor)")


def shown(name: str, value: object) -> str:
    """What stands under a name, in a line, and of which kind it is."""
    said = " ".join(repr(value).split())
    return f"{name}: {said:.40} is a {type(value).__name__}"
