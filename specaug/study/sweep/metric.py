"""What a sweep minimises, which is a rate of errors of one kind or another, and how that is told (decision D109)."""

from dataclasses import dataclass

from specaug.study.comparing.measures import ACCURACY, CER, MAP, WER, Measure
from specaug.study.stats.statistics import Estimate

OF_TRANSCRIPTS, OF_CLASSES = ("wer", "cer"), ("accuracy", "map", "wer")
METRICS = tuple(dict.fromkeys((*OF_TRANSCRIPTS, *OF_CLASSES)))


@dataclass(frozen=True, slots=True)
class Metric:
    """A rate of errors, and the measure in which it is printed."""

    counts: str  # the name under which a study remembers [errors, of how many] of each run
    measure: Measure

    @property
    def name(self) -> str:
        """What is printed, as it is written."""
        return self.measure.name

    @property
    def right(self) -> bool:
        """Whether one less the rate is printed, of which the higher is the better."""
        return self.measure.right

    def percent(self, rate: float) -> float:
        """A rate of errors as it is printed.

        >>> MEASURED["wer"].percent(0.125), MEASURED["map"].percent(0.125)
        (12.5, 87.5)
        """
        return 100 * self.measure.rate(Estimate(rate)).value


MEASURED = {
    "wer": Metric("wer", WER),
    "cer": Metric("cer", CER),
    "accuracy": Metric("wer", ACCURACY),
    "map": Metric("map", MAP),
}


def metric_of(name: str, classes: str | None) -> Metric:
    """What `metric` means: of classes the word error rate is one less the accuracy, and told so."""
    return MEASURED["accuracy" if classes and name == "wer" else name]


def check_metric(name: str, classes: str | None) -> None:
    """Raise ValueError where an experiment of classes in a column, or of transcripts (None), has no such rate."""
    known = OF_CLASSES if classes else OF_TRANSCRIPTS
    if name not in known:
        what = f"classes ({classes})" if classes else "transcripts (without text.classes)"
        raise ValueError(f"metric is {name}, and the experiment is of {what}; expected {' or '.join(known)}")
