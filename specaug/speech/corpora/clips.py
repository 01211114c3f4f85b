"""What the corpora of labelled clips have in common: a folder of the data folder, read where it lies."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from specaug.errors import UserError


def tree(data: Path, names: Sequence[str]) -> Path:
    """The first of `names` that is a folder of `data`. Raises UserError where none is."""
    for name in names:
        if (data / name).is_dir():
            return data / name
    others = "".join(f" (or {name})" for name in names[1:])
    expected = "expected it in the folder of --data DIR or SPECAUG_DATA"
    raise UserError(f"{data / names[0]}: no such folder{others}; {expected}")


def listing(root: Path, clips: Iterable[Path], texts: Iterable[Path]) -> str:
    """A hash of every clip's name and size, and of what the texts say."""
    digest = hashlib.sha256()
    for path in clips:
        digest.update(json.dumps([str(path.relative_to(root)), path.stat().st_size]).encode())
    for path in texts:
        digest.update(json.dumps([path.name, hashlib.sha256(path.read_bytes()).hexdigest()]).encode())
    return digest.hexdigest()
