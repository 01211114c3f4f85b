"""Results on disk: finding them, reading them, and refusing what cannot be compared.

A run folder is finished when it holds `result.json`. Beside it lies `hypotheses.jsonl`, one line per utterance;
folders that are kept in version control hold it as `hypotheses.jsonl.xz` (xz and not gzip: no time stamp in it).
"""

import gzip
import lzma
import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specaug.errors import UserError
from specaug.speech.corpus import TRAIN
from specaug.speech.manifest import Value
from specaug.speech.ranking import Floats, mean_average_precision
from specaug.study.fields import Fields
from specaug.study.folders import PRETRAINING as PRETRAINING
from specaug.study.folders import RECIPE as RECIPE
from specaug.study.folders import RESULT as RESULT
from specaug.study.folders import facts_in, of_pretraining, run_folders
from specaug.study.load import read
from specaug.study.parts import Masked as Masked
from specaug.study.parts import Part, Score, masked_in, part_in
from specaug.study.rows import KINDS as KINDS
from specaug.study.rows import MISSED, OWN, characters, parsed

Counts = NDArray[np.int64]

HYPOTHESES = "hypotheses.jsonl"
ROUNDING = 1e-9  # of a mean over utterances, in another order
RECONSTRUCTIONS = "reconstructions.png"  # beside the result of a pretraining
OPEN: dict[str, Callable[..., Any]] = {"": Path.open, ".xz": lzma.open, ".gz": gzip.open}


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
    trained: int | None  # utterances that it was trained on; not known of older results
    pretraining: tuple[str, str] | None  # that it began with: its name, and the id of its run
    start: str | None  # SHA-256 of the encoder that it began with
    network: str  # dotted path
    arguments: Mapping[str, Any]
    parameters: int
    alphabet: str
    parts: Mapping[str, Part]
    decoded: Mapping[str, Mapping[str, Any]]  # by label, what was chosen on dev; empty in older results
    masked: Masked
    expected: Masked | None  # by calculation; None where it was not known, and in older results
    epochs: int
    steps: int
    wall_seconds: float
    skipped: Sequence[Any]
    commit: str
    recipe: Mapping[str, Any]  # as it lies beside the result

    @property
    def classes(self) -> str | None:
        """The column whose values were the classes; None where transcripts were written."""
        told: Any = self.recipe.get("text")
        return told.get("classes") if isinstance(told, dict) else None

    @property
    def heading(self) -> str:
        """The corpus's title, which says "synthetic speech" where it is."""
        return headed(self.title, self.synthetic)


@dataclass(frozen=True, eq=False, slots=True)
class Utterances:
    """The utterances of one part in one run, sorted by id, with word counts in int64 arrays."""

    ids: tuple[str, ...]
    speakers: tuple[str, ...]
    references: tuple[str, ...]
    hypotheses: tuple[str, ...]
    columns: Mapping[str, tuple[Value, ...]]  # further fields of the manifest; None where a row has none
    words: Counts
    substitutions: Counts
    deletions: Counts
    insertions: Counts
    missed: Floats | None = None  # what each takes from the mean average precision, where there are classes

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
    ordered = run_folders(paths)
    return Runs(
        finished=[read_result(folder) for folder in ordered if (folder / RESULT).is_file()],
        unfinished=[folder for folder in ordered if not (folder / RESULT).is_file()],
    )


def read_result(folder: Path) -> Result:
    """The result in a finished run's folder.

    Raises UserError that names the file and the field at fault, also where the recipe beside it is another run's.
    """
    facts = facts_in(folder)
    if of_pretraining(facts):
        raise UserError(
            f"{folder}: a run of pretraining, which recognises nothing; expected runs that start from it"
        )
    policy, corpus, network, parts = map(facts.at, ("policy", "corpus", "network", "parts"))
    if not parts.facts:
        raise facts.wrong("parts", "one or more")
    result = Result(
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
        trained=corpus.at("utterances").count(TRAIN) if "utterances" in corpus.facts else None,
        pretraining=pretraining_in(network),
        start=network.text("init_sha256") if "init_sha256" in network.facts else None,
        network=network.text("path"),
        arguments=network.mapping("arguments"),
        parameters=network.count("parameters"),
        alphabet=facts.text("alphabet"),
        parts={name: part_in(parts.at(name)) for name in parts.facts},
        decoded=decoded_in(facts),
        masked=masked_in(facts.at("masked")),
        expected=None if facts.facts.get("expected") is None else masked_in(facts.at("expected")),
        epochs=facts.count("epochs"),
        steps=facts.count("steps"),
        wall_seconds=facts.number("wall_seconds"),
        skipped=facts.get("skipped", list, "a list"),
        commit=facts.text("commit"),
        recipe=recipe_in(folder),
    )
    told = {"policy.label": result.label, "seed": result.seed, "corpus.fold": result.fold}
    check_recipe(folder, result.recipe, told)
    return result


def headed(title: str, synthetic: bool) -> str:
    """A corpus's title, which says "synthetic speech" where it is."""
    said = "synthetic speech" in title.lower() or not synthetic
    return title if said else f"{title} (synthetic speech)"


def begun_with(result: Result) -> Path | None:
    """The folder of the finished pretraining that a run began with, where that is at hand."""
    if result.pretraining is None:
        return None
    name, run = result.pretraining
    made = (result.folder.parent.parent / PRETRAINING / name).glob(f"*-{run}/{RESULT}")
    return next((path.parent for path in made), None)


def pretraining_in(network: Fields) -> tuple[str, str] | None:
    """Name and run of the pretraining that a network began with, if with one."""
    if not network.facts.get("pretraining"):
        return None
    told = network.at("pretraining")
    return told.text("name"), told.text("run")


def decoded_in(facts: Fields) -> dict[str, dict[str, Any]]:
    """What was chosen of each decoding, by its label."""
    told = facts.at("decodings") if "decodings" in facts.facts else None
    return {label: told.mapping(label) for label in told.facts} if told else {}


def recipe_in(folder: Path) -> dict[str, Any]:
    """The recipe of a finished run, as it lies beside the result. Raises UserError where there is none."""
    if not (path := folder / RECIPE).is_file():
        raise UserError(
            f"{path}: no such file; expected the recipe of the run, which says how it was trained"
        )
    return read(path)


def check_recipe(folder: Path, recipe: Mapping[str, Any], told: Mapping[str, object]) -> None:
    """Raise UserError where the recipe says something else than is `told` by the result, key by key (D56)."""
    for key, expected in told.items():
        found: Any = recipe
        for name in key.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        if found not in (None, expected):
            path = folder / RECIPE
            raise UserError(f"{path}: {key} is {found!r:.80}; expected {expected!r} as in {RESULT}")


def read_lines(folder: Path) -> list[dict[str, Any]]:
    """The rows of a run's hypotheses, compressed or not. Raises UserError that names the line at fault."""
    path = next((p for ending in OPEN if (p := folder / (HYPOTHESES + ending)).is_file()), None)
    if path is None:
        raise UserError(f"{folder / HYPOTHESES}: no such file (nor with {' or '.join(list(OPEN)[1:])})")
    try:
        with OPEN[path.name.removeprefix(HYPOTHESES)](path, "rb") as file:
            lines = file.read().decode().split("\n")  # a transcript may hold other ends of lines as they are
    except (OSError, EOFError, lzma.LZMAError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: damaged ({error})") from None
    return list(parsed(lines[:-1] if lines[-1] == "" else lines, str(path)))


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
    told = result.parts[part]
    if len(rows) != told.utterances:
        raise UserError(f"{where}: {len(rows)} utterances; {RESULT} says {told.utterances}")
    expected = {"words": told.wer.total} | {name: getattr(told.wer, name) for name in KINDS}
    got = {name: np.array([row[name] for row in rows], dtype=np.int64) for name in expected}
    for name, counts in got.items():
        if counts.sum() != expected[name]:
            raise UserError(f"{where}: {counts.sum()} {name}; {RESULT} says {expected[name]}")
    _check_characters(where, told.cer, characters(rows))
    own = OWN if told.map is None else (*OWN, MISSED)  # in transcripts it is a column as any other
    further = dict.fromkeys(name for row in rows for name in row if name not in own)
    return Utterances(
        ids=_column(rows, "id"),
        speakers=_column(rows, "speaker"),
        references=_column(rows, "reference"),
        hypotheses=_column(rows, "hypothesis"),
        columns={name: _column(rows, name) for name in further},
        missed=None if told.map is None else _missed(where, told.map, rows),
        **got,
    )


def _missed(where: str, told: float, rows: Sequence[Mapping[str, Any]]) -> Floats:
    for row in rows:
        value = row.get(MISSED)
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise UserError(f"{where}: missed of {row['id']!r} is {value!r:.80}; expected a finite number")
    found = _column(rows, MISSED)
    if abs((mean := mean_average_precision(found)) - told) > ROUNDING:
        raise UserError(f"{where}: the mean average precision is {mean:.6f}; {RESULT} says {told:.6f}")
    return np.array(found, dtype=np.float64)


def _check_characters(where: str, told: Score, counted: Mapping[str, int]) -> None:
    expected = (told.total, told.errors, told.deletions - told.insertions)
    for (name, count), said in zip(counted.items(), expected, strict=True):
        if count != said:
            raise UserError(f"{where}: {count} {name}; {RESULT} says {said}")


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> tuple[Any, ...]:
    return tuple(row.get(name) for row in rows)
