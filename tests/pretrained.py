"""What the tests of pretraining runs share: a recipe of a second, a corpus of tones without transcripts, a finished run."""

from pathlib import Path

from pretexts import small
from torch import nn

from models.pretext import Pretext
from models.ssast import SSAST, Generative
from specaug.augment.patch_grid import PatchGrid
from specaug.augment.patch_grid_masks import PatchHiding
from specaug.speech.options import Features
from specaug.speech.prepare import Prepared
from specaug.study.pretraining.data import unlabelled
from specaug.study.pretraining.recipe import Hidden, Pretraining
from specaug.training.options import Training
from specaug.training.pretrain import PretrainJob
from specaug.training.schedule import Schedule

ENCODER = "{width: 12, depth: 2, heads: 2, t: 2, f: 32, frames: 64, dropout: 0.1}"
RECIPE = f"""corpus: {{name: manifests, train: data/train.jsonl, dev: data/dev.jsonl, test: [data/test.jsonl]}}
features: {{mel: 32}}
network: {{arguments: {ENCODER}}}
hidden: {{share: 0.6, c_low: 2, c_high: 3}}
training: {{batch: 2, peak: 1e-2, schedule: {{s_r: 2, s_i: 6, s_f: 12}}}}
"""
HIDING = PatchHiding(grid=PatchGrid(t=2, f=16), share=0.6)


def recipe_in(laboratory: Path, text: str = RECIPE) -> Path:
    """The recipe of pretraining in a laboratory: four epochs of three steps."""
    path = laboratory / "experiments" / "pretraining" / "tiny.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def pictures_of(prepared: Prepared, folder: Path, hiding: PatchHiding = HIDING) -> Prepared:
    """The tones of the stand-ins as pretraining takes them."""
    recipe = Pretraining(features=Features(mel=16), hidden=Hidden(share=hiding.share))
    return unlabelled(prepared.corpus, recipe, hiding, folder)


def objective(kind: type[Pretext] = Generative, dropout: float = 0.0) -> Pretext:
    """A small one of 2 frames by all 16 channels."""
    return kind(small(t=2, f=16, dropout=dropout))  # type: ignore[arg-type]


def job(
    prepared: Prepared, folder: Path, network: nn.Module | None = None, steps: int = 12, **changes: object
) -> PretrainJob:
    """Epochs of three steps; what belongs to the options of training goes there."""
    known = {name: changes.pop(name) for name in list(changes) if name in Training.__dataclass_fields__}
    schedule = Schedule(s_r=2, s_i=steps // 2, s_f=steps)
    from specaug.augment.policy import NONE

    folder.mkdir(parents=True, exist_ok=True)
    given = {
        "network": objective() if network is None else network,
        "policy": NONE,
        "seed": 0,
        "hiding": HIDING,
        "measures": ["loss", "reconstruction"],
        **changes,
    }
    if isinstance(given["network"], SSAST):
        given["measures"] = ["loss", "reconstruction", "contrastive", "retrieval"]
    options = Training(**{"batch": 2, "peak": 0.01, "schedule": schedule, **known})  # type: ignore[arg-type]
    return PretrainJob(prepared=prepared, options=options, folder=folder, **given)  # type: ignore[arg-type]
