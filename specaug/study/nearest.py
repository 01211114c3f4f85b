"""The known name that a mistyped one was probably meant to be."""

import difflib
from collections.abc import Iterable


def hint(name: str, known: Iterable[str], near: float = 0.5) -> str:
    """«; did you mean 'x'?» where a known name shares so much of its letters, else «; known: a, b, c»."""
    names = list(known)
    folded = {candidate.lower(): candidate for candidate in names}
    if found := difflib.get_close_matches(name.lower(), folded, n=1, cutoff=near):
        return f"; did you mean {folded[found[0]]!r}?"
    return f"; known: {', '.join(names)}"
