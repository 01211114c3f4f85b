"""Where things lie: sources, what is made from them, runs."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from specaug.errors import UserError

FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)  # what a write says where there is no space left


@dataclass(frozen=True)
class Places:
    """Folders that a run reads and writes; none of them changes what comes out."""

    laboratory: Path  # holds models/
    data: Path  # sources of corpora, only read
    cache: Path  # corpora and features, made from the sources
    runs: Path

    @staticmethod
    def of(laboratory: Path, data: Path | None = None, runs: Path | None = None) -> "Places":
        """The places of a laboratory, where neither an argument nor a variable says otherwise."""
        return Places(
            laboratory=laboratory,
            data=data or Path(os.environ.get("SPECAUG_DATA") or laboratory / "data"),
            cache=Path(os.environ.get("SPECAUG_CACHE") or laboratory / "cache"),
            runs=runs or Path(os.environ.get("SPECAUG_RUNS") or laboratory / "runs"),
        )


def writable(folder: Path) -> Path:
    """The folder, made where it is missing; raises UserError where nothing can be written there."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(b"\0" * 4096)
        finally:
            probe.unlink(missing_ok=True)  # half of it may be there
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror}); expected a folder with space"
        ) from None
    return folder


def replaced(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8, under a temporary name, and rename it: it is whole or it is not there."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def space(folder: Path) -> Iterator[None]:
    """While it lasts, a disk that is full is a UserError that names `folder`."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise UserError(f"{folder}: {error.strerror}; expected a folder with space") from None
