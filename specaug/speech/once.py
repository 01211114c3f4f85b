"""A folder that is made once, whole or not at all, whoever else wants it."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock


def make_once(folder: Path, mark: str, write: Callable[[Path], None]) -> None:
    """Have `write(partial)` make `folder`, unless its file `mark` is there; wait if another makes it.

    Where `write` fails nothing is left behind, and what a killed one left is removed by the next.
    """
    if (folder / mark).is_file():  # no lock to take, so that others' cache may be read-only
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if (folder / mark).is_file():  # made meanwhile
            return
        for left in folder.parent.glob(f".{folder.name}.*"):  # whoever made it is dead: the lock is ours
            shutil.rmtree(left, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            write(partial)
            partial.chmod(0o755)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
