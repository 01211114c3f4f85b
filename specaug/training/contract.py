"""What every network answers, whatever it is inside (CTC, attention, transducer)."""

from typing import Any, Protocol, cast, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor, nn


@runtime_checkable  # tests check it wherever it stands in a signature
class Network(Protocol):
    """A `torch.nn.Module` that is built from plain values and answers two calls.

    It may also have `frames_out(frames) -> int`, the frames left after subsampling; then utterances that are
    too short for their transcript are found before training (decision D11). A CTC network may have `emissions`
    (see `Emitting`); then its errors can be shown at their places in time.
    """

    def loss(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
        targets: Int[Tensor, "batch label"],
        target_lengths: Int[Tensor, " batch"],
    ) -> Float[Tensor, ""]:
        """What training makes small: summed over the batch, divided by its labels (by 1 where it has none)."""
        ...

    def transcribe(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"], **decoding: Any
    ) -> list[list[int]]:
        """Label ids of each utterance, without blanks and padding."""
        ...


@runtime_checkable
class Emitting(Protocol):
    """A CTC network's optional third answer, for alignment alone: training and scoring never ask for it."""

    def emissions(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch frames vocab"], Int[Tensor, " batch"]]:
        """Log-probabilities of the labels (0 is the blank), and the frames that are valid of each utterance."""
        ...


@runtime_checkable
class Classifying(Protocol):
    """What a network of classes answers as well; it transcribes the class with the highest score, of equals the first.

    So evaluation asks for the scores and for no transcript.
    """

    def scores(
        self, features: Float[Tensor, "batch time mel"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch classes"]:
        """Log-probabilities of labels 1, 2, ...: label 0 is no class."""
        ...


def scoring(network: nn.Module) -> Classifying:
    """The module of a run of classes, as the type checker should see it."""
    return cast(Classifying, network)


def answering(network: nn.Module) -> Network:
    """The module, as the type checker should see it."""
    return cast(Network, network)
