"""In what results are told: errors where transcripts are written, and where classes are, what is right (decision D103).

Whatever is told, rates of errors are counted, resampled and judged; a measure says how they are printed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from specaug.study.results import Result
from specaug.study.stats.statistics import Difference, Estimate


@dataclass(frozen=True, slots=True)
class Measure:
    """A name, and whether one less the rate is printed, of which the higher is the better."""

    name: str
    title: str  # as a caption has it
    right: bool

    @property
    def key(self) -> str:
        """The name in files for programs."""
        return self.name.lower()

    @property
    def shares(self) -> str:
        """The title of a table of them."""
        return self.title if self.right else f"{self.title}s"

    @property
    def chance(self) -> str:
        """The heading of the probability that a policy is better."""
        return "P(>)" if self.right else "P(<)"

    @property
    def better(self) -> str:
        """What a difference says."""
        return "above 0 is better" if self.right else "below 0 are fewer errors"

    @property
    def best(self) -> str:
        """Which end is the good one."""
        return "highest" if self.right else "lowest"

    def rate(self, given: Estimate) -> Estimate:
        """A rate of errors as it is printed."""
        if not self.right:
            return given
        low, high = (None if end is None else max(0.0, 1 - end) for end in (given.high, given.low))
        return Estimate(1 - given.value, low, high)

    def difference(self, given: Difference) -> Difference:
        """A difference as it is printed; chances and verdicts are about what is better, and stay."""
        if not self.right:
            return given
        low, high = (None if end is None else 0.0 - end for end in (given.high, given.low))
        return replace(given, value=0.0 - given.value, low=low, high=high)


WER = Measure("WER", "word error rate", False)
CER = Measure("CER", "character error rate", False)
ACCURACY = Measure("accuracy", "accuracy", True)
MAP = Measure("mAP", "mean average precision", True)


def measures_of(results: Sequence[Result]) -> tuple[Measure, ...]:
    """WER of transcripts; accuracy of classes, and mAP where all results tell it."""
    if results[0].classes is None:
        return (WER,)
    known = all(part.map is not None for result in results for part in result.parts.values())
    return (ACCURACY, MAP) if known else (ACCURACY,)
