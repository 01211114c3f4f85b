"""Values of a decoding that lie at an end of those tried: a better one may lie beyond it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from specaug.study.comparing.comparable import decodings
from specaug.study.results import Result

LISTS = ("weight", "coverage")  # of which a recipe may give several to choose from


@dataclass(frozen=True, slots=True)
class End:
    """The value that most of some runs took, where it is the least or the greatest of several."""

    decoding: str
    name: str
    value: float
    side: str  # least, greatest
    runs: int  # that took it
    of: int


def ends(results: Sequence[Result]) -> Iterator[End]:
    """Those that more than half of the runs of a policy took."""
    for label, said in decodings(results[0]).items():
        taken = [result.decoded[label] for result in results if label in result.decoded]
        for name in LISTS:
            tried = set(said[name])
            for side, value in (("least", min(tried)), ("greatest", max(tried))):
                count = sum(told.get(name, 0.0) == value for told in taken)
                if len(tried) > 1 and 2 * count > len(taken):
                    yield End(label, name, value, side, count, len(taken))
