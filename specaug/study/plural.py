"""A number with what it counts."""


def counted(count: int, noun: str) -> str:
    """A count of regular nouns.

    >>> counted(1, "seed"), counted(2_000, "word")
    ('1 seed', '2,000 words')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
