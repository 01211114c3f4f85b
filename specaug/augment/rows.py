"""Frames read from other frames of the same utterance, and channels from other channels."""

from jaxtyping import Float, Int
from torch import Tensor


def frames_at(
    features: Float[Tensor, "batch time mel"], source: Int[Tensor, "batch time"]
) -> Float[Tensor, "batch time mel"]:
    """A new tensor whose frame y is frame source[y] of the utterance."""
    return features.gather(1, source[:, :, None].expand_as(features))


def channels_at(
    features: Float[Tensor, "batch time mel"], source: Int[Tensor, "batch mel"]
) -> Float[Tensor, "batch time mel"]:
    """A new tensor whose channel c is channel source[c] of the utterance."""
    return features.gather(2, source[:, None, :].expand_as(features))
