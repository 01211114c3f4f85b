"""Runs of any kind: where each lies, finished ones found by what they are, and what a result says of where it comes from."""

import contextlib
import re
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from specaug.errors import UserError
from specaug.speech.prepare import Prepared
from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.recipe import run_id
from specaug.study.results import RECIPE, RESULT

PACKAGES = ("torch", "lightning", "numpy", "jiwer", "safetensors", "specaug")
ENGINES = ("numba", "triton")  # of what applies masks, where they are installed


@dataclass(frozen=True)
class AnyRun(ABC):
    """A run of an experiment, whatever it trains, and where it lies."""

    experiment: str
    recipe: Any
    places: Places

    @property
    @abstractmethod
    def name(self) -> str:
        """What tells it from the other runs of the experiment, for people."""

    @property
    @abstractmethod
    def home(self) -> Path:
        """The folder of the experiment's runs."""

    @property
    def id(self) -> str:
        """The hash of the resolved recipe."""
        return run_id(self.recipe)

    @property
    def folder(self) -> Path:
        """The run's folder: its name for people, its id for certain; or where an older version finished the run."""
        slug = re.sub(r"[^A-Za-z0-9.=_]+", "-", self.name).strip("-")
        there = self.home / f"{slug}-{self.id}"
        return there if there.is_dir() else finished_before(self.home, self.read).get(self.id, there)

    @staticmethod
    def read(path: Path) -> Any:
        """A recipe that a run of this kind has kept."""
        return load(path)

    @property
    def finished(self) -> bool:
        """Whether there is a result."""
        return (self.folder / RESULT).is_file()


@lru_cache(maxsize=8)
def finished_before(experiment: Path, read: Callable[[Path], Any] = load) -> dict[str, Path]:
    """The finished runs of an experiment by the id that their recipes have today, as `read` reads them.

    A recipe that has gained a key hashes to another id; read with today's defaults it is the run that it was.
    """
    found: dict[str, Path] = {}
    for path in sorted(experiment.glob(f"*/{RECIPE}")):
        if (path.parent / RESULT).is_file():
            with contextlib.suppress(UserError):  # a recipe that today's version cannot read is no run of it
                found[run_id(read(path).run())] = path.parent
    return found


def stamp(run: AnyRun, data: Prepared, seconds: float) -> dict[str, Any]:
    """What a result says of where it comes from: run, data, versions, commit, time taken."""
    corpus = data.corpus
    return {
        "run": run.id,
        "experiment": run.experiment,
        "seed": run.recipe.seed,
        "fold": getattr(run.recipe.corpus, "fold", 0),
        "corpus": {
            "name": corpus.name,
            "title": corpus.title,
            "synthetic": corpus.synthetic,
            "fingerprint": data.fingerprint,
            "utterances": {name: len(part.ids) for name, part in data.parts.items()},
        },
        "wall_seconds": round(seconds, 1),
        "skipped": [str(problem) for problem in data.skipped],
        "versions": versions(),
        "commit": commit(run.places.laboratory),
    }


def versions() -> dict[str, str]:
    """The versions of what decides a run's numbers."""
    told = {name: version(name) for name in PACKAGES}
    for name in ENGINES:
        with contextlib.suppress(PackageNotFoundError):
            told[name] = version(name)
    return told


def commit(folder: Path) -> str:
    """The git commit of a folder, with a + where files differ from it; empty where there is no git."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.strip()
