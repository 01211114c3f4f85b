"""How the parts of a corpus were recognised, as a result file says it: read, and checked."""

from dataclasses import dataclass

from specaug.study.fields import Fields
from specaug.study.rows import KINDS


@dataclass(frozen=True, slots=True)
class Score:
    """Error counts of one part, in words or in characters."""

    substitutions: int
    deletions: int
    insertions: int
    total: int  # words or characters of the references

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions


@dataclass(frozen=True, slots=True)
class Part:
    """How one part of the corpus was recognised."""

    utterances: int
    wer: Score
    cer: Score
    loss: float | None  # nats per label; None where it is not finite
    map: float | None = None  # mean average precision of classes; None of transcripts, and in older results


@dataclass(frozen=True, slots=True)
class Masked:
    """The shares of the training features that were masked, each in [0, 1]."""

    cells: float
    frames: float
    channels: float


def masked_in(facts: Fields) -> Masked:
    """What was masked. Raises UserError where a field is none of a share."""
    return Masked(*map(facts.share, ("cells", "frames", "channels")))


def part_in(facts: Fields) -> Part:
    """The scores of a part. Raises UserError that names the field at fault."""
    wer, cer = score_in(facts.at("wer"), "words"), score_in(facts.at("cer"), "characters")
    found = None if facts.facts.get("map") is None else facts.share("map")
    return Part(facts.count("utterances"), wer, cer, facts.number_or_none("loss"), found)


def score_in(facts: Fields, unit: str) -> Score:
    """Counts that add up. Raises UserError where they do not."""
    substitutions, deletions, insertions = map(facts.count, KINDS)
    score = Score(substitutions, deletions, insertions, facts.count(unit))
    if not score.total:
        raise facts.wrong(unit, "1 or more")
    if facts.count("errors") != score.errors:
        raise facts.wrong("errors", f"{score.errors}, the sum of the kinds")
    return score
