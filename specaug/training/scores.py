"""What a pass over a part of the corpus comes to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from specaug.speech.classes import Classes
from specaug.speech.ranking import mean_average_precision, missed
from specaug.speech.scoring import Errors, add


@dataclass(frozen=True, slots=True)
class Transcript:
    """What the network wrote for one utterance, and its errors; of a class also what it takes from the mAP."""

    id: str
    reference: str
    hypothesis: str
    words: Errors
    characters: Errors
    missed: float | None = None  # the mean over a part is one less the mean average precision


@dataclass(frozen=True, slots=True)
class Scores:
    """One pass over a part."""

    transcripts: Sequence[Transcript]
    loss: float  # nats per label

    @property
    def words(self) -> Errors:
        """Word errors of all utterances."""
        return add(t.words for t in self.transcripts)

    @property
    def characters(self) -> Errors:
        """Character errors of all utterances."""
        return add(t.characters for t in self.transcripts)

    @property
    def map(self) -> float | None:
        """Mean average precision of the classes; None where there are none."""
        found = [t.missed for t in self.transcripts if t.missed is not None]
        return mean_average_precision(found) if found and len(found) == len(self.transcripts) else None


def ranked(
    transcripts: Sequence[Transcript], classes: Classes, scores: Mapping[str, Sequence[float]]
) -> list[Transcript]:
    """The same with what each `missed`, by the `scores` that the network gave the classes of each utterance."""
    columns = [classes.encode(t.reference)[0] - 1 for t in transcripts]
    found = missed(np.array([scores[t.id] for t in transcripts], dtype=np.float64), columns)
    return [replace(t, missed=float(share)) for t, share in zip(transcripts, found, strict=True)]
