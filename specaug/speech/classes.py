"""Classes of utterances in the place of transcripts: keywords, speakers, emotions, whatever a column of the manifest says."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from specaug.errors import UserError
from specaug.speech.batching import chance
from specaug.speech.check import Problem
from specaug.speech.corpus import TRAIN, Corpus
from specaug.speech.manifest import Utterance, Value
from specaug.speech.options import Text

SHOWN = 12  # classes or columns that a message lists


@dataclass(frozen=True)
class Classes:
    """The names of the classes, sorted; a network writes one of them for an utterance (decision D100)."""

    names: tuple[str, ...]

    @property
    def size(self) -> int:
        """The number of labels, label 0 among them, which is never written."""
        return len(self.names) + 1

    @property
    def tokens(self) -> list[str]:
        """The names of labels 1, 2, ..."""
        return list(self.names)

    def encode(self, text: str) -> list[int]:
        """The one label of a class. Raises ValueError where it is none of these."""
        if text not in self.names:
            raise ValueError(f"{text!r} is none of the {len(self.names)} classes: {listed(self.names)}")
        return [self.names.index(text) + 1]

    def decode(self, labels: Sequence[int]) -> str:
        """The name of the class."""
        return " ".join(self.names[label - 1] for label in labels)


def asked_of(corpus: Corpus, text: Text) -> tuple[Corpus, list[Problem]]:
    """The corpus as the recipe asks for it: classes for transcripts, and so much of `train` as is labelled.

    Utterances that have no class are left out, and a problem of each is told. Raises UserError where no utterance has
    the column.
    """
    problems: list[Problem] = []
    if text.classes:
        require_column(corpus, text.classes)
        corpus, problems = classified(corpus, text.classes)
    if text.labelled < 1:
        kept = labelled(corpus.parts[TRAIN], text.labelled, by_class=text.classes is not None)
        corpus = replace(corpus, parts={**corpus.parts, TRAIN: kept})
    return corpus, problems


def labels_of(corpus: Corpus, text: Text) -> int:
    """How many labels a network chooses from where a recipe asks for classes, label 0 among them; raises as `asked_of`."""
    assert text.classes
    return classes_of(asked_of(corpus, text)[0], text.classes).size


def classified(corpus: Corpus, column: str) -> tuple[Corpus, list[Problem]]:
    """The utterances that have a class, with its name as their text, and a problem of each of the others.

    Raises UserError where two values would be one class, "go_on" and "go on" say.
    """
    parts: dict[str, list[Utterance]] = {}
    problems = []
    require_one_spelling(corpus, column)
    for part, utterances in corpus.parts.items():
        named = [replace(u, text=class_name(value_of(u, column))) for u in utterances]
        parts[part] = [u for u in named if u.text]
        problems += [
            Problem(u.where or u.id, f"no {column}, which is the class; expected one")
            for u in named
            if not u.text
        ]
    return replace(corpus, parts=parts), problems


def require_one_spelling(corpus: Corpus, column: str) -> None:
    """Raise UserError where two values have one class name."""
    spelt: dict[str, tuple[str, Utterance]] = {}
    for u in (u for utterances in corpus.parts.values() for u in utterances):
        value = " ".join(words(value_of(u, column)))
        other, first = spelt.setdefault(class_name(value), (value, u))
        if other != value:
            raise UserError(
                f"{u.where or u.id}: {column} is {value!r}, and {other!r} at {first.where or first.id}, "
                "which would be one class; expected one spelling"
            )


def classes_of(corpus: Corpus, column: str) -> Classes:
    """The classes of a corpus whose texts are their names, as training knows them.

    Raises UserError where training knows fewer than two, or another part has a class that training does not know.
    """
    names = tuple(sorted({u.text for u in corpus.parts[TRAIN]}))
    if len(names) < 2:
        raise UserError(
            f"text.classes is {column!r}, of which train has {len(names)} ({listed(names)}); "
            "expected 2 classes or more"
        )
    for part, u in strangers(corpus, names):
        raise UserError(
            f"{u.where or u.id}: class {u.text!r} of part {part} is not in train; "
            f"expected one of its {len(names)}: {listed(names)}"
        )
    return Classes(names)


def strangers(corpus: Corpus, names: Sequence[str]) -> Iterator[tuple[str, Utterance]]:
    """The utterances of classes that are not among `names`, with their parts."""
    known = set(names)
    for part, utterances in corpus.parts.items():
        yield from ((part, u) for u in utterances if u.text not in known)


def require_column(corpus: Corpus, column: str) -> None:
    """Raise UserError where no utterance has the column, and say which columns there are."""
    everything = [u for utterances in corpus.parts.values() for u in utterances]
    if not any(class_name(value_of(u, column)) for u in everything):
        known = dict.fromkeys(["text", "speaker", *(name for u in everything for name in u.columns)])
        raise UserError(
            f"text.classes is {column!r}, and no utterance has such a column; expected one of {listed(list(known))}"
        )


def value_of(utterance: Utterance, column: str) -> Value:
    """What an utterance has in a column; None where it has none."""
    if column in ("text", "speaker"):
        return str(getattr(utterance, column))
    return utterance.columns.get(column)


def class_name(value: Value) -> str:
    """The value as one word; nothing for null, NaN and blank text.

    >>> class_name("turn  on"), class_name(3), class_name(True), class_name(None), class_name(" ")
    ('turn_on', '3', 'true', '', '')
    >>> class_name("Vacuum  Cleaner".lower()), class_name("hand-saw")
    ('vacuum_cleaner', 'hand-saw')
    """
    return "_".join(words(value))


def words(value: Value) -> list[str]:
    """What is written of a value; nothing for null, NaN and blank text."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return []
    return (str(value).lower() if isinstance(value, bool) else str(value)).split()


def labelled(utterances: Sequence[Utterance], share: float, by_class: bool) -> list[Utterance]:
    """A share of the utterances in their order, of each class where they have classes, and at least one of each.

    Chosen by their ids alone: alike on every machine and for every seed, and a smaller share lies inside a larger one.
    """
    groups: dict[str, list[str]] = {}
    for u in utterances:
        groups.setdefault(u.text if by_class else "", []).append(u.id)
    kept: set[str] = set()
    for ids in groups.values():
        ordered = sorted(ids, key=lambda name: (chance("labelled", name), name))
        kept.update(ordered[: max(1, round(share * len(ids)))])
    return [u for u in utterances if u.id in kept]


def listed(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
