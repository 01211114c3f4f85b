"""What annotators said, from an export of Label Studio in its JSON or its JSON_MIN form."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from specaug.errors import UserError
from specaug.speech.scoring import tidy
from specaug.study.triage.config import BAD_REFERENCE, CAUSE, CORRECTED, MARK, WRONG_REFERENCE

FIELDS = ("utterance", "part", "policy", "reference")  # of a task, by which it is known again


@dataclass(frozen=True, slots=True)
class Annotation:
    """What one annotator said of one task."""

    where: str  # "file.json: item 3", for messages
    utterance: str
    part: str
    policy: str
    reference: str
    corrected: str | None  # another text than the reference
    bad: bool  # the reference is marked as wrong
    causes: tuple[str, ...]
    annotator: str
    time: datetime  # of its last change

    @property
    def verdict(self) -> str | None:
        """What it says of the reference: another text, "" for a bad one, None for nothing."""
        return self.corrected if self.corrected is not None else "" if self.bad else None


def read_annotations(path: Path) -> list[Annotation]:
    """The annotations of an export, the skipped ones left out, in the order of their last change.

    Raises UserError that names the place where the file is damaged, or no export of `specaug triage export`'s tasks.
    """
    found = []
    for number, item in enumerate(_items(path), 1):
        where = f"{path}: item {number}"
        if not isinstance(item, dict):
            raise UserError(f"{where}: a {type(item).__name__}; expected an object")
        found += list(_full(item, where) if "data" in item else [_minimal(item, where)])
    return sorted(found, key=lambda annotation: annotation.time)


def _items(path: Path) -> list[Any]:
    try:
        items = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; expected an export of Label Studio (JSON)") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}: {error.reason})") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}: not JSON ({error.msg} at column {error.colno})") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON that can be read ({error})") from None
    if not isinstance(items, list):
        raise UserError(f"{path}: a {type(items).__name__}; expected Label Studio's export, a list of tasks")
    return items


def _full(item: Mapping[str, Any], where: str) -> Iterator[Annotation]:
    """The annotations of a task in the JSON form."""
    given = item.get("annotations")
    if not isinstance(given, list):
        raise UserError(
            f"{where}: no annotations; expected an export (JSON or JSON-MIN), not the tasks themselves"
        )
    for annotation in given:
        if not isinstance(annotation, dict) or not isinstance(annotation.get("result"), list):
            raise UserError(f"{where}: an annotation without result; expected Label Studio's JSON export")
        if not annotation.get("was_cancelled"):
            answers: dict[str, list[Any]] = {}
            for result in annotation["result"]:
                if isinstance(result, dict) and isinstance(result.get("value"), dict):
                    answers.setdefault(str(result.get("from_name")), []).append(result["value"])
            yield _annotation(item["data"], answers, annotation.get("completed_by"), annotation, where)


def _minimal(item: Mapping[str, Any], where: str) -> Annotation:
    """The annotation on a row of the JSON_MIN form, where one answer stands alone and several in a list."""
    answers = {}
    for name in (MARK, CORRECTED, CAUSE):
        value = item.get(name, [])
        answers[name] = value if isinstance(value, list) else [value]
    return _annotation(item, answers, item.get("annotator"), item, where)


def _annotation(
    data: Any, answers: Mapping[str, list[Any]], annotator: Any, times: Mapping[str, Any], where: str
) -> Annotation:
    if not isinstance(data, dict):
        raise UserError(f"{where}: data is a {type(data).__name__}; expected an object")
    for name in FIELDS:
        if not isinstance(data.get(name), str):
            got = f"field {name} is {data.get(name)!r:.40}"
            raise UserError(f"{where}: {got}; expected a task of `specaug triage export`")
    texts = _words(answers.get(CORRECTED, []), "text")
    corrected = tidy(texts[-1]) if texts else ""
    causes = tuple(dict.fromkeys(_words(answers.get(CAUSE, []), "choices")))
    return Annotation(
        where=where,
        utterance=data["utterance"],
        part=data["part"],
        policy=data["policy"],
        reference=data["reference"],
        corrected=corrected if corrected and corrected != tidy(data["reference"]) else None,
        bad=WRONG_REFERENCE in causes or BAD_REFERENCE in _words(answers.get(MARK, []), "labels"),
        causes=causes,
        annotator=_name(annotator),
        time=_time(times, where),
    )


def _words(values: list[Any], key: str) -> list[str]:
    """The words of some answers, each of them a word, or an object with a list of words under `key`."""
    found: list[str] = []
    for value in values:
        inner = value.get(key, []) if isinstance(value, dict) else value
        found += [word for word in (inner if isinstance(inner, list) else [inner]) if isinstance(word, str)]
    return found


def _name(annotator: Any) -> str:
    """Label Studio's number of an annotator, or what else it tells of one."""
    if isinstance(annotator, dict):
        annotator = annotator.get("email") or annotator.get("id")
    return str(annotator)


def _time(times: Mapping[str, Any], where: str) -> datetime:
    said = times.get("updated_at") or times.get("created_at")
    try:
        time = datetime.fromisoformat(str(said))
    except ValueError:
        raise UserError(
            f"{where}: updated_at is {said!r}; expected a time, as 2026-01-31T12:00:00Z"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
