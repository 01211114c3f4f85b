"""The tables of a document, and the runs that are kept for them."""

import json
import lzma
import math
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from specaug.errors import UserError
from specaug.study.comparing.compare import compare
from specaug.study.comparing.gathered import gathered
from specaug.study.comparing.pairs import Kind, paired
from specaug.study.comparing.reading import read_runs
from specaug.study.places import replaced
from specaug.study.pretraining.results import read_any
from specaug.study.results import (
    HYPOTHESES,
    RECIPE,
    RECONSTRUCTIONS,
    RESULT,
    Result,
    read_lines,
    read_utterances,
)
from specaug.study.tables import groups_table, pairs_table, plain_table
from specaug.study.tables.table import as_markdown
from specaug.training.files import CURVES

MARKER = re.compile(
    r"^<!-- table: (?P<paths>.+?)(?: by (?P<column>\S+)| in pairs of (?P<pairs>policies|networks|gains))? -->$"
)
END = "<!-- end -->"
PICTURE = 1_000_000  # bytes, at most, of a picture that is kept; one of four utterances has about half


def table_of(folders: Sequence[Path], column: str | None = None, pairs: Kind | None = None) -> str:
    """The Markdown of all runs that are kept below some folders; by a column of the manifest, or in pairs."""
    if pairs:
        return plain_table.as_markdown(pairs_table.plain(paired(read_runs(folders), pairs)))
    if column:
        return groups_table.as_markdown(groups_table.Report.of(gathered(folders), [column]))
    return as_markdown(compare(folders))


def refresh(document: Path, root: Path, check: bool) -> bool:
    """Whether `document` had the tables that the kept runs give; where not, it has them now, unless `check`.

    A table stands between a line `<!-- table: PATH -->`, PATH being relative to `root`, and `<!-- end -->`; of several
    folders as `PATH + PATH`; with `PATH by speaker` by that column, and with `PATH in pairs of gains` (or networks, or
    policies) in pairs. Raises UserError where a marker has no end or names a folder without finished runs.
    """
    try:
        text = document.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{document}: byte {error.start} is not UTF-8 ({error.reason}); expected text"
        ) from None
    lines, kept, start = text.removesuffix("\n").split("\n"), [], 0
    while start < len(lines):
        kept.append(lines[start])
        if marker := MARKER.match(lines[start]):
            where = f"{document}:{start + 1}"
            start = _end(lines, start, where)
            kept += ["", *_regenerated(marker, root, where), "", END]
        start += 1
    current = "\n".join(kept) + "\n" * text.endswith("\n")
    if current != text and not check:
        replaced(document, current)
    return current == text


def keep_run(folder: Path, root: Path, picture: bool = True) -> Path:
    """The folder below `root`, named as `folder`, that now holds what a table needs of a finished run.

    This is the form in which runs are committed: about 10 kB for 700 utterances. Of a pretraining, what it measured, and its
    `picture` unless that is large.
    """
    result = read_any(folder)  # what is damaged is not kept
    packed = _packed(result) if isinstance(result, Result) else b""
    kept = root / folder.resolve().name
    kept.mkdir(parents=True, exist_ok=True)
    if packed:
        (kept / f"{HYPOTHESES}.xz").write_bytes(packed)
    copied = [(CURVES, math.inf), (RECIPE, math.inf), *([(RECONSTRUCTIONS, PICTURE)] if picture else [])]
    for name, largest in copied:
        if (folder / name).is_file() and (folder / name).stat().st_size <= largest:
            shutil.copyfile(folder / name, kept / name)
    shutil.copyfile(folder / RESULT, kept / RESULT)  # last: it says that the folder is whole
    return kept


def _packed(result: Result) -> bytes:
    """The hypotheses, compressed. Raises UserError where they do not add up to the result."""
    read_utterances(result)
    rows = read_lines(result.folder)
    return lzma.compress("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())


def _end(lines: Sequence[str], start: int, where: str) -> int:
    for number in range(start + 1, len(lines)):
        if lines[number] == END:
            return number
        if MARKER.match(lines[number]):
            break
    raise UserError(f"{where}: the table has no end; expected a line {END}")


def _regenerated(marker: re.Match[str], root: Path, where: str) -> list[str]:
    folders = [root / path for path in marker["paths"].split(" + ")]
    try:
        return table_of(folders, marker["column"], cast(Kind | None, marker["pairs"])).splitlines()
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
