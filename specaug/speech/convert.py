"""Utterances from the data of other tools: Kaldi's data directories and lhotse's CutSets.

Relative paths in both start at the working folder, as they do in the tools themselves.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from specaug.errors import UserError
from specaug.speech.audio import SLACK, seconds
from specaug.speech.manifest import KNOWN, Utterance, Value, gender, numbered_lines

ROUNDING = 0.01  # seconds by which a supervision may overhang its cut


class Line(NamedTuple):
    """What a Kaldi file says of one key, and where ("file:line")."""

    value: str
    where: str


class Span(NamedTuple):
    """A stretch of an audio file, in seconds."""

    audio: Path
    offset: float
    duration: float


def from_kaldi(folder: Path) -> list[Utterance]:
    """The utterances of a Kaldi data directory, in the order of `text`.

    Reads `wav.scp`, `text`, `utt2spk`, and `segments` and `spk2gender` where they are there. Raises
    UserError where a file is missing, two files disagree, or an entry of `wav.scp` is a command.
    """
    texts, speakers = _table(folder / "text"), _table(folder / "utt2spk")
    recordings = {name: _recording(line) for name, line in _table(folder / "wav.scp").items()}
    if (folder / "segments").is_file():
        source = "segments"
        spans = {name: _segment(line, recordings) for name, line in _table(folder / "segments").items()}
    else:
        source, spans = "wav.scp", recordings
    _check_same_keys(folder, texts, {"utt2spk": speakers, source: spans})
    genders = _table(folder / "spk2gender") if (folder / "spk2gender").is_file() else None
    return [
        Utterance(
            id=name,
            text=text.value,
            speaker=speakers[name].value,
            columns=_columns(speakers[name], genders, folder),
            where=text.where,
            **spans[name]._asdict(),
        )
        for name, text in texts.items()
    ]


def _table(path: Path) -> dict[str, Line]:
    """The lines of a Kaldi file by their first word."""
    table: dict[str, Line] = {}
    for where, line in numbered_lines(path):
        key, _, value = line.strip().replace("\t", " ").partition(" ")
        if key in table:
            raise UserError(f"{where}: {key} is already at {table[key].where}; expected it once")
        table[key] = Line(value.strip(), where)
    return table


def _recording(line: Line) -> Span:
    """A whole file of `wav.scp`."""
    if line.value.endswith("|") or line.value == "-":
        raise UserError(f"{line.where}: {line.value!r} is a command; expected the path of an audio file")
    path = Path(line.value).absolute()
    return Span(path, 0.0, seconds(path, line.where))


def _segment(line: Line, recordings: Mapping[str, Span]) -> Span:
    """A line `recording start end` of `segments`; an end of -1 is the end of the recording."""
    try:
        name, start, end = line.value.split()
        offset, until = float(start), float(end)
    except ValueError:
        raise UserError(
            f"{line.where}: {line.value!r}; expected a recording, its start and its end"
        ) from None
    if name not in recordings:
        raise UserError(f"{line.where}: recording {name} is not in wav.scp")
    length = recordings[name].duration
    until = length if until == -1 else until
    if not 0 <= offset < min(until, length) or until > length + SLACK:
        raise UserError(f"{line.where}: {start} to {end} s is no stretch of {name}, which has {length:.2f} s")
    return Span(recordings[name].audio, offset, min(until, length) - offset)


def _check_same_keys(folder: Path, texts: Mapping[str, Line], files: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise UserError naming the first utterance that `text` has and a file has not, or the reverse."""
    for name, table in files.items():
        for here, there, has, lacks in [(texts, table, "text", name), (table, texts, name, "text")]:
            missing = [key for key in here if key not in there]
            if missing:
                more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
                raise UserError(f"{folder}: utterance {missing[0]} is in {has} and not in {lacks}{more}")


def _columns(speaker: Line, genders: Mapping[str, Line] | None, folder: Path) -> dict[str, Value]:
    if genders is None:
        return {}
    if speaker.value not in genders:
        raise UserError(f"{speaker.where}: speaker {speaker.value} is not in {folder / 'spk2gender'}")
    return {"gender": gender(genders[speaker.value].value)}


def from_lhotse(path: Path) -> list[Utterance]:
    """The utterances of a lhotse CutSet in JSON lines (.jsonl or .jsonl.gz).

    A cut with one supervision is an utterance as it is; a cut with several is trimmed to each of them, and
    the utterances take the supervisions' ids. Raises UserError where lhotse is not installed, and for what a
    manifest cannot say: mixed or many-channel cuts, audio that is no plain file, augmented recordings,
    supervisions that are absent, overhang their cut, or lack a text or speaker.
    """
    try:
        from lhotse.serialization import deserialize_item
    except ModuleNotFoundError:
        raise UserError(f"{path}: CutSets are read by lhotse, which is missing; pip install lhotse") from None
    if not path.name.endswith((".jsonl", ".jsonl.gz")):
        raise UserError(f"{path}: expected a CutSet in .jsonl or .jsonl.gz")
    utterances: list[Utterance] = []
    for where, line in numbered_lines(path):
        try:
            cut = deserialize_item(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UserError(f"{where}: no cut of lhotse's ({type(error).__name__}: {error})") from None
        utterances += _of_cut(cut, where)
    return utterances


def _of_cut(cut: Any, where: str) -> Iterator[Utterance]:
    """One utterance for each supervision of a lhotse cut."""
    if type(cut).__name__ != "MonoCut":
        raise UserError(f"{where}: a {type(cut).__name__}; expected a MonoCut")
    audio = _source(cut, f"{where}: cut {cut.id}")
    if not cut.supervisions:
        raise UserError(f"{where}: cut {cut.id} has no supervision, so no text")
    for supervision in cut.supervisions:
        at = f"{where}: supervision {supervision.id}"
        if supervision.start < -ROUNDING or supervision.end > cut.duration + ROUNDING:
            raise UserError(f"{at} overhangs its cut of {cut.duration} s; expected the whole of it inside")
        for field in ("text", "speaker"):
            if getattr(supervision, field) is None:
                raise UserError(f"{at} has no {field}")
        alone = len(cut.supervisions) == 1
        start = 0.0 if alone else max(0.0, supervision.start)
        end = cut.duration if alone else min(cut.duration, supervision.end)
        yield Utterance(
            id=cut.id if alone else supervision.id,
            text=supervision.text,
            speaker=supervision.speaker,
            audio=audio,
            offset=cut.start + start,
            duration=end - start,
            columns=_lhotse_columns(cut, supervision, at),
            where=where,
        )


def _source(cut: Any, where: str) -> Path:
    """The one file of a cut that holds the samples as they are."""
    recording = cut.recording
    if recording is None:
        raise UserError(f"{where} has no recording; expected audio, not features alone")
    if recording.transforms:
        raise UserError(f"{where} is of an augmented or resampled recording; save the audio to files first")
    if recording.num_channels != 1 or [source.type for source in recording.sources] != ["file"]:
        kinds = ", ".join(source.type for source in recording.sources)
        raise UserError(
            f"{where} has {recording.num_channels} channels from: {kinds}; expected one channel from one file"
        )
    return Path(recording.sources[0].source).absolute()


def _lhotse_columns(cut: Any, supervision: Any, where: str) -> dict[str, Value]:
    """Gender, language and the plain values among the custom fields of cut and supervision."""
    columns: dict[str, Value] = {}
    if supervision.gender is not None:
        columns["gender"] = gender(supervision.gender)
    if supervision.language is not None:
        columns["language"] = supervision.language
    for name, value in {**(cut.custom or {}), **(supervision.custom or {})}.items():
        if name in KNOWN or name in columns:
            raise UserError(f"{where}: custom field {name!r} has the name of a manifest's own field")
        if value is None or isinstance(value, str | int | float):
            columns[name] = value
    return columns
