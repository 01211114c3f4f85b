"""What came out of a run, as its files hold it."""

import math
from typing import Any

from specaug.speech.prepare import Prepared
from specaug.speech.scoring import Errors
from specaug.study.comparing.comparable import decoded
from specaug.study.rows import MISSED
from specaug.training.scores import Scores


def hypotheses(part: str, scores: Scores, data: Prepared) -> list[dict[str, Any]]:
    """A row for each utterance of a part: what was said, what was written, the errors, the groups."""
    plain, _ = decoded(part, data.parts)
    utterances = {u.id: u for u in data.parts[plain].utterances}
    return [
        {
            **utterances[t.id].columns,  # first: a column that is called as one of ours gives way
            "part": part,
            "id": t.id,
            "speaker": utterances[t.id].speaker,
            "reference": t.reference,
            "hypothesis": t.hypothesis,
            "words": t.words.total,
            "substitutions": t.words.substitutions,
            "deletions": t.words.deletions,
            "insertions": t.words.insertions,
            **({} if t.missed is None else {MISSED: t.missed}),
            "duration": round(utterances[t.id].duration, 3),
        }
        for t in scores.transcripts
    ]


def summary(scores: Scores) -> dict[str, Any]:
    """The counts of a part, whose ratios anybody can make."""
    return {
        "utterances": len(scores.transcripts),
        "wer": counts(scores.words, "words"),
        "cer": counts(scores.characters, "characters"),
        "map": scores.map,  # None of transcripts
        "loss": scores.loss if math.isfinite(scores.loss) else None,  # CTC has none for what is too short
    }


def counts(errors: Errors, unit: str) -> dict[str, int]:
    """Errors as they stand in a result file."""
    return {
        "errors": errors.errors,
        "substitutions": errors.substitutions,
        "deletions": errors.deletions,
        "insertions": errors.insertions,
        unit: errors.total,
    }
