"""Finished runs of pretraining, read from disk: what they measured, and what sets one pretraining apart from another."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specaug.errors import UserError
from specaug.study.fields import Fields
from specaug.study.folders import RECIPE, RESULT, facts_in, of_pretraining, run_folders
from specaug.study.load import plain, validated_as
from specaug.study.pretraining.recipe import Pretraining, shared
from specaug.study.recipe import digest
from specaug.study.results import Result, check_recipe, headed, read_result, recipe_in

CHECKPOINTS = ("final", "best")


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainResult:
    """What a finished run of pretraining left in `result.json`."""

    folder: Path
    experiment: str
    seed: int
    fold: int
    heading: str  # the corpus's title, which says "synthetic speech" where it is
    encoder: str  # dotted path
    objective: str  # dotted path
    parameters: int  # of the encoder
    recipe: Mapping[str, Any]  # as it lies beside the result

    @property
    def content(self) -> dict[str, Any]:
        """The recipe but for seed and fold, as runs that begin with it have it. Raises UserError where it cannot be read."""
        told = validated_as(Pretraining, dict(self.recipe), str(self.folder / RECIPE))
        content: dict[str, Any] = plain(shared(told, told.corpus))
        return content

    @property
    def start(self) -> str:
        """Its name and what it is, as `Network.start` has it."""
        return f"{self.experiment}-{digest(self.content)}"


@dataclass(frozen=True, slots=True)
class Pretrainings:
    """The pretrainings under some folders: results of the finished ones, folders of the others."""

    finished: list[PretrainResult]
    unfinished: list[Path]


def find_pretrainings(paths: Iterable[Path]) -> Pretrainings | None:
    """The pretrainings in and below `paths`; None where there is no finished one, or another finished run is among them.

    Raises UserError where a path does not exist, a result is damaged, or two runs are the same one.
    """
    folders = run_folders(paths)
    done = [folder for folder in folders if (folder / RESULT).is_file()]
    if not done or not all(of_pretraining(facts_in(folder)) for folder in done):
        return None
    finished = [read_pretraining(folder) for folder in done]
    once: dict[tuple[str, int, int], PretrainResult] = {}
    for one in finished:
        twin = once.setdefault((one.start, one.seed, one.fold), one)
        if twin is not one:
            told = f"pretraining {one.experiment}, seed {one.seed}, fold {one.fold} is also in {twin.folder}"
            raise UserError(f"{one.folder}: {told}; expected each once")
    return Pretrainings(finished, [folder for folder in folders if folder not in done])


def read_any(folder: Path) -> Result | PretrainResult:
    """The result in a finished run's folder, whichever kind of run it is. Raises UserError as those who read one kind do."""
    return read_pretraining(folder) if of_pretraining(facts_in(folder)) else read_result(folder)


def pictured(results: Iterable[Result | PretrainResult]) -> set[Path]:
    """The folders of the runs whose pictures a page shows: of each pretraining its first seed."""
    first: dict[str, PretrainResult] = {}
    for one in results:
        if isinstance(one, PretrainResult):
            start = one.start
            first[start] = min(first.get(start, one), one, key=lambda run: run.seed)
    return {one.folder for one in first.values()}


def read_pretraining(folder: Path) -> PretrainResult:
    """The result in the folder of a finished run of pretraining.

    Raises UserError that names the file and the field at fault, also where the recipe beside it is another run's.
    """
    facts = facts_in(folder)
    corpus, network, objective = map(facts.at, ("corpus", "network", "objective"))
    for checkpoint in CHECKPOINTS:
        check_measures(facts.at(checkpoint))
    if facts.text("kept") not in ("last", "best"):
        raise facts.wrong("kept", "last or best")
    result = PretrainResult(
        folder=folder,
        experiment=facts.text("experiment"),
        seed=facts.count("seed"),
        fold=facts.count("fold"),
        heading=headed(corpus.text("title"), corpus.get("synthetic", bool, "true or false")),
        encoder=network.text("path"),
        objective=objective.text("path"),
        parameters=network.count("parameters"),
        recipe=recipe_in(folder),
    )
    told = {"seed": result.seed, "corpus.fold": result.fold, "objective.path": result.objective}
    check_recipe(folder, result.recipe, told)
    return result


def check_measures(facts: Fields) -> None:
    """Raise UserError unless a checkpoint has its epoch and its measures on dev, the loss among them."""
    facts.count("epoch")
    for name in ("loss", *facts.facts):
        facts.number(name)
