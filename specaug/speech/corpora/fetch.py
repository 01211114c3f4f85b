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
        command = ["git", "clone", "--quiet", "--depth", "1", source, str(partial / NAME)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not (partial / NAME / "recordings").is_dir():
            why = (done.stderr.strip().splitlines() or ["it holds no folder recordings/"])[-1]
            raise UserError(f"{source}: cannot be fetched ({why}); expected the public repository of FSDD")
        (partial / NAME).rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder
