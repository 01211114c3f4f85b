"""Results on disk: finding them, reading them, and refusing what cannot be compared.

A run folder is finished when it holds `result.json`. Beside it lies `hypotheses.jsonl`, one line per utterance;
folders that are kept in version control hold it as `hypotheses.jsonl.xz` (xz and not gzip: no time stamp in it).
"""

import gzip
import json
import lzma
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specaug.errors import UserError

Counts = NDArray[np.int64]

RESULT, RECIPE, HYPOTHESES = "result.json", "recipe.yaml", "hypotheses.jsonl"
OPEN: dict[str, Callable[..., Any]] = {"": Path.open, ".xz": lzma.open, ".gz": gzip.open}
KINDS = ("substitutions", "deletions", "insertions")


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


@dataclass(frozen=True, slots=True)
class Masked:
    """The shares of the training features that were masked, each in [0, 1]."""

    cells: float
    frames: float
    channels: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a finished run left in `result.json`."""

    folder: Path
    run: str  # 12 hex digits
    experiment: str
    label: str  # of the policy, as printed
    policy: Mapping[str, Any]  # its name and its values under the papers' symbols
    seed: int
    fold: int
    corpus: str
    title: str
    synthetic: bool
    fingerprint: str
    network: str  # dotted path
    arguments: Mapping[str, Any]
    parameters: int
    alphabet: str
    parts: Mapping[str, Part]
    masked: Masked
    epochs: int
    steps: int
    wall_seconds: float
    skipped: Sequence[Any]
    commit: str


@dataclass(frozen=True, eq=False, slots=True)
class Utterances:
    """The utterances of one part in one run, sorted by id, with word counts in int64 arrays."""

    ids: tuple[str, ...]
    speakers: tuple[str, ...]
    words: Counts
    substitutions: Counts
    deletions: Counts
    insertions: Counts

    @property
    def errors(self) -> Counts:
        """Errors of each utterance."""
        return self.substitutions + self.deletions + self.insertions


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs under some folders: results of the finished ones, folders of the others."""

    finished: list[Result]
    unfinished: list[Path]


def find_runs(paths: Iterable[Path]) -> Runs:
    """The runs in and below `paths`, each once. Raises UserError where a path does not exist."""
    folders: dict[Path, Path] = {}
    for path in paths:
        if not path.is_dir():
            raise UserError(f"{path}: no such folder; expected a run folder or a folder that holds some")
        folders |= {folder.resolve(): folder for folder in _run_folders(path)}
    ordered = sorted(folders.values())
    return Runs(
        finished=[read_result(folder) for folder in ordered if (folder / RESULT).is_file()],
        unfinished=[folder for folder in ordered if not (folder / RESULT).is_file()],
    )


def _run_folders(path: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(path):
        below.sort()
        if RESULT in files or RECIPE in files:
            below.clear()  # a run holds no other run, and its checkpoints and logs may be many files
            yield Path(folder)


def read_result(folder: Path) -> Result:
    """The result in a finished run's folder. Raises UserError that names the file and the field at fault."""
    path = folder / RESULT
    try:
        facts = _Fields(path, json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; the run is not finished") from None
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error})") from None
    policy, corpus, network, parts = map(facts.at, ("policy", "corpus", "network", "parts"))
    masked = facts.at("masked")
    return Result(
        folder=folder,
        run=facts.text("run"),
        experiment=facts.text("experiment"),
        label=policy.text("label"),
        policy={name: value for name, value in policy.facts.items() if name != "label"},
        seed=facts.count("seed"),
        fold=facts.count("fold"),
        corpus=corpus.text("name"),
        title=corpus.text("title"),
        synthetic=corpus.get("synthetic", bool, "true or false"),
        fingerprint=corpus.text("fingerprint"),
        network=network.text("path"),
        arguments=network.mapping("arguments"),
        parameters=network.count("parameters"),
        alphabet=facts.text("alphabet"),
        parts={name: _part(parts.at(name)) for name in parts.facts},
        masked=Masked(masked.share("cells"), masked.share("frames"), masked.share("channels")),
        epochs=facts.count("epochs"),
        steps=facts.count("steps"),
        wall_seconds=facts.number("wall_seconds"),
        skipped=facts.get("skipped", list, "a list"),
        commit=facts.text("commit"),
    )


def read_lines(folder: Path) -> list[dict[str, Any]]:
    """The rows of a run's hypotheses, compressed or not. Raises UserError that names the line at fault."""
    path = next((p for ending in OPEN if (p := folder / (HYPOTHESES + ending)).is_file()), None)
    if path is None:
        raise UserError(f"{folder / HYPOTHESES}: no such file (nor with {' or '.join(list(OPEN)[1:])})")
    try:
        with OPEN[path.name.removeprefix(HYPOTHESES)](path, "rb") as file:
            lines = file.read().decode().splitlines()
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: damaged ({error})") from None
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise UserError(f"{path}:{number}: not JSON ({error})") from None
        _check_line(rows[-1], f"{path}:{number}")
    return rows


def read_utterances(result: Result) -> dict[str, Utterances]:
    """For each part of `result` its utterances. Raises UserError where they do not add up to the result."""
    rows: dict[str, list[dict[str, Any]]] = {part: [] for part in result.parts}
    for row in read_lines(result.folder):
        rows.setdefault(row["part"], []).append(row)
    if extra := sorted(set(rows) - set(result.parts)):
        raise UserError(f"{result.folder / HYPOTHESES}: part {extra[0]!r} is not in {RESULT}")
    return {part: _utterances(result, part, rows[part]) for part in result.parts}


def _utterances(result: Result, part: str, rows: list[dict[str, Any]]) -> Utterances:
    rows = sorted(rows, key=lambda row: row["id"])
    where = f"{result.folder / HYPOTHESES}: part {part}"
    for one, other in pairwise(rows):
        if one["id"] == other["id"]:
            raise UserError(f"{where}: id {one['id']!r} occurs twice; ids must be unique")
    got = {name: np.array([row[name] for row in rows], dtype=np.int64) for name in ("words", *KINDS)}
    told = result.parts[part]
    expected = {"words": told.wer.total} | {name: getattr(told.wer, name) for name in KINDS}
    for name, counts in got.items():
        if counts.sum() != expected[name]:
            raise UserError(f"{where}: {counts.sum()} {name}; {RESULT} says {expected[name]}")
    ids, speakers = (tuple(row[name] for row in rows) for name in ("id", "speaker"))
    return Utterances(ids, speakers, **got)


def _check_line(row: object, where: str) -> None:
    if not isinstance(row, dict):
        raise UserError(f"{where}: a {type(row).__name__}; expected one JSON object a line")
    for name in ("part", "id", "speaker"):
        if not isinstance(row.get(name), str):
            raise UserError(f"{where}: field {name} is {row.get(name)!r}; expected text")
    for name in ("words", *KINDS):
        value = row.get(name)
        if type(value) is not int or value < 0:
            raise UserError(f"{where}: field {name} is {value!r}; expected a count, 0 or more")


def _part(facts: "_Fields") -> Part:
    wer, cer = _score(facts.at("wer"), "words"), _score(facts.at("cer"), "characters")
    return Part(facts.count("utterances"), wer, cer, facts.number_or_none("loss"))


def _score(facts: "_Fields", unit: str) -> Score:
    substitutions, deletions, insertions = map(facts.count, KINDS)
    score = Score(substitutions, deletions, insertions, facts.count(unit))
    if not score.total:
        raise facts.wrong(unit, "1 or more")
    if facts.count("errors") != score.errors:
        raise facts.wrong("errors", f"{score.errors}, the sum of the kinds")
    return score


class _Fields:
    """The fields of a JSON object; UserError where one is missing or of another kind."""

    def __init__(self, file: Path, facts: object, path: str = "") -> None:
        if not isinstance(facts, dict):
            raise UserError(f"{file}: {path or 'the whole'} is {facts!r:.40}; expected an object")
        self.file = file
        self.facts = facts
        self.path = path

    def at(self, name: str) -> "_Fields":
        return _Fields(self.file, self.get(name, dict, "an object"), f"{self.path}{name}.")

    def get(self, name: str, kind: Any, expected: str) -> Any:
        if name not in self.facts:
            raise UserError(f"{self.file}: field {self.path}{name} is missing")
        value = self.facts[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.wrong(name, expected)
        return value

    def text(self, name: str) -> str:
        return str(self.get(name, str, "text"))

    def mapping(self, name: str) -> dict[str, Any]:
        return dict(self.get(name, dict, "an object"))

    def number(self, name: str) -> float:
        return float(self.get(name, int | float, "a number"))

    def number_or_none(self, name: str) -> float | None:
        return None if self.facts.get(name, 0) is None else self.number(name)

    def count(self, name: str) -> int:
        value = int(self.get(name, int, "a whole number, 0 or more"))
        if value < 0:
            raise self.wrong(name, "a whole number, 0 or more")
        return value

    def share(self, name: str) -> float:
        value = self.number(name)
        if not 0 <= value <= 1:
            raise self.wrong(name, "a share in [0, 1]")
        return value

    def wrong(self, name: str, expected: str) -> UserError:
        return UserError(f"{self.file}: field {self.path}{name} is {self.facts[name]!r}; expected {expected}")
