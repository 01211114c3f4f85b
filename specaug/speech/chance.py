"""Random numbers that depend on words alone, so that a corpus comes out the same everywhere."""

import hashlib

import numpy as np


def generator(*words: str | int) -> np.random.Generator:
    """A generator for the thing that `words` name: the same words give the same numbers."""
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))
