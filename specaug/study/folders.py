"""Folders of runs: which there are, and whether a finished one is of a pretraining, which recognises nothing."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from specaug.errors import UserError
from specaug.study.fields import Fields

RESULT, RECIPE = "result.json", "recipe.yaml"
PRETRAINING = "pretraining"  # the folder of runs that recognise nothing, and so cannot be compared


def run_folders(paths: Iterable[Path]) -> list[Path]:
    """The folders of runs in and below `paths`, finished or not, each once. Raises UserError where a path does not exist."""
    folders: dict[Path, Path] = {}
    for path in paths:
        if not path.is_dir():
            what = "a file" if path.exists() else "no such folder"
            raise UserError(f"{path}: {what}; expected a run folder or a folder that holds some")
        folders |= {folder.resolve(): folder for folder in _below(path)}
    return sorted(folders.values())


def _below(path: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(path):
        below[:] = sorted(name for name in below if name != PRETRAINING)
        if RESULT in files or RECIPE in files:
            below.clear()  # a run holds no other run, and its checkpoints and logs may be many files
            yield Path(folder)


def facts_in(folder: Path) -> Fields:
    """What the result in a finished run's folder says. Raises UserError where there is none, or it is no JSON object."""
    path = folder / RESULT
    try:
        return Fields(path, json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; the run is not finished") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({error})") from None


def of_pretraining(facts: Fields) -> bool:
    """Whether a result is that of a pretraining."""
    return {"objective", "hidden"} <= facts.facts.keys()
