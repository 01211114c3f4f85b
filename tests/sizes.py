"""How much memory torch's operations take."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Sizes(TorchDispatchMode):
    """Keeps the bytes of the largest tensor that is made; a view of another is none."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        given = {part.data_ptr() for part in storages((args, kwargs))}
        made = [part.nbytes() for part in storages(result) if part.data_ptr() not in given]
        self.largest = max([self.largest, *made])
        return result


def storages(value: object) -> list[torch.UntypedStorage]:
    return [part.untyped_storage() for part in tree_leaves(value) if isinstance(part, torch.Tensor)]
