"""Recipes: frozen dataclasses written as YAML, nothing more."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Tag

from specaug.augment.policy import written
from specaug.speech.corpora.options import (
    CorpusOptions,
    Esc50,
    Folded,
    Fsdd,
    LibriSpeech,
    Manifests,
    SpeechCommands,
    Spoken,
    Switchboard,
)
from specaug.speech.options import Features, Text
from specaug.study.choice import PolicyChoice, check_scale, spelled
from specaug.training.decoding import Decoding
from specaug.training.options import Training

SEEDS = 2**63  # what torch and the keys of draws take


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """The pretraining that each run makes first, with its own seed and fold: a recipe by its file, with overrides.

    A recipe that was read holds what that file says instead, under `content`, and the pretraining's name alone.
    """

    recipe: str  # a path that is relative to the recipe that names it
    overrides: tuple[str, ...] = ()
    content: Mapping[str, Any] = field(default_factory=dict)  # without a seed of its own

    def __post_init__(self) -> None:
        if self.content and not re.fullmatch(r"[^/\\]+(?<!\.yaml)", self.recipe):
            raise ValueError(f"recipe is {self.recipe!r}; expected a name beside content, or a file alone")


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network by the dotted path of its class; the arguments are given to it by name."""

    path: str = "models.bilstm.BiLSTMCTC"
    arguments: Mapping[str, int | float | str | bool] = field(default_factory=dict)
    init: str = ""  # encoder.safetensors of a pretraining: a path that is relative to the laboratory
    pretraining: Pretrained | None = None  # instead: one that each run makes itself
    freeze: Literal["none", "encoder"] = "none"  # what is not trained

    def __post_init__(self) -> None:
        if self.init and self.pretraining:
            raise ValueError(f"init is {self.init}, and there is a pretraining; expected one of the two")

    @property
    def start(self) -> str:
        """What the weights start from, for people: a file, a pretraining by its name and what it is, or none."""
        if self.pretraining:
            return f"{self.pretraining.recipe}-{digest(self.pretraining.content)}"
        return self.init or "none"


def named(value: Any) -> Any:
    """A corpus may be written as its name alone."""
    return {"name": value} if isinstance(value, str) else value


def corpus_name(value: Any) -> str:
    """Which corpus the options are for."""
    return str(value.get("name", "") if isinstance(value, dict) else getattr(value, "name", ""))


AnyPolicy = Annotated[PolicyChoice, BeforeValidator(spelled)]
AnyCorpus = Annotated[
    Annotated[Fsdd, Tag("fsdd")]
    | Annotated[Spoken, Tag("spoken")]
    | Annotated[LibriSpeech, Tag("librispeech")]
    | Annotated[Manifests, Tag("manifests")]
    | Annotated[Switchboard, Tag("switchboard")]
    | Annotated[SpeechCommands, Tag("speech_commands")]
    | Annotated[Esc50, Tag("esc50")],
    Discriminator(corpus_name),
    BeforeValidator(named),
]
CORPORA = ("fsdd", "spoken", "librispeech", "manifests", "switchboard", "speech_commands", "esc50")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An experiment: one corpus, one network, one way of training; some policies, seeds and folds.

    A run is one policy with one seed (and one fold): `policy`, `seed` and the corpus's `fold` name it, and
    `policies`, `seeds` and `folds` say which runs an ablation makes.
    """

    corpus: AnyCorpus = field(default_factory=Spoken)
    features: Features = field(default_factory=Features)
    text: Text = field(default_factory=Text)
    network: Network = field(default_factory=Network)
    training: Training = field(default_factory=Training)
    decodings: tuple[Decoding, ...] = ()  # beside the greedy one
    policy: AnyPolicy = field(default_factory=PolicyChoice)
    seed: int = 0
    # Multiplies the W and T of every policy that says none itself, for utterances shorter than the paper's
    scale: float = 1.0
    policies: tuple[AnyPolicy, ...] = tuple(PolicyChoice(name=name) for name in ("None", "LB", "LD"))
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    folds: tuple[int, ...] = ()
    caption: str = ""  # printed below the table: what the reader sees, and why

    def __post_init__(self) -> None:
        if not all(0 <= seed < SEEDS for seed in (self.seed, *self.seeds)):
            given = (self.seed, *self.seeds)
            raise ValueError(f"seeds are {given}; expected whole numbers, 0 or more and below {SEEDS}")
        check_scale(self.scale)
        whole = [self.scaled(choice).resolved() for choice in self.policies]
        each_once("policies", whole, [choice.label for choice in whole])
        each_once("seeds", self.seeds, self.seeds)
        each_once("folds", self.folds, self.folds)
        labels = [decoding.label for decoding in self.decodings]
        each_once("decodings", labels, labels)
        if self.folds and not isinstance(self.corpus, Folded):
            raise ValueError(f"folds are {self.folds}; the corpus {self.corpus.name} has none")
        for fold in self.folds:
            self._folded(fold)
        for choice in (self.policy, *self.policies):
            fits(choice, self.features.mel)

    def run(self) -> "Recipe":
        """The recipe of one run: its own policy and seed with every field written out, and no others."""
        return replace(self, policy=self.scaled(self.policy).resolved(), scale=1.0, **SINGLE)

    def runs(self) -> Iterator["Recipe"]:
        """The runs of an ablation, seed by seed, so that a table of all policies fills early."""
        for seed in self.seeds:
            for fold in self.folds or (None,):
                for choice in self.policies:
                    yield replace(self, corpus=self._folded(fold), seed=seed, policy=choice).run()

    def _folded(self, fold: int | None) -> CorpusOptions:
        if fold is None or not isinstance(self.corpus, Folded):
            return self.corpus
        return replace(self.corpus, fold=fold)

    def scaled(self, choice: PolicyChoice) -> PolicyChoice:
        """A policy as this experiment means it, unless it says its own scale."""
        return replace(choice, scale=self.scale) if choice.scale is None else choice


def each_once(name: str, values: Sequence[object], called: Sequence[object]) -> None:
    """Raise ValueError where a value stands twice in a list of the recipe."""
    for value, what in zip(values, called, strict=True):
        if values.count(value) > 1:
            raise ValueError(f"{name} hold {what} twice; expected each once")


def fits(choice: PolicyChoice, mel: int) -> None:
    """Raise ValueError where an operation needs more channels than the features have, or would with a count above 0."""
    if (widest := choice.resolved().F or 0) > mel:
        expected = f"expected at most the {mel} mel channels of the features"
        raise ValueError(f"policy {choice.title()}: F is {widest}; {expected}")
    for operation in choice.policy().operations:
        if operation.draws and operation.channels > mel:
            needs = f"{written(operation)} needs {operation.channels} mel channels"
            raise ValueError(f"policy {choice.title()}: {needs}; expected at most the {mel} of the features")


SINGLE: dict[str, Any] = {"policies": (), "seeds": (), "folds": (), "caption": ""}


def run_id(run: Any) -> str:
    """Twelve hex digits of everything that a run depends on, defaults written out.

    To hash only what differs from the defaults would give an old name to a new run whenever a default changes.
    """
    told = asdict(run)
    if wanted := told["network"].get("pretraining"):
        told["network"]["pretraining"] = wanted["content"]  # whatever it is called
    return digest(told)


def digest(told: Any) -> str:
    """Twelve hex digits of plain values."""
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
