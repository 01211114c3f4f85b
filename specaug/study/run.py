"""One run: from a recipe to a folder with its result."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from specaug.speech.classes import Classes, labels_of
from specaug.speech.corpus import TRAIN
from specaug.speech.kinds import Tell
from specaug.speech.prepare import Prepared, prepare
from specaug.study.any_run import AnyRun, stamp
from specaug.study.attempts import held
from specaug.study.came_out import hypotheses, summary
from specaug.study.choice import SYMBOLS
from specaug.study.corpora import open_corpus
from specaug.study.cost.memory import parameters_of, require_room, require_weights
from specaug.study.decoders import decoders, require_decodings
from specaug.study.expected import expected
from specaug.study.laboratory import on_path
from specaug.study.load import as_yaml
from specaug.study.loggers import OFFLINE, Logs
from specaug.study.mirror import Mirror
from specaug.study.networks import network_of, outputs_of
from specaug.study.origin import FINGERPRINT, left_out, same_data
from specaug.study.places import replaced, space, writable
from specaug.study.pretraining.first import begin_with, made, start_in, told_of
from specaug.study.pretraining.start import require_heard, same_start, start_of
from specaug.study.recipe import Recipe
from specaug.study.results import HYPOTHESES, RECIPE, RESULT
from specaug.study.views.shown import Ending
from specaug.training.callbacks import Progress
from specaug.training.fit import Decoder, Job, Outcome, train
from specaug.training.ranks import enough
from specaug.training.smoothing import require_smoothing
from specaug.training.trial import dry_run, try_decoders


@dataclass(frozen=True)
class Run(AnyRun):
    """A run that recognises something."""

    recipe: Recipe

    @property
    def name(self) -> str:
        """Policy, fold where there is one, and seed."""
        fold = getattr(self.recipe.corpus, "fold", None)
        parts = [
            self.recipe.policy.label,
            None if fold is None else f"fold {fold}",
            f"seed {self.recipe.seed}",
        ]
        return ", ".join(part for part in parts if part)

    @property
    def home(self) -> Path:
        """A folder of the experiment's name."""
        return self.places.runs / self.experiment


def prepared_run(
    run: Run, loading: Tell = lambda *_: None, say: Callable[[str], None] = lambda what: None
) -> tuple[nn.Module, Prepared, list[Decoder]]:
    """The run's network with its initial weights, its data and its ways of decoding; all is checked on the way.

    The weights depend on the seed alone, so that policies are compared from the same start. Where the corpus says how
    many labels there are it comes first.
    """
    recipe, places = run.recipe, run.places
    enough(recipe.training.devices)
    require_weights(recipe, places.laboratory)
    corpus = open_corpus(recipe.corpus, places, loading) if recipe.text.classes else None
    labels = recipe.text.labels if corpus is None else labels_of(corpus, recipe.text)
    torch.set_num_threads(1)  # the order of a sum depends on the number of threads, and so do the bits
    torch.manual_seed(recipe.seed)
    network = network_of(recipe, labels, places.laboratory)
    kept = begin_with(recipe, network, places, loading)
    require_smoothing(network, recipe.training.label_smoothing)
    require_decodings(recipe, network)
    data = prepare(
        corpus or open_corpus(recipe.corpus, places, loading),
        recipe.features,
        recipe.text,
        lambda frames: outputs_of(network, frames),
        writable(places.cache),
        loading,
    )
    if kept:
        require_heard(kept, recipe.features, data.rate)
    train = data.parts[TRAIN]
    require_room(network, train, recipe.training)
    classes = len(data.units.tokens) if isinstance(data.units, Classes) else 0
    at_once = recipe.training.at_once(max(train.frames))
    dry_run(network, train, at_once, classes)
    decoded = decoders(recipe, data, places, loading, say)
    try_decoders(network, train, at_once, decoded)
    return network, data, decoded


def check(
    run: Run, loading: Tell = lambda *_: None, say: Callable[[str], None] = lambda what: None
) -> Prepared:
    """The run's data, after everything that can be wrong before training was looked at."""
    writable(run.places.runs)
    with on_path(run.places.laboratory), space(run.places.cache):
        return prepared_run(run, loading, say)[1]


def execute(
    run: Run,
    logs: Logs = OFFLINE,
    loading: Tell = lambda *_: None,
    training: Callable[[Progress], None] = lambda progress: None,
    attempt: str = "",
    say: Callable[[str], None] = lambda what: None,
) -> Path:
    """The folder of the finished run: from disk where it is there, else trained, or continued.

    An `attempt` by name trains in a folder of its own, beside others that may be at the same run; `say` is told what
    is skipped, and how good a new language model is. Raises UserError for a mistake in the recipe or the data, before
    training starts.
    """
    if run.finished:
        return run.folder
    writable(run.places.runs)
    made(
        run.recipe, run.places, logs, loading, training, f"{run.experiment}-{attempt}" if attempt else "", say
    )
    started = time.monotonic()
    with on_path(run.places.laboratory):  # to the end: ranks import the network from there
        with space(run.places.cache):
            network, data, decoded = prepared_run(run, loading, say)
        same_data([run.folder], data)
        if data.skipped:
            say(left_out(data))
        with held(run.folder, attempt) as folder:
            if not run.finished:  # another attempt may have been first
                outcome = trained(run, folder, network, data, decoded, logs, training)
                write(run, folder, network, data, outcome, time.monotonic() - started)
    return run.folder


def trained(
    run: Run,
    folder: Path,
    network: nn.Module,
    data: Prepared,
    decoded: Sequence[Decoder],
    logs: Logs,
    report: Callable[[Progress], None],
) -> Outcome:
    """Train in a folder that nobody else is at."""
    recipe = run.recipe
    same_start(folder, start_in(recipe, run.places), run.places.laboratory)
    replaced(folder / RECIPE, as_yaml(recipe))
    replaced(folder / FINGERPRINT, data.fingerprint)
    with Mirror(run.experiment, recipe, run.id, folder, data, logs) as mirror:
        outcome = train(
            Job(
                network=network,
                prepared=data,
                policy=recipe.policy.policy(),
                strength=recipe.policy.strength,
                seed=recipe.seed,
                options=recipe.training,
                decoders=decoded,
                folder=folder,
                loggers=mirror.loggers,
                report=report,
            )
        )
        mirror.finish(Ending.of(outcome))
    return outcome


def write(
    run: Run, folder: Path, network: nn.Module, data: Prepared, outcome: Outcome, seconds: float
) -> None:
    """Write the hypotheses, then the result: a folder with a result is a finished run."""
    lines = [
        json.dumps(row, ensure_ascii=False)
        for part, scores in outcome.parts.items()
        for row in hypotheses(part, scores, data)
    ]
    replaced(folder / HYPOTHESES, "".join(f"{line}\n" for line in lines))
    recipe = run.recipe
    result: dict[str, Any] = {
        **stamp(run, data, seconds),
        "policy": {name: getattr(recipe.policy, name) for name in ("label", "name", *SYMBOLS, "operations")},
        "network": {**told_of(recipe, run.places), **start_of(folder), "parameters": parameters_of(network)},
        "alphabet": recipe.text.alphabet,
        "parts": {part: summary(scores) for part, scores in outcome.parts.items()},
        "decodings": {label: dict(told) for label, told in outcome.decoded.items()},
        "masked": dict(outcome.masked),
        "expected": None if (share := expected(run.recipe, data)) is None else asdict(share),
        "in_force": [list(entry) for entry in outcome.in_force],
        "engine": outcome.engine,
        "epochs": outcome.epochs,
        "steps": outcome.steps,
    }
    replaced(folder / RESULT, json.dumps(result, indent=2, ensure_ascii=False) + "\n")
