"""What runs began with: the measures of their pretrainings, and what these make of what they do not see."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from specaug.study.comparing.pairing import Entry
from specaug.study.page.theme import captioned, tabled
from specaug.study.results import RECONSTRUCTIONS, RESULT, begun_with
from specaug.study.tables.text_table import printable

CAPTION = "{}, seed {}: utterances of dev as they are, what is hidden of them, and what the network takes that to be."
MEASURES = (
    "Means over the hidden patches of dev, of the checkpoint that is kept. Retrieval is the share of hidden patches that "
    "are told from the other hidden ones of their utterance, but for equal ones, as in silence; by chance it would be one in "
    "as many as are hidden of it, if none were equal."
)


@dataclass(frozen=True)
class Made:
    """A pretraining that some runs began with."""

    name: str  # as the tables print it
    seed: int
    folder: Path

    @property
    def measured(self) -> dict[str, Any]:
        """On dev, of the checkpoint that is kept, and its epoch."""
        told = json.loads((self.folder / RESULT).read_text(encoding="utf-8"))
        return dict(told["best" if told["kept"] == "best" else "final"])


def pretrainings(entries: Sequence[Entry]) -> list[str]:
    """A row of measures for each pretraining, and the reconstructions of the first seed; nothing where none is at hand."""
    found = {
        folder: Made(str(entry.system.settings["init"]), result.seed, folder)
        for entry in entries
        for result in entry.results
        if (folder := begun_with(result))
    }
    made = sorted(found.values(), key=lambda one: (one.name, one.seed, str(one.folder)))
    if not made:
        return []
    measured = [one.measured for one in made]
    names = list(dict.fromkeys(name for told in measured for name in told if name != "epoch"))
    rows = [["pretraining", "seed", "epoch", *names]]
    for one, told in zip(made, measured, strict=True):
        values = [f"{told[name]:.4f}" if name in told else "-" for name in names]
        rows.append([escape(printable(one.name)), str(one.seed), str(told["epoch"]), *values])
    lines = [tabled(rows), f'<p class="soft">{MEASURES}</p>']
    first = {one.name: one for one in reversed(made)}
    for one in reversed(first.values()):
        lines += captioned(_picture(one.folder / RECONSTRUCTIONS), CAPTION.format(one.name, one.seed))
    return lines


def _picture(path: Path) -> str:
    if not path.is_file():
        return ""
    content = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="Reconstructions" src="data:image/png;base64,{content}">'
