"""A run of pretraining as the loggers of ordinary runs show it: its curves, and a batch with what is hidden."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from specaug.augment.patch_grid_masks import PatchHiding
from specaug.speech.corpus import DEV, TRAIN
from specaug.study.loggers import Logs
from specaug.study.mirror import Mirror
from specaug.study.pretraining.picture import Rebuilt, cells_of
from specaug.study.pretraining.recipe import Pretraining
from specaug.study.views.shown import TAG, Ending, Picture, Shown, above, stacked
from specaug.training.data import training_loader
from specaug.training.pretrain import Pretrained
from specaug.training.pretrain_module import hidden_of


@dataclass(frozen=True)
class ShownPretraining(Shown):
    """What is shown of it; the group is the objective."""

    recipe: Pretraining  # type: ignore[assignment]  # what asks for more of a recipe is written anew below
    hiding: PatchHiding
    measures: Sequence[str]  # of train and dev
    batch: ClassVar[str] = "masked batch"

    @property
    def curves(self) -> list[str]:
        """What is drawn over epochs."""
        return [f"{part}/{name}" for part in (TRAIN, DEV) for name in self.measures]

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
        return above(batch, batch.features.masked_fill(hidden, 0.0))


class PretrainMirror(Mirror):
    """The rows of `curves.csv`, each once; there are no transcripts to show in the end."""

    def __init__(self, shown: ShownPretraining, logs: Logs) -> None:
        self.shown = shown
        self.logs = logs
        self.view = None
        self.told = 0


def ending_of(outcome: Pretrained, shown: Sequence[Rebuilt]) -> Ending:
    """The measures on dev, and utterances: below as they are, then as the network sees them, above as it tells them."""
    ways = {"final": outcome.final, "best": outcome.best}
    numbers = {f"{DEV}/{way}_{name}": value for way, told in ways.items() for name, value in told.items()}
    layers = ((one, [one.features, one.features.masked_fill(one.hidden, 0.0), one.told]) for one in shown)
    return Ending(numbers, reconstructions=[stacked(one.id, each) for one, each in layers])
