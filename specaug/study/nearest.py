"""The known name that a mistyped one was probably meant to be."""

import difflib
from collections.abc import Iterable


def hint(name: str, known: Iterable[str]) -> str:
    """«; did you mean 'x'?» where a known name is near, else «; known: a, b, c»."""
    names = list(known)
    return meant(name, names) or f"; known: {', '.join(names)}"


def meant(name: str, known: Iterable[str], least: float = 0.5) -> str:
    """«; did you mean 'x'?» where a known name is as like it as `least`, 1 being the same; else nothing."""
    folded = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=least)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""
