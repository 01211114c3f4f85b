"""What one forward and backward pass of a network takes, counted as it runs: FLOPs, bytes, operations, activations."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from specaug.speech.batching import Batch
from specaug.training.contract import answering

Shape = Sequence[int]
Loss = Callable[[nn.Module, Batch, bool], Tensor]  # the flag says whether products are in half the bits

aten = torch.ops.aten
BACKWARD = 2  # times the forward pass of a product: by its input, and by its weight


class Counted(NamedTuple):
    """The costs of one pass."""

    flops: float
    moved: float  # bytes that operations read and write, as if none were fused and nothing stayed in a cache
    launches: float  # operations that a device starts one after the other; an LSTM starts one a frame
    activations: float  # bytes, see `Saved`


def loss_of(network: nn.Module, batch: Batch, half: bool) -> Tensor:
    """The loss of a batch, with products in half the bits where that is asked for."""
    with torch.autocast(batch.features.device.type, torch.bfloat16, enabled=half):
        return answering(network).loss(batch.features, batch.lengths, batch.targets, batch.target_lengths)


def counted(network: nn.Module, batch: Batch, half: bool = False, loss: Loss = loss_of) -> Counted:
    """The costs of a forward and backward pass over a batch; the network's gradients are empty afterwards.

    Raises whatever the network raises.
    """
    with FlopCounterMode(display=False, custom_mapping={**OWN}) as flops, Traffic() as traffic:
        with saved(network) as activations:
            value = loss(network, batch, half)
        value.backward()  # type: ignore[no-untyped-call]
    network.zero_grad(set_to_none=True)
    return Counted(float(flops.get_total_flops()), traffic.moved, traffic.launches, activations.bytes)


class Saved:
    """The activations that the backward pass waits for, without the weights; each memory counts once."""

    def __init__(self, network: nn.Module) -> None:
        self.weights = {place(tensor) for tensor in (*network.parameters(), *network.buffers())}
        self.sizes: dict[int, int] = {}  # bytes by place
        self.largest = 0  # bytes of an activation; a workspace of a kernel has no gradient

    def pack(self, tensor: Tensor) -> Tensor:
        """Take note of a tensor; it is kept as it is, so no place is used twice."""
        if place(tensor) not in self.weights:
            self.sizes[place(tensor)] = size = tensor.untyped_storage().nbytes()
            self.largest = max(self.largest, size if tensor.is_floating_point() else 0)
        return tensor.detach()

    @property
    def bytes(self) -> float:
        """All of them, and the largest twice more: the gradients by it, on both sides of the operation that made it."""
        return float(sum(self.sizes.values()) + 2 * self.largest)


@contextmanager
def saved(network: nn.Module) -> Iterator[Saved]:
    """Watches what a network's forward pass saves for its backward pass."""
    watch = Saved(network)
    with torch.autograd.graph.saved_tensors_hooks(watch.pack, lambda tensor: tensor):
        yield watch


def place(tensor: Tensor) -> int:
    """Where a tensor's memory begins."""
    return tensor.untyped_storage().data_ptr()


class Traffic(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up what operations read and write, and how many there are; views touch nothing."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.moved = 0.0
        self.launches = 0.0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """One operation."""
        out = func(*args, **(kwargs or {}))
        if not func.is_view and func not in FREE:
            self.moved += sum(t.numel() * t.element_size() for t in tensors((args, kwargs or {}, out)))
            self.launches += max(args[0].shape[:1], default=1) if func.overloadpacket in LSTM else 1
        return out


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and mappings."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from tensors(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from tensors(item)


def lstm(*shapes: Any, **_: Any) -> int:
    """Forward FLOPs of an LSTM layer in one direction: four gates, each a product with the input and with the state.

    2 x frames x batch x 4 cells x (inputs + cells); gates and biases are left out, as the counter leaves out all that
    is no product.

    >>> lstm((11, 3, 5), (28, 5), (28, 7))
    22176
    """
    (frames, batch, inputs), _weight, (gates, cells) = shapes[:3]
    return int(2 * frames * batch * gates * (inputs + cells))


def lstm_backward(*shapes: Any, **_: Any) -> int:
    """Backward FLOPs of an LSTM layer."""
    return BACKWARD * lstm(*shapes)


def attention(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    """Forward FLOPs of attention: queries by keys, shares by values.

    >>> attention((2, 3, 11, 8), (2, 3, 11, 8), (2, 3, 11, 8))
    23232
    """
    batch, heads, asked, width = query
    return 2 * batch * heads * asked * key[-2] * (width + value[-1])


def attention_backward(_: Shape, query: Shape, key: Shape, value: Shape, *__: Any, **___: Any) -> int:
    """Backward FLOPs of attention: the shares once more, then twice what they took forward."""
    batch, heads, asked, width = query
    again = 2 * batch * heads * asked * key[-2] * width
    return again + BACKWARD * attention(query, key, value)


LSTM = (aten.mkldnn_rnn_layer, aten.mkldnn_rnn_layer_backward)
OWN = {  # what a CPU runs, and torch's counter passes over
    aten.mkldnn_rnn_layer: lstm,
    aten.mkldnn_rnn_layer_backward: lstm_backward,
    aten._scaled_dot_product_flash_attention_for_cpu: attention,
    aten._scaled_dot_product_flash_attention_for_cpu_backward: attention_backward,
}
FREE = (aten._unsafe_view.default, aten.detach.default)
