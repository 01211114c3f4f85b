"""SpecAugment as a torch module: thin, because drawing and applying are functions."""

from typing import SupportsIndex

import torch
from jaxtyping import Float, Int
from torch import Tensor, distributed, nn
from torch.utils.data import get_worker_info

from specaug.augment.apply import apply, checked
from specaug.augment.draws import Draws, draw
from specaug.augment.engines import asked
from specaug.augment.keys import make_keys, whole
from specaug.augment.lengths import all_frames, require_tensors
from specaug.augment.operations import SpliceOut
from specaug.augment.policy import NONE, Policy


class SpecAugment(nn.Module):
    """A policy applied to a padded batch (Park et al. 2019, section 2, and whatever else the policy lists).

    Active in training mode only; every utterance has draws of its own; the padding stays as it was. Without
    `keys` the module counts its own calls, so that `SpecAugment(LD, seed=0)` gives the same sequence of masks
    anywhere; a trainer passes `keys` (see `make_keys`), one per utterance, and then they alone decide. Where copies
    of the module would each count they are asked for: in a loader's workers, in `nn.DataParallel`, in activations that
    are computed anew. A run that resumes needs them as well: the count is in no checkpoint (decision D47). Lengths
    and keys are best left on the host: draws are made there and sent along.

    Shape:
        features: (batch, time, mel), log-mel energies with mean 0
        lengths:  (batch,), frames before the padding; all frames where it is left out
        output:   (batch, time, mel), a new tensor, or `out`

    A policy with SpliceOut shortens utterances: then call `shortening`, which returns the lengths as well.
    """

    def __init__(self, policy: Policy = NONE, seed: SupportsIndex = 0, engine: str | None = None) -> None:
        super().__init__()
        if not isinstance(policy, Policy):
            raise ValueError(f"policy is {policy!r}; expected a Policy, such as specaug.LD")
        asked(engine)
        self.policy = policy
        self.seed = whole("seed", seed)
        self.engine = engine
        self.calls = 0

    def forward(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"] | None = None,
        keys: Int[Tensor, "batch 5"] | None = None,
        out: Float[Tensor, "batch time mel"] | None = None,
    ) -> Float[Tensor, "batch time mel"]:
        """The augmented features; in evaluation mode the features themselves.

        `lengths` are in frames, all of them where it is left out. `keys` are those of `make_keys`, one an utterance:
        with them the masks depend on nothing else, without them on the seed and the count of calls. `out` is
        written and returned, a tensor of the features' shape, type and device that shares no memory with them.

        Shape:
            features: (batch, time, mel), floating-point
            lengths:  (batch,), whole numbers from 0 to time
            keys:     (batch, 5), whole numbers
            output:   (batch, time, mel), a new tensor, or `out`

        Raises TypeError where one of them is no tensor, ValueError where they do not fit each other or the policy.
        """
        operations = self.policy.operations
        if self.training and any(isinstance(one, SpliceOut) and one.draws for one in operations):
            raise ValueError("SpliceOut shortens utterances; call shortening(features, lengths) for both")
        return self.shortening(features, lengths, keys, out)[0]

    def shortening(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"] | None = None,
        keys: Int[Tensor, "batch 5"] | None = None,
        out: Float[Tensor, "batch time mel"] | None = None,
    ) -> tuple[Float[Tensor, "batch time mel"], Int[Tensor, " batch"]]:
        """The augmented features, and the lengths afterwards, in frames; the arguments are those of `forward`."""
        require_tensors(features=features, lengths=lengths, keys=keys, out=out)
        lengths = all_frames(features) if lengths is None else lengths
        if not self.training:
            return features if out is None else apply(features, lengths, Draws(()), out), lengths
        augmented = self.augmented
        if torch.compiler.is_compiling():  # a decorator would have everybody import dynamo, for a second
            augmented = torch.compiler.disable(augmented)  # type: ignore[no-untyped-call]
        return augmented(features, lengths, keys, out)

    def augmented(
        self,
        features: Float[Tensor, "batch time mel"],
        lengths: Int[Tensor, " batch"],
        keys: Int[Tensor, "batch 5"] | None,
        out: Float[Tensor, "batch time mel"] | None,
    ) -> tuple[Float[Tensor, "batch time mel"], Int[Tensor, " batch"]]:
        """The same in training mode; a compiler of the network around it passes it by."""
        checked(features, lengths, out)
        keys = self.counted(len(features)) if keys is None else keys
        host = lengths.cpu()  # where drawing is fastest; what it gives goes along to the features
        draws = draw(self.policy, host, features.shape[2], keys.cpu())
        after = draws.shortened(host.long()).to(lengths)
        return apply(features, host, draws, out, self.engine), after

    def counted(self, batch: int) -> Int[Tensor, "batch 5"]:
        """Keys by the count of calls and the place in the batch, which ranks take turns to fill."""
        if where := self.astray():
            raise ValueError(f"keys is None in {where}; expected keys=make_keys(seed, epoch, ids)")
        group = distributed.is_available() and distributed.is_initialized()
        rank, ranks = (distributed.get_rank(), distributed.get_world_size()) if group else (0, 1)
        keys = make_keys(self.seed, self.calls, [str(rank + ranks * place) for place in range(batch)])
        self.calls += 1
        return keys

    def astray(self) -> str:
        """Where its count says nothing; "" where it does."""
        if get_worker_info() is not None:
            return "a loader's worker, whose copy of the module counts as every other one does"
        if getattr(self, "_is_replica", False):
            return "a replica of nn.DataParallel, whose count is lost with it"
        if torch._C._current_graph_task_id() != -1:  # of the `backward` under way, -1 where none is
            return "a backward pass, which computes anew what was masked otherwise"
        return ""

    def extra_repr(self) -> str:
        engine = f", engine={self.engine!r}" if self.engine else ""
        return f"{self.policy}, seed={self.seed}{engine}"
