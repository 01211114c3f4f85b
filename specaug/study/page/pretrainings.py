"""What runs began with: the measures of their pretrainings, and what these make of what they do not see."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from specaug.study.comparing.pairing import Entry
from specaug.study.page.pretext_curves import curves
from specaug.study.page.theme import captioned, tabled
from specaug.study.results import RECONSTRUCTIONS, RESULT, begun_with
from specaug.study.tables.text_table import printable

CAPTION = "{}: utterances of dev as they are, what is hidden of them, and what the network takes that to be."
MEASURES = (
    "Means over the hidden patches of dev, of the checkpoint that is kept. Retrieval is the share of hidden patches that "
    "are told from the other hidden ones of their utterance, but for equal ones, as in silence; by chance it would be one in "
    "as many as are hidden of it, if none were equal."
)


@dataclass(frozen=True)
class Made:
    """A pretraining that some runs began with."""

    name: str  # as the tables print it
    fold: int  # 0 where it has none
    seed: int
    folder: Path
    measured: Mapping[str, Any]  # on dev, of the checkpoint that is kept, and its epoch

    @classmethod
    def of(cls, name: str, folder: Path) -> "Made":
        """What lies in the folder of a finished one."""
        told = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        measured = told["best" if told["kept"] == "best" else "final"]
        return cls(name, told["fold"], told["seed"], folder, measured)


def pretrainings(entries: Sequence[Entry]) -> list[str]:
    """What the runs of some policies began with; nothing where none is at hand."""
    found = {
        folder: Made.of(str(entry.system.settings["init"]), folder)
        for entry in entries
        for result in entry.results
        if (folder := begun_with(result))
    }
    return told_of(found.values())


def told_of(found: Iterable[Made]) -> list[str]:
    """A row of measures for each pretraining, the curves, and the reconstructions of the first seed; nothing of none.

    The fold is told of those that each fold made anew.
    """
    made = sorted(found, key=lambda one: (one.name, one.fold, one.seed, str(one.folder)))
    if not made:
        return []
    first = {one.name: one for one in reversed(made)}
    folded = {one.name for one in made if one.fold != first[one.name].fold}
    names = list(dict.fromkeys(name for one in made for name in one.measured if name != "epoch"))
    lines = [_table(made, names, folded), f'<p class="soft">{MEASURES}</p>']
    lines += curves([(printable(one.name), one.seed, one.folder) for one in made], names)
    for one in reversed(first.values()):
        fold = f", fold {one.fold}" if one.name in folded else ""
        caption = CAPTION.format(f"{one.name}{fold}, seed {one.seed}")
        lines += captioned(_picture(one.folder / RECONSTRUCTIONS), caption)
    return lines


def _table(made: Sequence[Made], names: Sequence[str], folded: set[str]) -> str:
    """With a column of folds where some names have several."""
    rows = [["pretraining", *(["fold"] if folded else []), "seed", "epoch", *names]]
    for one in made:
        told = one.measured
        fold = [str(one.fold) if one.name in folded else "-"] if folded else []
        values = [f"{told[name]:.4f}" if name in told else "-" for name in names]
        rows.append([escape(printable(one.name)), *fold, str(one.seed), str(told["epoch"]), *values])
    return tabled(rows)


def _picture(path: Path) -> str:
    if not path.is_file():
        return ""
    content = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="Reconstructions" src="data:image/png;base64,{content}">'
