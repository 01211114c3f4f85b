"""A run of pretraining as the loggers of ordinary runs show it: its curves, and a batch with what is hidden."""

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import torch

from specaug.augment.patch_grid_masks import PatchHiding
from specaug.speech.corpus import TRAIN
from specaug.study.loggers import Logs
from specaug.study.mirror import Mirror
from specaug.study.pretraining.picture import cells_of
from specaug.study.pretraining.recipe import Pretraining
from specaug.study.views.shown import PICTURES, TAG, Picture, Shown
from specaug.training.data import training_loader
from specaug.training.pretrain_module import hidden_of


@dataclass(frozen=True)
class ShownPretraining(Shown):
    """What is shown of it; the group is the objective."""

    recipe: Pretraining  # type: ignore[assignment]  # what asks for more of a recipe is written anew below
    hiding: PatchHiding

    @property
    def group(self) -> str:
        """The class of the objective."""
        return self.recipe.objective.path.rpartition(".")[2]

    @property
    def tags(self) -> list[str]:
        """As of ordinary runs."""
        return [tag[:TAG] for tag in ("pretraining", self.recipe.corpus.name, self.group, *self.numbered)]

    @property
    def config(self) -> dict[str, Any]:
        """What one filters and groups by on a dashboard."""
        recipe, data = self.recipe, self.data
        given = {"network": recipe.network.arguments, "objective": recipe.objective.arguments}
        return {
            "seed": recipe.seed,
            "fold": getattr(recipe.corpus, "fold", 0),
            "corpus": data.corpus.title,
            "synthetic": data.corpus.synthetic,
            "data_hash": data.fingerprint,
            "network": recipe.network.path,
            "objective": recipe.objective.path,
            **{f"{what}.{name}": value for what, those in given.items() for name, value in those.items()},
            **{
                f"hidden.{name}": getattr(recipe.hidden, name)
                for name in ("share", "number", "c_low", "c_high")
            },
        }

    def pictures(self) -> list[Picture]:
        """The first batch of training, each utterance with its hidden cells at 0 above itself."""
        recipe, options = self.recipe, self.recipe.training
        loader = training_loader(self.data.parts[TRAIN], options.batch, recipe.seed, frames=options.frames)
        batch = next(iter(loader))
        _, time, mel = batch.features.shape
        hidden = cells_of(hidden_of(self.hiding, batch, recipe.seed, 0), self.hiding, time, mel)
        both = torch.cat([batch.features, batch.features.masked_fill(hidden, 0.0)], dim=2)[:PICTURES]
        shades = ((both.transpose(1, 2).flip(1) + 2) / 4).clamp(0, 1)  # two deviations either way
        colours = mpl.colormaps["viridis"]
        return [
            Picture(name, colours(shade.numpy(), bytes=True)[..., :3])
            for shade, name in zip(shades, batch.ids, strict=False)
        ]


class PretrainMirror(Mirror):
    """The rows of `curves.csv`, each once; there are no transcripts to show in the end."""

    def __init__(self, shown: ShownPretraining, logs: Logs) -> None:
        self.shown = shown
        self.logs = logs
        self.view = None
        self.told = 0
