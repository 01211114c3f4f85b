"""A recipe that nobody writes: a worker that reads it is at work until it is told to end."""

import os
import time
from pathlib import Path


def pipe_in(folder: Path) -> Path:
    """A pipe, which looks like a recipe."""
    path = folder / "pipe.yaml"
    os.mkfifo(path)
    return path


def read(path: Path) -> bool:
    """Whether somebody has the pipe open for reading."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def writer(path: Path) -> int:
    """A file descriptor into the pipe, once somebody reads there; as long as it is open, the reader waits."""
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.05)
