"""ESC-50 (Piczak 2015): 2,000 sounds of five seconds, 40 of each of 50 classes, read where they lie.

`meta/esc50.csv` has a line for each file of `audio/`. The data set comes in five folds, and clips that were cut from
one source are in one fold; here that source is the speaker. A fold is `test`, the next one (after the fifth the first) is
`dev`, and three are left for `train`: published results train on four, and have no dev part (decision D99).
"""

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from specaug.errors import UserError
from specaug.speech.audio import seconds
from specaug.speech.classes import class_name
from specaug.speech.corpora.clips import listing, tree
from specaug.speech.corpora.options import Esc50, content
from specaug.speech.corpus import DEV, TRAIN, Corpus, build_once, check_disjoint
from specaug.speech.kinds import Tell
from specaug.speech.manifest import Utterance, numbered_lines, relative

VERSION = 1  # of this reader: another one gets another folder
NAMES = ("ESC-50", "ESC-50-master")  # the second as GitHub's archive unpacks
TABLE = Path("meta", "esc50.csv")
COLUMNS = ("filename", "fold", "category", "esc10", "src_file")  # those that are read
FOLDS = 5
TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Clip:
    """A line of the table."""

    path: Path
    fold: int  # 1 to 5
    category: str
    of_ten: bool  # whether ESC-10 has it
    source: str  # what it was cut from
    where: str


def esc50(options: Esc50, data: Path, cache: Path, progress: Tell = lambda *_: None) -> Corpus:
    """The corpus whose manifests are made once under `cache` from `data/ESC-50`.

    Raises UserError where the table lacks a column or cannot be understood, a file that it names is missing, a fold
    has no clips, or a source is in two folds.
    """
    root = tree(data, NAMES)
    table = root / TABLE
    clips = [clip for clip in _clips(table, root / "audio") if clip.of_ten or not options.only_10]
    parts = _parts(options, table, clips)
    files = listing(root, [clip.path for clip in clips], [table])
    text = json.dumps([content(options, VERSION), relative(root, cache), files])
    folder = cache / f"esc50-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return build_once(folder, lambda _: _read(options, parts, progress))


def _clips(table: Path, audio: Path) -> list[Clip]:
    """The clips, in the order of the table."""
    if not table.is_file():
        raise UserError(f"{table}: no such file; expected the table that comes with the sounds")
    (start, first), *lines = numbered_lines(table)
    header = _fields(first, start)
    for column in COLUMNS:
        if column not in header:
            raise UserError(f"{table}: no column {column!r}; expected {', '.join(COLUMNS)}")
    clips: list[Clip] = []
    fold_of: dict[str, int] = {}
    for where, line in lines:
        fields = _fields(line, where)
        if len(fields) != len(header):
            raise UserError(f"{where}: {len(fields)} fields; expected {len(header)}, as in the first line")
        clip = _clip(dict(zip(header, fields, strict=True)), audio, where)
        if (other := fold_of.setdefault(clip.source, clip.fold)) != clip.fold:
            expected = "expected one fold for each source"
            raise UserError(f"{where}: src_file {clip.source} is in fold {other} as well; {expected}")
        clips.append(clip)
    return clips


def _fields(line: str, where: str) -> list[str]:
    try:
        return [field.strip() for field in next(csv.reader([line]))]
    except csv.Error as error:
        raise UserError(f"{where}: {error}; expected a line of fields with commas between them") from None


def _clip(row: Mapping[str, str], audio: Path, where: str) -> Clip:
    """The clip of a line. Raises UserError where a field says nothing that it can, or the file is not there."""
    folds = {str(fold): fold for fold in range(1, FOLDS + 1)}
    for column, allowed in (("fold", folds), ("esc10", TRUTH)):
        if row[column].lower() not in allowed:
            raise UserError(f"{where}: {column} is {row[column]!r}; expected one of {', '.join(allowed)}")
    for column in ("filename", "category", "src_file"):
        if not row[column]:
            raise UserError(f"{where}: {column} is empty; expected a name")
    if not (path := audio / row["filename"]).is_file():
        raise UserError(f"{where}: no file {path}; expected each that the table names")
    return Clip(
        path=path,
        fold=folds[row["fold"]],
        category=class_name(row["category"].lower()),
        of_ten=TRUTH[row["esc10"].lower()],
        source=row["src_file"],
        where=where,
    )


def _parts(options: Esc50, table: Path, clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    """Which clips each part has."""
    test = options.fold + 1
    role = {test: "test", test % FOLDS + 1: DEV}
    for fold in range(1, FOLDS + 1):
        if not any(clip.fold == fold for clip in clips):
            what = " of ESC-10" if options.only_10 else ""
            raise UserError(f"{table}: no clip{what} of fold {fold} in it; expected folds 1 to {FOLDS}")
    return {
        part: [clip for clip in clips if role.get(clip.fold, TRAIN) == part] for part in (TRAIN, DEV, "test")
    }


def _read(options: Esc50, parts: Mapping[str, Sequence[Clip]], progress: Tell) -> Corpus:
    read: dict[str, list[Utterance]] = {}
    for part, clips in parts.items():
        read[part] = []
        for done, clip in enumerate(clips, 1):
            read[part].append(_utterance(clip))
            progress(f"esc50 {part}", done, len(clips))
    name = "ESC-10" if options.only_10 else "ESC-50"
    corpus = Corpus(options.name, f"{name}: environmental sounds", False, read)
    check_disjoint(corpus, apart=(DEV, *corpus.tests))
    return corpus


def _utterance(clip: Clip) -> Utterance:
    return Utterance(
        id=clip.path.stem,
        text=clip.category,
        speaker=clip.source,
        duration=seconds(clip.path, clip.where),
        audio=clip.path,
        columns={"category": clip.category},
        where=clip.where,
    )
