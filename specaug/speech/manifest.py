"""Utterances and the JSON-lines manifests that list them, with NeMo's field names."""

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from specaug.errors import UserError

Value = str | int | float | bool | None
LONGEST = 86_400.0  # seconds: nobody has an utterance, or a recording, of more than a day
KNOWN = ("id", "audio_filepath", "feature_filepath", "offset", "duration", "text", "speaker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One stretch of speech and what was said in it.

    Either `audio` or `features` names a file; `columns` are any further fields of the manifest
    (gender, accent, snr, ...), which become the groups of a comparison.
    """

    id: str
    text: str
    speaker: str
    duration: float  # seconds
    audio: Path | None = None
    features: Path | None = None  # a (frames, mel) array in .npy
    offset: float = 0.0  # seconds from the start of the file
    columns: Mapping[str, Value] = field(default_factory=dict)
    where: str = ""  # "file.jsonl:12", for messages


def parse_line(line: str, where: str, folder: Path) -> Utterance:
    """The utterance on one manifest line; without an id it has its file's (D113).

    Raises UserError naming `where` and the field at fault.
    """
    row = _row(line, where)
    files = {name: row.get(name) for name in ("audio_filepath", "feature_filepath")}
    if sum(name is not None for name in files.values()) != 1:
        raise UserError(f"{where}: expected exactly one of audio_filepath and feature_filepath")
    written = {name: _typed(row, name, str, where) for name, path in files.items() if path is not None}
    paths = {name: folder / path for name, path in written.items()}
    duration = _seconds(row, "duration", where)
    if duration <= 0:
        raise UserError(f"{where}: duration is {duration}; expected more than 0 seconds")
    columns = {name: value for name, value in row.items() if name not in KNOWN}
    for name, value in columns.items():
        if isinstance(value, list | dict):
            raise UserError(f"{where}: field {name} is a {type(value).__name__}; expected text or a number")
    return Utterance(
        id=_typed(row, "id", str, where) if "id" in row else id_of(*written.values()),
        text=_typed(row, "text", str, where),
        speaker=_typed(row, "speaker", str, where),
        duration=duration,
        audio=paths.get("audio_filepath"),
        features=paths.get("feature_filepath"),
        offset=_seconds(row, "offset", where, default=0.0),
        columns=columns,
        where=where,
    )


def id_of(path: str) -> str:
    """The id of an utterance whose line says none: the path of its file as it is written, without the ending."""
    return path.removesuffix(Path(path).suffix)


def twice(utterance: Utterance, other: str) -> str:
    """What is said of an utterance whose id is already used at another place."""
    file = str(utterance.audio or utterance.features or "")
    told = " (without a field id it is the path, also of several stretches of one file)"
    said = told if id_of(file).endswith(utterance.id) else ""
    return f"id {utterance.id!r} is already used at {other}; ids must be unique{said}"


def numbered_lines(path: Path) -> list[tuple[str, str]]:
    """The lines of a UTF-8 text file (or .gz of one) that are not blank, each after its "file:line".

    Raises UserError where the file is missing, no text, or has no such line.
    """
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; expected a manifest (JSON lines)") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}: {error.reason})") from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read: {reason}") from None
    # Not splitlines: U+2028 and its like may stand inside a JSON string.
    lines = [(f"{path}:{n}", line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise UserError(f"{path}: empty; expected at least one line")
    return lines


def read_manifest(path: Path) -> list[Utterance]:
    """The utterances of a JSON-lines manifest; paths in it are relative to its folder."""
    return [parse_line(line, where, path.parent) for where, line in numbered_lines(path)]


def manifest_line(utterance: Utterance, folder: Path) -> str:
    """One line of JSON for `utterance` in a manifest that lies in `folder`."""
    files = {"audio_filepath": utterance.audio, "feature_filepath": utterance.features}
    row: dict[str, Value] = {"id": utterance.id}
    row |= {name: relative(path, folder) for name, path in files.items() if path is not None}
    row |= {"offset": utterance.offset} if utterance.offset else {}
    row |= {"duration": utterance.duration, "text": utterance.text, "speaker": utterance.speaker}
    return json.dumps({**row, **utterance.columns}, ensure_ascii=False)


def relative(path: Path, folder: Path) -> str:
    """The way from `folder` to `path` as the file system walks it, links to folders followed."""
    return os.path.relpath(path.parent.resolve() / path.name, folder.resolve())


def write_manifest(path: Path, utterances: Iterable[Utterance]) -> None:
    """Write a manifest under a temporary name, then rename it: it is whole or it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        lines = "".join(manifest_line(u, path.parent) + "\n" for u in utterances)
        partial.write_text(lines, encoding="utf-8")
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


def gender(word: str) -> str:
    """The one word for a gender, whichever way a corpus abbreviates it; other words as they are."""
    return {"f": "female", "m": "male"}.get(word.lower(), word.lower())


def fingerprint(utterances: Iterable[Utterance]) -> str:
    """Sixteen hex digits of what the utterances say and of the sizes of their files, wherever they lie."""
    digest = hashlib.sha256()
    for u in utterances:
        source = u.audio or u.features
        size = source.stat().st_size if source is not None and source.is_file() else -1
        row = [u.id, u.text, u.speaker, u.duration, u.offset, size, dict(u.columns)]
        digest.update(json.dumps(row, sort_keys=True).encode())
    return digest.hexdigest()[:16]


def _row(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: not JSON ({error.msg} at column {error.colno})") from None
    except (ValueError, RecursionError) as error:  # a number of too many digits, or brackets too deep
        raise UserError(f"{where}: not JSON that can be read ({error})") from None
    if not isinstance(row, dict):
        raise UserError(f"{where}: a {type(row).__name__}; expected one JSON object a line")
    return row


def _typed(row: dict[str, Any], name: str, kind: type, where: str) -> Any:
    if name not in row:
        raise UserError(f"{where}: field {name} is missing")
    if not isinstance(row[name], kind):
        raise UserError(f"{where}: field {name} is {row[name]!r}; expected {kind.__name__}")
    return row[name]


def _seconds(row: dict[str, Any], name: str, where: str, default: float | None = None) -> float:
    value = row.get(name, default)
    # NaN fails the comparison.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST:
        raise UserError(f"{where}: field {name} is {value!r}; expected seconds, 0 to {LONGEST:.0f}")
    return float(value)
