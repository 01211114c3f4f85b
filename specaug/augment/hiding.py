"""How many patches are hidden of an utterance, and how large their clusters are. Nothing here needs torch."""

from specaug.augment.operation import is_number


def check_hiding(share: float | None, number: int | None, c_low: int, c_high: int) -> None:
    """Raise ValueError unless one of share and number is given, and both that and the clusters' sides are in range."""
    if (share is None) == (number is None):
        raise ValueError(
            f"share is {share}, number {number}; expected one of the two, and null for the other"
        )
    if share is not None and not (is_number(share) and 0 < share < 1):
        raise ValueError(f"share is {share}; expected more than 0 and less than 1, or nothing is to learn")
    if number is not None and number < 1:
        raise ValueError(f"number is {number}; expected 1 patch or more")
    if not 1 <= c_low <= c_high:
        raise ValueError(f"c_low is {c_low}, c_high {c_high}; expected 1 <= c_low <= c_high")
