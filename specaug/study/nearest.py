"""The known name that a mistyped one was probably meant to be."""

import difflib
from collections.abc import Iterable


def hint(name: str, known: Iterable[str]) -> str:
    """«; did you mean 'x'?» where a known name is near, else «; known: a, b, c»."""
    names = list(known)
    folded = {candidate.lower(): candidate for candidate in names}
    if near := difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.5):
        return f"; did you mean {folded[near[0]]!r}?"
    return f"; known: {', '.join(names)}"
