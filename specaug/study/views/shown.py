"""What every logger shows of a run: names, config and pictures before its first step, transcripts at its end."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from specaug.augment.apply import apply
from specaug.augment.draws import draw
from specaug.augment.keys import make_keys
from specaug.speech.batching import Batch
from specaug.speech.corpus import TRAIN
from specaug.speech.prepare import Prepared
from specaug.study.expected import UNKNOWN, expected
from specaug.study.recipe import Recipe
from specaug.training.data import training_loader
from specaug.training.fit import Outcome

TABLE_ROWS = 50  # utterances of each part in the table of hypotheses
PICTURES = 4  # utterances in the picture of an augmented batch
TAG = 64  # characters that W&B takes
COLUMNS = ("part", "id", "reference", "hypothesis", "errors", "words")  # of the table

Row = Mapping[str, int | float]  # of `curves.csv`


class Picture(NamedTuple):
    """An utterance, several times one above the other: (their mel, frames, 3), red, green, blue."""

    utterance: str
    pixels: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Ending:
    """What a run came to: its numbers by name; of transcripts the first ones, of a pretraining what it reconstructs."""

    numbers: Mapping[str, int | float]
    masked: Mapping[str, float] = field(default_factory=dict)
    transcripts: Sequence[list[str | int]] = ()  # under COLUMNS
    reconstructions: Sequence[Picture] = ()

    @staticmethod
    def of(outcome: Outcome) -> "Ending":
        """That of an ordinary run."""
        return Ending(rates(outcome), dict(outcome.masked), transcripts(outcome))


@runtime_checkable
class View(Protocol):
    """A logger's side of a run. It is closed whatever happens."""

    def begin(self) -> None:
        """Show what is known before the first step."""

    def row(self, row: Row) -> None:
        """Show a row of `curves.csv`, unless it is shown already."""

    def end(self, ending: Ending) -> None:
        """Show what came out."""

    def close(self, failed: bool) -> None:
        """Let go of everything."""


@dataclass(frozen=True)
class Shown:
    """A run that is shown, and the folder that it is written to."""

    experiment: str
    recipe: Recipe
    id: str
    folder: Path
    data: Prepared

    batch: ClassVar[str] = "augmented batch"  # what the pictures are of

    @property
    def curves(self) -> list[str]:
        """What is drawn over epochs."""
        return ["train/loss", "dev/loss", "dev/wer", "dev/cer"]

    @property
    def group(self) -> str:
        """The policy: what runs are grouped by."""
        return self.recipe.policy.label

    @property
    def name(self) -> str:
        """Policy, fold where there is one, and seed."""
        return " ".join((self.group, *self.numbered))

    @property
    def tags(self) -> list[str]:
        """The corpus, and what tells the run from its siblings."""
        return [tag[:TAG] for tag in (self.recipe.corpus.name, self.group, *self.numbered)]

    @property
    def numbered(self) -> list[str]:
        """Fold, where there is one, and seed."""
        fold = getattr(self.recipe.corpus, "fold", None)
        return [*([] if fold is None else [f"fold {fold}"]), f"seed {self.recipe.seed}"]

    @property
    def config(self) -> dict[str, Any]:
        """What one filters and groups by on a dashboard."""
        recipe, data = self.recipe, self.data
        policy = {
            name: value for name, value in asdict(recipe.policy).items() if name not in ("name", "label")
        }
        hidden = expected(recipe, data)
        return {
            "policy": recipe.policy.label,
            **policy,
            "seed": recipe.seed,
            "fold": getattr(recipe.corpus, "fold", 0),
            "expected_masked": UNKNOWN if hidden is None else asdict(hidden),
            "corpus": data.corpus.title,
            "synthetic": data.corpus.synthetic,
            "data_hash": data.fingerprint,
            "network": recipe.network.path,
            **{f"network.{name}": value for name, value in recipe.network.arguments.items()},
        }

    def pictures(self) -> list[Picture]:
        """The first batch of training, each utterance after augmentation above itself before it."""
        recipe = self.recipe
        batch = next(iter(training_loader(self.data.parts[TRAIN], recipe.training.batch, recipe.seed)))
        keys = make_keys(recipe.seed, 0, batch.ids)
        draws = draw(recipe.policy.policy(), batch.lengths, recipe.features.mel, keys)
        masked = apply(batch.features, batch.lengths, draws)
        return above(batch, masked)


def above(batch: Batch, masked: Float[Tensor, "batch time mel"]) -> list[Picture]:
    """The first utterances of a batch, each with what is left of it above itself."""
    pairs = zip(batch.ids[:PICTURES], batch.features, masked, strict=False)
    return [stacked(name, [clean, hidden]) for name, clean, hidden in pairs]


def stacked(utterance: str, layers: Sequence[Float[Tensor, "time mel"]]) -> Picture:
    """Features of one utterance one above the other, the first one at the bottom."""
    import matplotlib as mpl

    shades = ((torch.cat([*layers], dim=1).T.flip(0) + 2) / 4).clamp(0, 1)  # two deviations either way
    return Picture(utterance, mpl.colormaps["viridis"](shades.numpy(), bytes=True)[..., :3])


def transcripts(outcome: Outcome) -> list[list[str | int]]:
    """The rows of the table of hypotheses, under COLUMNS."""
    return [
        [part, t.id, t.reference, t.hypothesis, t.words.errors, t.words.total]
        for part, scores in outcome.parts.items()
        for t in scores.transcripts[:TABLE_ROWS]
    ]


def rates(outcome: Outcome) -> dict[str, float]:
    """The final error rates, as shares of the words and characters of each part; of classes also what is right."""
    found = {}
    for part, scores in outcome.parts.items():
        found[f"{part}/final_wer"] = scores.words.rate
        found[f"{part}/final_cer"] = scores.characters.rate
        if scores.map is not None:
            found |= {f"{part}/final_accuracy": 1 - scores.words.rate, f"{part}/final_map": scores.map}
    return found


def numbers(row: Mapping[str, str]) -> Row:
    """A row of `curves.csv` without what was not measured in that epoch."""
    return {
        name: int(text) if name in ("epoch", "step") else float(text) for name, text in row.items() if text
    }
