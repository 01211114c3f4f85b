"""W&B: a view of what the run folder holds, offline unless the user asks otherwise."""

import os
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from lightning.pytorch.loggers import Logger, WandbLogger

from specaug.augment.apply import apply
from specaug.augment.draws import draw
from specaug.augment.keys import make_keys
from specaug.errors import UserError
from specaug.speech.corpus import TRAIN
from specaug.speech.prepare import Prepared
from specaug.study.expected import expected
from specaug.study.recipe import Recipe
from specaug.training.data import training_loader
from specaug.training.fit import Outcome

TABLE_ROWS = 50  # utterances of each part in the table of hypotheses
PICTURES = 4  # utterances in the picture of an augmented batch


class Mirror:
    """A W&B run beside a run of ours: project = experiment, group = policy. Closed whatever happens.

    WANDB_MODE=disabled, set by the user, leaves it out.
    """

    def __init__(
        self, experiment: str, recipe: Recipe, name: str, folder: Path, data: Prepared, online: bool
    ) -> None:
        self.recipe, self.data, self.folder = recipe, data, folder
        self.wanted: dict[str, Any] = {
            "name": f"{recipe.policy.label} seed {recipe.seed}",
            "id": name,
            "project": experiment,
            "dir": folder,
            "mode": "online" if online else "offline",
            "group": recipe.policy.label,
            "job_type": "train",
            "tags": [recipe.corpus.name, recipe.policy.label, f"seed {recipe.seed}"],
            "config": flat(recipe, data),
            "resume": "allow" if online else None,
        }
        self.run: Any = None
        self.stack = ExitStack()  # what is to be undone

    def __enter__(self) -> "Mirror":
        if os.environ.get("WANDB_MODE") == "disabled":
            return self
        import wandb

        if "WANDB_DATA_DIR" not in os.environ:  # artifacts stay with the run, and the next run has its own
            os.environ["WANDB_DATA_DIR"] = str(self.folder / "wandb")
            self.stack.callback(os.environ.pop, "WANDB_DATA_DIR")
        try:
            self.run = wandb.init(**self.wanted, settings=wandb.Settings(silent=True))
            self.run.define_metric("epoch")
            for key in ("train/loss", "dev/loss", "dev/wer", "dev/cer"):
                self.run.define_metric(key, step_metric="epoch", summary="min")
            self.picture()
        except wandb.Error as error:
            self.__exit__(type(error), error, None)
            raise UserError(f"W&B: {error}; expected that, or a start without --online") from None
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.stack:
            if self.run is not None:
                self.run.finish(exit_code=0 if kind is None else 1)

    @property
    def loggers(self) -> list[Logger]:
        """For the trainer."""
        return [] if self.run is None else [WandbLogger(experiment=self.run)]

    def picture(self) -> None:
        """Log the first batch of training, before and after augmentation."""
        import matplotlib as mpl
        import wandb

        recipe = self.recipe
        batch = next(iter(training_loader(self.data.parts[TRAIN], recipe.training.batch, recipe.seed)))
        keys = make_keys(recipe.seed, 0, batch.ids)
        draws = draw(recipe.policy.policy(), batch.lengths, recipe.features.mel, keys)
        masked = apply(batch.features, batch.lengths, draws)
        both = torch.cat([batch.features, masked], dim=2)[:PICTURES]  # the masked one above the clean one
        shades = ((both.transpose(1, 2).flip(1) + 2) / 4).clamp(0, 1)  # two deviations either way
        pictures = [
            wandb.Image(mpl.colormaps["viridis"](shade.numpy(), bytes=True)[..., :3], caption=name)
            for shade, name in zip(shades, batch.ids, strict=False)
        ]
        self.run.log({"augmented batch": pictures})

    def finish(self, outcome: Outcome) -> None:
        """Log the table of hypotheses and the final error rates."""
        import wandb

        if self.run is None:
            return
        rows = [
            [part, t.id, t.reference, t.hypothesis, t.words.errors, t.words.total]
            for part, scores in outcome.parts.items()
            for t in scores.transcripts[:TABLE_ROWS]
        ]
        columns: list[str | int] = ["part", "id", "reference", "hypothesis", "errors", "words"]
        run = self.run
        run.log({"hypotheses": wandb.Table(columns=columns, data=rows)})
        for part, scores in outcome.parts.items():
            run.summary[f"{part}/final_wer"] = scores.words.rate
            run.summary[f"{part}/final_cer"] = scores.characters.rate
        run.summary["masked"] = dict(outcome.masked)


def flat(recipe: Recipe, data: Prepared) -> dict[str, Any]:
    """What one filters and groups by on a dashboard."""
    policy = {name: value for name, value in asdict(recipe.policy).items() if name not in ("name", "label")}
    hidden = expected(recipe, data)
    return {
        "policy": recipe.policy.label,
        **policy,
        "seed": recipe.seed,
        "fold": getattr(recipe.corpus, "fold", 0),
        "expected_masked": None if hidden is None else asdict(hidden),
        "corpus": data.corpus.title,
        "synthetic": data.corpus.synthetic,
        "data_hash": data.fingerprint,
        "network": recipe.network.path,
        **{f"network.{name}": value for name, value in recipe.network.arguments.items()},
    }
