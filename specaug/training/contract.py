"""What every network answers, whatever it is inside (CTC, attention, transducer)."""

from typing import Any, Protocol, cast, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor, nn


@runtime_checkable  # tests check it wherever it stands in a signature
class Network(Protocol):
    """A `torch.nn.Module` that is built from plain values and answers two calls.

    It may also have `frames_out(frames) -> int`, the frames left after subsampling; then utterances that are
    too short for their transcript are found before training (decision D11).
    """

    def loss(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
        targets: Int[Tensor, "batch label"],
        target_lengths: Int[Tensor, " batch"],
    ) -> Float[Tensor, ""]:
        """What training makes small."""
        ...

    def transcribe(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"], **decoding: Any
    ) -> list[list[int]]:
        """Label ids of each utterance, without blanks and padding."""
        ...


def answering(network: nn.Module) -> Network:
    """The module, as the type checker should see it."""
    return cast(Network, network)
