"""Fetching a corpus that may be fetched."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from specaug.errors import UserError

FSDD = "https://github.com/Jakobovski/free-spoken-digit-dataset"  # CC BY-SA 4.0
NAME = "free-spoken-digit-dataset"


def fetch_fsdd(data: Path, source: str = FSDD) -> Path:
    """The folder of the Free Spoken Digit Dataset in `data`, fetched with git where it is not there.

    Raises UserError where git or the source fails; nothing half-fetched is left.
    """
    folder = data / NAME
    if (folder / "recordings").is_dir():
        return folder
    data.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{NAME}.", dir=data))
    try:
        if why := clone(source, partial / NAME) or in_the_way(folder):
            raise UserError(f"{source}: cannot be fetched ({why}); expected the public repository of FSDD")
        (partial / NAME).rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def clone(source: str, folder: Path) -> str:
    """Fetch `source` into `folder` without its history; why that failed, or nothing."""
    command = ["git", "clone", "--quiet", "--depth", "1", source, str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"git does not start: {error.strerror}"
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"git left with {done.returncode}"]
        # git tells the reason first, after warnings, and then gives advice
        return next((line for line in said if line.startswith("fatal:")), said[-1])
    return "" if (folder / "recordings").is_dir() else "it holds no folder recordings/"


def in_the_way(folder: Path) -> str:
    """That something other than an empty folder is where the recordings should go, or nothing."""
    free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    return "" if free else f"{folder} is in the way, and holds no folder recordings/"
