"""What every objective of pretraining answers."""

from typing import Protocol, cast, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


@runtime_checkable  # tests check it wherever it stands in a signature
class Pretext(Protocol):
    """A `torch.nn.Module` that is built around an `encoder`, which is what is kept, and answers two calls.

    The encoder's `cut` says of how many frames and channels a patch is (`t`, `f`, and the strides `down`, `across`).
    `hidden` is True at the patches that the network must not see: the fewest rows of patches that reach the last frame,
    by the columns that the channels have.
    """

    encoder: nn.Module

    def loss(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
        hidden: Bool[Tensor, "batch row column"],
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """What training makes small, and its parts by name; all are means over the hidden patches of the batch."""
        ...

    def reconstruction(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
        hidden: Bool[Tensor, "batch row column"],
    ) -> Float[Tensor, "batch time mel"]:
        """The features, with what the network takes hidden patches to be in their places."""
        ...


def answering(network: nn.Module) -> Pretext:
    """The module, as the type checker should see it."""
    return cast(Pretext, network)
