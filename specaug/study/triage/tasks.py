"""Tasks of Label Studio: what an annotator sees of an utterance, and the errors as regions of its audio."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from specaug.study.tables.text_table import percent
from specaug.study.triage.cases import Case, Chosen, alike
from specaug.study.triage.config import MARK
from specaug.study.triage.regions import Region

LONGEST = 80  # characters of an id in the name of a file
NOTHING = "(nothing)"


def task(chosen: Chosen, audio: str, seconds: float, regions: Sequence[Region] | None) -> dict[str, Any]:
    """One task; without a prediction where there are no regions to be had (None).

    The utterance's id stands under `utterance`: a JSON_MIN export puts Label Studio's own number under `id`.
    """
    case, shown = chosen.case, chosen.shown
    data = {
        "audio": audio,
        "utterance": case.id,
        "facts": facts(chosen),
        "part": case.part,
        "speaker": case.speaker,
        "policy": shown.run.label,
        "seed": shown.run.seed,
        "fold": case.fold,
        "run": shown.run.run,
        "reference": case.reference,
        "hypothesis": shown.hypothesis,
        "hypotheses": hypotheses(chosen),
        "words": case.words,
        "errors": chosen.errors,
        "runs": chosen.runs,
        "wer": round(chosen.errors / (chosen.runs * case.words), 4),
        "seconds": round(seconds, 3),
    }
    if regions is None:
        return {"data": data}
    results = [result(region, number, seconds) for number, region in enumerate(regions)]
    version = f"{shown.run.label}, seed {shown.run.seed}"
    return {"data": data, "predictions": [{"model_version": version, "result": results}]}


def result(region: Region, number: int, seconds: float) -> dict[str, Any]:
    """One region of a prediction, its words as a note."""
    span = region.span
    return {
        "id": f"error-{number}",
        "from_name": MARK,
        "to_name": "audio",
        "type": "labels",
        "original_length": round(seconds, 3),
        "value": {
            "start": round(min(span.start, seconds), 3),
            "end": round(min(span.end, seconds), 3),
            "channel": 0,
            "labels": [region.kind],
        },
        "meta": {"text": [region.note]},
    }


def facts(chosen: Chosen) -> str:
    """One line about the utterance and its errors."""
    case, errors = chosen.case, chosen.errors
    share = percent(errors / (chosen.runs * case.words))
    runs = "1 seed" if chosen.runs == 1 else f"{chosen.runs} seeds"
    told = [f"{name} {value}" for name, value in case.columns.items()]
    wrong = f"{chosen.shown.run.label}: {errors} errors with {runs} (WER {share} %)"
    return ", ".join([case.part, f"speaker {case.speaker}", *told, wrong])


def hypotheses(chosen: Chosen) -> str:
    """A line for each different hypothesis and who wrote it; the one whose errors are marked comes first."""
    lines = []
    for text, writers in sorted(alike(chosen.case), key=lambda one: one[0] != chosen.shown.hypothesis):
        who = (f"{policy} (seed {', '.join(map(str, seeds))})" for policy, seeds in writers.items())
        lines.append(f"{text or NOTHING}   \N{LEFTWARDS ARROW} {'; '.join(who)}")
    return "\n".join(lines)


def file_name(case: Case) -> str:
    """A name for the utterance's audio that every file system takes, and no other utterance has."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", case.id)[:LONGEST].strip("-")
    digest = hashlib.sha256(f"{case.fold}/{case.part}/{case.id}".encode()).hexdigest()[:8]
    return f"{plain}-{digest}.wav"
