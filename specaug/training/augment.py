"""The callback that puts a policy on a module: on ours, and on anybody's."""

from typing import Any, NamedTuple, SupportsIndex

import lightning as L
import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from specaug.augment.apply import apply, checked
from specaug.augment.drawn import moved
from specaug.augment.draws import Draws, draw
from specaug.augment.engines import engine_for
from specaug.augment.keys import make_keys, whole
from specaug.augment.lengths import all_frames
from specaug.augment.policy import Policy
from specaug.augment.shares import hidden_shares
from specaug.speech.batching import Batch
from specaug.training.fields import Field, named, put, tensor
from specaug.training.hooks import AFTER, BEFORE, TRANSFER, Link, hang, require_hooks, usual
from specaug.training.strength import Loop, Strength, curves, weakened


class Drawing(NamedTuple):
    """What was drawn for a batch, and its lengths before and after, all on the host."""

    draws: Draws
    lengths: Tensor
    after: Tensor


class Augment(L.Callback):
    """Augments each training batch once it is on its device and before the module's step sees it.

    What happens to it is drawn before, while its lengths are on the host, so that nothing waits for the device; but
    where a hook of the module or data module may change the batch on its way, then after it.

    `features`, `lengths` and `ids` name the fields of the batch. With `ids`, the masks of an utterance depend
    on (seed, epoch, its id) and on nothing else; without, on (seed, epoch, its place in the epoch, the rank).
    Without `lengths` every frame counts as speech. At the end of an epoch `masked` is that of all ranks. Evaluation
    is left alone. `strength` says how strong the policy is as training goes on, and the loggers are told at each step,
    with the widths and counts that come of it where it changes; its closed loop hears the logged metric `watched`, as
    rank 0 has it, after each validation in training.
    """

    def __init__(
        self,
        policy: Policy,
        seed: SupportsIndex = 0,
        features: Field = "features",
        lengths: Field | None = "lengths",
        ids: Field | None = "ids",
        strength: Strength = Strength(),  # noqa: B008 (frozen)
        watched: str = "dev/wer",
    ) -> None:
        if not isinstance(policy, Policy):
            raise TypeError(f"policy is {policy!r}; expected a Policy, such as specaug.LD")
        self.policy = policy
        self.seed = whole("seed", seed)
        self.strength, self.watched = strength, watched
        self.loop = Loop(strength.rise, strength.patience)
        self.share, self.weakened = -1.0, policy  # the strength at the last step, and the policy at it
        self.told: dict[str, float] = {}  # what the loggers were told of them
        self.engine = ""  # which code has applied it, last
        self.in_force: list[tuple[int, str]] = []  # the policy from each step on at which it changed
        self.features, self.lengths, self.ids = features, lengths, ids
        self.links: list[Link] = []  # the hooks that are hung up while training goes on
        self.ahead: list[Drawing | None] = []  # of the batch that is on its way to the device
        self.hidden = torch.zeros(
            3, dtype=torch.float64, device="cpu"
        )  # shares of cells, frames, channels, summed
        self.utterances = 0

    @property
    def state_key(self) -> str:
        """The name of the state in a checkpoint: one for each callback of a trainer that does something of its own."""
        fields = {"features": self.features, "lengths": self.lengths, "ids": self.ids}
        return self._generate_state_key(policy=str(self.policy), seed=self.seed, **fields)

    @property
    def _legacy_state_key(self) -> Any:
        """The name that checkpoints have had in which there could be one callback alone."""
        return type(self).__qualname__

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Draw before the batch goes to its device, and apply there; all of it there where a hook may change the batch."""
        if stage == TrainerFn.FITTING:
            require_hooks(pl_module)
        self.ahead = []
        early = usual(trainer, pl_module, TRANSFER) and usual(trainer, pl_module, AFTER)

        def draw_ahead(batch: Any) -> Any:
            if trainer.training:
                self.ahead = [self.drawn(batch, trainer)]
            return batch

        def apply_there(batch: Any) -> Any:
            if not trainer.training:
                return batch
            return self.applied(batch, self.ahead.pop() if self.ahead else self.drawn(batch, trainer))

        if early:
            self.links.append(hang(trainer, pl_module, BEFORE, draw_ahead))
        self.links.append(hang(trainer, pl_module, AFTER, apply_there))

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Leave the module as it was found."""
        while self.links:
            self.links.pop().undo()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """As at the end: after an error Lightning calls no teardown."""
        self.teardown(trainer, pl_module, "fit")

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Of several ranks the first one carries the sums of all."""
        if trainer.global_rank:
            self.hidden, self.utterances = torch.zeros_like(self.hidden), 0

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Each rank gets the sums of all, and so does the checkpoint."""
        if trainer.world_size > 1:
            sums = torch.tensor([*self.hidden.tolist(), self.utterances], dtype=torch.float64)
            *hidden, utterances = trainer.strategy.reduce(sums.to(pl_module.device), reduce_op="sum").tolist()
            self.hidden, self.utterances = torch.tensor(hidden, dtype=torch.float64), round(utterances)

    def augmented(self, batch: Any, trainer: L.Trainer) -> Any:
        """The batch with its features warped and masked."""
        return self.applied(batch, self.drawn(batch, trainer))

    def drawn(self, batch: Any, trainer: L.Trainer) -> Drawing | None:
        """What happens to the utterances of a batch; None where it stays as it is."""
        if isinstance(batch, Batch) and not batch.weight:  # it stands in for what a rank has no share of
            return None
        features, given = self.read(batch)
        names = self.names(batch, trainer, len(features))
        if len(names) != len(features):
            raise ValueError(f"{self.ids!r} has {len(names)} ids; expected {len(features)}, one an utterance")
        self.utterances += len(features)
        policy = self.policy_at(trainer)
        if policy.idle:
            return None
        lengths = given.cpu()
        draws = draw(policy, lengths, features.shape[2], make_keys(self.seed, trainer.current_epoch, names))
        self.hidden += hidden_shares(draws, lengths, features.shape[2]).sum(dim=1)
        after = draws.shortened(lengths)
        if self.lengths is None and not torch.equal(after, lengths):
            raise ValueError(
                "lengths is None; expected the batch's field of lengths, which SpliceOut changes"
            )
        return Drawing(draws, lengths, after)

    def applied(self, batch: Any, drawing: Drawing | None) -> Any:
        """The batch with what was drawn done to it."""
        if drawing is None:
            return batch
        features = tensor(batch, self.features, "features")
        self.engine = engine_for(features)
        batch = put(batch, self.features, apply(features, drawing.lengths, drawing.draws))
        if self.lengths is None or torch.equal(drawing.after, drawing.lengths):
            return batch
        given = tensor(batch, self.lengths, "lengths")
        return put(batch, self.lengths, moved(drawing.after.to(given.dtype), given.device))

    def read(self, batch: Any) -> tuple[Tensor, Tensor]:
        """Features and lengths of a batch.

        Raises TypeError where they are no tensors, ValueError where they are not there or do not fit.
        """
        features = tensor(batch, self.features, "features")
        lengths = all_frames(features) if self.lengths is None else tensor(batch, self.lengths, "lengths")
        checked(features, lengths, None)
        return features, lengths

    def policy_at(self, trainer: L.Trainer) -> Policy:
        """The policy in force at this step; the loggers are told how strong it is."""
        share = self.strength.at(trainer.global_step, trainer.current_epoch, self.loop.level)
        if share != self.share:
            self.share, self.weakened = share, weakened(self.policy, share, self.strength.of)
            policy = str(self.weakened)
            if not self.in_force or self.in_force[-1][1] != policy:
                self.in_force.append((trainer.global_step, policy))
            self.told = {"policy/strength": share}
            if not self.strength.constant:
                self.told |= dict.fromkeys(curves(self.policy), 0.0) | curves(self.weakened)
        for logger in trainer.loggers:
            logger.log_metrics(self.told, step=trainer.global_step)
        return self.weakened

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """The closed loop hears how a pass over dev went: in training, and from its start on (decision D50)."""
        if not self.strength.rise or trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking:
            return
        own = trainer.callback_metrics.get(self.watched)
        # Without sync_dist each rank has a value of its own: all take rank 0's, which is what loggers are told
        value = trainer.strategy.broadcast(None if own is None else float(own))
        if value is None:
            logged = ", ".join(map(str, trainer.callback_metrics)) or "none"
            raise ValueError(f"watched is {self.watched!r}; expected a logged metric: {logged}")
        if trainer.global_step >= self.strength.start:
            self.loop.heard(value)

    def names(self, batch: Any, trainer: L.Trainer, count: int) -> list[str]:
        """What tells the utterances apart: their ids, or their places in the epoch (decision D51)."""
        if self.ids is not None:
            return named(batch, self.ids, "ids")
        number = trainer.fit_loop.batch_idx + 1  # as the step will be told; it goes on after a resume
        return [f"{trainer.global_rank}/{number}/{place}" for place in range(count)]

    @property
    def masked(self) -> dict[str, float]:
        """The mean share of cells, frames and channels that was hidden in the utterances so far."""
        shares = (self.hidden / max(1, self.utterances)).tolist()
        return dict(zip(("cells", "frames", "channels"), shares, strict=True))

    def state_dict(self) -> dict[str, Any]:
        """The sums, so that a continued run reports the share of the whole; the loop, and the policies so far."""
        loop = {"level": self.loop.level, "best": self.loop.best, "waited": self.loop.waited}
        in_force = [list(entry) for entry in self.in_force]
        return {
            "hidden": self.hidden.clone(),
            "utterances": self.utterances,
            "loop": loop,
            "in_force": in_force,
            "engine": self.engine,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take them back."""
        self.hidden, self.utterances = state_dict["hidden"], state_dict["utterances"]
        self.loop = Loop(self.strength.rise, self.strength.patience, **state_dict["loop"])
        self.in_force = [(step, policy) for step, policy in state_dict["in_force"]]
        self.engine = state_dict.get("engine", "")  # older checkpoints have none
        self.share = -1.0
