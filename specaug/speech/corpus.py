"""A corpus: a folder with one manifest per part, made once from its source."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from specaug.errors import UserError
from specaug.speech.manifest import Utterance, read_manifest, twice, write_manifest
from specaug.speech.once import make_once

TRAIN, DEV = "train", "dev"
INDEX = "corpus.json"
PLUS = "+"  # between a part's name and the way in which it was decoded


@dataclass(frozen=True, slots=True)
class Corpus:
    """Parts of a corpus: `train`, `dev` (for every choice), and the test parts (for reporting only)."""

    name: str
    title: str  # as printed above a table; says "synthetic speech" where it is
    synthetic: bool
    parts: Mapping[str, list[Utterance]]

    @property
    def tests(self) -> list[str]:
        """The names of the test parts, in the order of the corpus."""
        return [part for part in self.parts if part not in (TRAIN, DEV)]


Write = Callable[[Path], "Corpus"]


def build_once(folder: Path, write: Write) -> Corpus:
    """The corpus in `folder`; where it is not there yet, `write(partial)` makes it, whole or not at all.

    `write` puts audio under the folder it is given and returns the corpus with paths inside it.
    Two processes at once wait for each other.
    """

    def build(partial: Path) -> None:
        write_corpus(partial, write(partial))
        read_corpus(partial)  # what cannot be read back is not kept

    make_once(folder, INDEX, build)
    return read_corpus(folder)


def write_corpus(folder: Path, corpus: Corpus) -> None:
    """Write `corpus.json` and one manifest per part into `folder`."""
    for part, utterances in corpus.parts.items():
        write_manifest(folder / f"{part}.jsonl", utterances)
    facts = {
        "name": corpus.name,
        "title": corpus.title,
        "synthetic": corpus.synthetic,
        "parts": list(corpus.parts),
    }
    (folder / INDEX).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def read_corpus(folder: Path) -> Corpus:
    """The corpus that `write_corpus` left in `folder`."""
    facts = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    parts = {part: read_manifest(folder / f"{part}.jsonl") for part in facts["parts"]}
    return Corpus(facts["name"], facts["title"], facts["synthetic"], parts)


def check_disjoint(corpus: Corpus, apart: Iterable[str]) -> None:
    """Raise UserError where an id occurs twice, or a part named in `apart` shares a speaker with train."""
    seen: dict[str, str] = {}
    for utterances in corpus.parts.values():
        for u in utterances:
            if u.id in seen:
                raise UserError(f"{u.where}: {twice(u, seen[u.id])}")
            seen[u.id] = u.where
    trained = {u.speaker for u in corpus.parts[TRAIN]}
    for part in apart:
        for u in corpus.parts[part]:
            if u.speaker in trained:
                raise UserError(f"{u.where}: speaker {u.speaker!r} of part {part} is also in train")
