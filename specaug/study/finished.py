"""Finished runs of any kind: found by what they are, and of which commit."""

import contextlib
import subprocess
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from specaug.errors import UserError
from specaug.study.load import load
from specaug.study.recipe import run_id
from specaug.study.results import RECIPE, RESULT


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
