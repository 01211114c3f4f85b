"""Recipes of pretraining: frozen dataclasses written as YAML, read as ordinary ones are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Literal

from specaug.augment.hiding import check_hiding
from specaug.speech.corpora.options import CorpusOptions, Folded, Spoken, same_folds
from specaug.speech.options import Features
from specaug.study.recipe import SEEDS, AnyCorpus, each_once
from specaug.training.options import Training

Arguments = Mapping[str, int | float | str | bool]

FOREIGN = ("weight_noise", "label_smoothing", "smooth_until", "devices")  # to pretraining


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """The network that is pretrained, by the dotted path of its class; the arguments are given to it by name."""

    path: str = "models.ast.AST"
    arguments: Arguments = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What the encoder learns from, by the dotted path of its class, which takes an `encoder`."""

    path: str = "models.ssast.SSAST"
    arguments: Arguments = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Hidden:
    """The patches of an utterance that are hidden: a share or a number of them, in clusters of C x C patches.

    C ~ U{c_low, ..., c_high}; 1 and 1 hide them one by one. MaskSpec has a share of 0.75 (Chong et al. 2022, section 3),
    SSAST 400 patches in clusters of 3 to 5 (Gong et al. 2022).
    """

    share: float | None = None
    number: int | None = None
    c_low: int = 1  # patches
    c_high: int = 1

    def __post_init__(self) -> None:
        check_hiding(self.share, self.number, self.c_low, self.c_high)


def usual() -> Hidden:
    """MaskSpec's."""
    return Hidden(share=0.75)


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """A pretraining: one corpus without its transcripts, an encoder, an objective, what is hidden, some seeds.

    Only `train` and `dev` of the corpus are used. A run is one seed: `seeds` says which are run, and where it is empty
    it is `seed`. `training.report` says whether the encoder of the last or of the best checkpoint is kept, and `choose`
    by which measure on dev that is the best one: the lowest, of retrieval the highest.
    """

    corpus: AnyCorpus = field(default_factory=Spoken)
    features: Features = field(default_factory=Features)
    on_bad_utterance: Literal["error", "skip"] = "error"
    network: Encoder = field(default_factory=Encoder)
    objective: Objective = field(default_factory=Objective)
    hidden: Hidden = field(default_factory=usual)
    training: Training = field(default_factory=Training)
    choose: Literal["loss", "reconstruction", "contrastive", "retrieval"] = "loss"
    seed: int = 0
    seeds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not all(0 <= seed < SEEDS for seed in (self.seed, *self.seeds)):
            given = (self.seed, *self.seeds)
            raise ValueError(f"seeds are {given}; expected whole numbers, 0 or more and below {SEEDS}")
        each_once("seeds", self.seeds, self.seeds)
        for option in fields(self.training):
            value = getattr(self.training, option.name)
            if option.name in FOREIGN and value != option.default:
                raise ValueError(
                    f"training.{option.name} is {value}; expected {option.default}: pretraining has no other"
                )

    def run(self) -> "Pretraining":
        """The recipe of one run: its own seed, and no others."""
        return replace(self, seeds=())

    def runs(self) -> Iterator["Pretraining"]:
        """A run for each of the seeds."""
        for seed in self.seeds or (self.seed,):
            yield replace(self, seed=seed).run()


def shared(pretraining: Pretraining, corpus: CorpusOptions) -> Pretraining:
    """What the pretrainings of all runs of an experiment have in common: no seed, and no fold where it is the run's."""
    return own(replace(pretraining, seeds=()), corpus, 0, 0)


def own(pretraining: Pretraining, corpus: CorpusOptions, seed: int, fold: int) -> Pretraining:
    """The pretraining of one run: with its seed and, where both are of one corpus and split, its fold."""
    if isinstance(pretraining.corpus, Folded) and same_folds(pretraining.corpus, corpus):
        pretraining = replace(pretraining, corpus=replace(pretraining.corpus, fold=fold))
    return replace(pretraining, seed=seed)
