"""One run of pretraining: from a recipe to a folder with its result and its encoder."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from specaug.augment.patch_grid import PatchGrid
from specaug.augment.patch_grid_masks import PatchHiding
from specaug.augment.policy import NONE
from specaug.errors import UserError
from specaug.speech.corpus import DEV, TRAIN
from specaug.speech.kinds import Tell
from specaug.speech.prepare import Prepared
from specaug.study.any_run import AnyRun, stamp
from specaug.study.attempts import held
from specaug.study.corpora import open_corpus
from specaug.study.cost.memory import parameters_of, require_room
from specaug.study.laboratory import on_path
from specaug.study.load import as_yaml, load_as
from specaug.study.loggers import OFFLINE, Logs
from specaug.study.networks import constructed
from specaug.study.origin import FINGERPRINT, left_out, same_data
from specaug.study.places import replaced, space, writable
from specaug.study.pretraining import picture
from specaug.study.pretraining.data import unlabelled
from specaug.study.pretraining.kept import KEPT, keep
from specaug.study.pretraining.mirror import PretrainMirror, ShownPretraining, ending_of
from specaug.study.pretraining.recipe import Pretraining
from specaug.study.recipe import Network
from specaug.study.results import PRETRAINING, RECIPE, RESULT
from specaug.training.callbacks import Progress
from specaug.training.pretrain import Pretrained, PretrainJob, dry_run, pretrain
from specaug.training.pretrain_contract import answering
from specaug.training.pretrain_module import pretext_loss


@dataclass(frozen=True)
class PretrainRun(AnyRun):
    """A run of a pretraining."""

    recipe: Pretraining

    @property
    def name(self) -> str:
        """Fold, where there is one, and seed."""
        fold = getattr(self.recipe.corpus, "fold", None)
        return f"{'' if fold is None else f'fold {fold}, '}seed {self.recipe.seed}"

    @property
    def home(self) -> Path:
        """Apart from the runs that recognise something."""
        return self.places.runs / PRETRAINING / self.experiment

    @staticmethod
    def read(path: Path) -> Pretraining:
        """A recipe of a pretraining."""
        return load_as(Pretraining, path)


@dataclass(frozen=True)
class Ready:
    """A run before its first step: all that can be wrong was looked at."""

    network: nn.Module  # the objective around the encoder
    data: Prepared
    hiding: PatchHiding
    measures: list[str]  # on dev


def ready(run: PretrainRun, loading: Tell = lambda *_: None) -> Ready:
    """The run's network with its initial weights, which depend on the seed alone, and its data."""
    recipe, places = run.recipe, run.places
    torch.set_num_threads(1)  # the order of a sum depends on the number of threads, and so do the bits
    torch.manual_seed(recipe.seed)
    network = built(recipe, places.laboratory)
    hiding = hiding_of(recipe, answering(network).encoder)
    corpus = open_corpus(recipe.corpus, places, loading)
    data = unlabelled(corpus, recipe, hiding, writable(places.cache), loading)
    train = data.parts[TRAIN]
    require_room(network, train, recipe.training, loss=partial(pretext_loss, hiding))
    measures = dry_run(network, train, recipe.training.at_once(max(train.frames)), hiding)
    if recipe.choose not in measures:
        raise UserError(
            f"choose is {recipe.choose}; expected {' or '.join(measures)}: {recipe.objective.path} tells no other"
        )
    if recipe.choose != "loss" and recipe.training.report == "last":
        why = f"choose: {recipe.choose} says which checkpoint is the best, and the last one is kept"
        raise UserError(f"training.report is last; expected best: {why}")
    return Ready(network, data, hiding, measures)


def built(recipe: Pretraining, laboratory: Path) -> nn.Module:
    """The objective around its encoder. Raises UserError where a path, an argument or a patch does not fit."""
    inner = Network(path=recipe.network.path, arguments=recipe.network.arguments)
    encoder = constructed(inner, ("forward",), laboratory, "encoder", mel=recipe.features.mel)
    if not hasattr(encoder, "cut"):
        raise UserError(
            f"encoder {inner.path} has no attribute 'cut'; expected what says how large a patch is"
        )
    outer = Network(path=recipe.objective.path, arguments=recipe.objective.arguments)
    calls = ("loss", "reconstruction")
    network = constructed(outer, calls, laboratory, "objective", encoder=encoder)
    if getattr(network, "encoder", None) is not encoder:
        raise UserError(
            f"objective {outer.path} has no attribute 'encoder'; expected the encoder that it is given"
        )
    return network


def hiding_of(recipe: Pretraining, encoder: nn.Module) -> PatchHiding:
    """What is hidden, in the encoder's own patches."""
    cut: Any = encoder.cut
    grid = PatchGrid(t=cut.t, f=cut.f, stride_t=cut.down, stride_f=cut.across)
    try:
        return PatchHiding(grid=grid, **asdict(recipe.hidden))
    except ValueError as error:
        raise UserError(f"hidden: {error}") from None


def execute(
    run: PretrainRun,
    logs: Logs = OFFLINE,
    loading: Tell = lambda *_: None,
    training: Callable[[Progress], None] = lambda progress: None,
    say: Callable[[str], None] = lambda what: None,
    attempt: str = "",
) -> Path:
    """The folder of the finished run: from disk where it is there, else trained, or continued.

    An `attempt` by name trains in a folder of its own, as an ordinary run's does; `say` is told what is skipped. Raises
    UserError for a mistake in the recipe or the data, before training starts, and Busy where another is at the run.
    """
    if run.finished:
        return run.folder
    started = time.monotonic()
    writable(run.places.runs)
    with on_path(run.places.laboratory):
        with space(run.places.cache):
            prepared = ready(run, loading)
        same_data([run.folder], prepared.data)
        if prepared.data.skipped:
            say(left_out(prepared.data))
        with held(run.folder, attempt) as folder:
            if not run.finished:  # another process may have been first
                outcome, shown = trained(run, folder, prepared, logs, training)
                write(run, folder, prepared, outcome, shown, time.monotonic() - started)
    return run.folder


def trained(
    run: PretrainRun, folder: Path, prepared: Ready, logs: Logs, report: Callable[[Progress], None]
) -> tuple[Pretrained, list[picture.Rebuilt]]:
    """Train in a folder that nobody else is at; what came out, and some utterances of dev as the network tells them."""
    recipe, data = run.recipe, prepared.data
    replaced(folder / RECIPE, as_yaml(recipe))
    replaced(folder / FINGERPRINT, data.fingerprint)
    title = f"{PRETRAINING}-{run.experiment}"  # a project of its own
    shown = ShownPretraining(title, recipe, run.id, folder, data, prepared.hiding, prepared.measures)
    with PretrainMirror(shown, logs) as mirror:
        outcome = pretrain(
            PretrainJob(
                network=prepared.network,
                prepared=data,
                policy=NONE,
                seed=recipe.seed,
                options=recipe.training,
                folder=folder,
                loggers=mirror.loggers,
                report=report,
                hiding=prepared.hiding,
                measures=prepared.measures,
                choose=recipe.choose,
            )
        )
        rebuilt = picture.rebuilt(prepared.network, data.parts[DEV], prepared.hiding)
        mirror.finish(ending_of(outcome, rebuilt))
    return outcome, rebuilt


def write(
    run: PretrainRun,
    folder: Path,
    prepared: Ready,
    outcome: Pretrained,
    shown: list[picture.Rebuilt],
    seconds: float,
) -> None:
    """Write the encoder and the picture, then the result: a folder with a result is a finished run."""
    recipe, data, network = run.recipe, prepared.data, prepared.network
    encoder = answering(network).encoder
    keep(encoder, recipe, data.rate, folder / KEPT)
    title = f"{run.experiment}, {run.name}: {recipe.objective.path}, utterances of {DEV}"
    picture.save(shown, recipe.features.shift, title, folder)
    result: dict[str, Any] = {
        **stamp(run, data, seconds),
        "network": {**asdict(recipe.network), "parameters": parameters_of(encoder)},
        "objective": {**asdict(recipe.objective), "parameters": parameters_of(network)},
        "hidden": asdict(recipe.hidden),
        "choose": recipe.choose,
        "kept": recipe.training.report,
        "final": dict(outcome.final),
        "best": dict(outcome.best),
        "epochs": outcome.epochs,
        "steps": outcome.steps,
    }
    replaced(folder / RESULT, json.dumps(result, indent=2, ensure_ascii=False) + "\n")
