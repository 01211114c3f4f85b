"""A grammar of English sentences in which a word that cannot be heard can be guessed from the others.

What makes it so: the tense agrees with the time, the verb with its subject, the pronoun with whom it stands
for; and a verb takes objects, places, reasons and consequences of its own scene only (see `scenes`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from specaug.speech.corpora.scenes import FULL, SMALL

Tense = Literal["past", "present", "future"]
TENSES: tuple[Tense, ...] = ("past", "present", "future")
POSSESSIVE = {"he": "his", "she": "her", "it": "its", "they": "their"}
MOST_SCENES = 4  # in one sentence
ATTEMPTS = 10_000  # at a sentence of the wanted length


@dataclass(frozen=True, slots=True)
class Verb:
    """The forms of a verb that the grammar needs: they bake, she bakes, she baked."""

    base: str
    present: str
    past: str

    def form(self, tense: Tense, many: bool) -> str:
        """The verb as it agrees with its subject, `will` included."""
        if tense == "future":
            return f"will {self.base}"
        if tense == "past":
            return self.past
        return self.base if many else self.present


@dataclass(frozen=True, slots=True)
class Scene:
    """What one kind of subject does: everything that can be said of it."""

    one: str
    many: str
    pronoun: str
    verb: Verb
    objects: tuple[str, ...]
    places: tuple[str, ...]
    reasons: tuple[str, ...]
    after: Verb
    rest: str


@dataclass(frozen=True, slots=True)
class Grammar:
    """Scenes, and the words that any scene can begin with."""

    scenes: tuple[Scene, ...]
    times: Mapping[Tense, tuple[str, ...]]
    counts: tuple[str, ...]  # what may stand before a plural
    adjectives: tuple[str, ...]  # "" for none


@dataclass(frozen=True, slots=True)
class Subject:
    """One scene as it occurs in a sentence."""

    scene: Scene
    many: bool
    tense: Tense

    @property
    def pronoun(self) -> str:
        """The word that stands for the subject in a later clause."""
        return "they" if self.many else self.scene.pronoun

    def agree(self, words: str) -> str:
        """`words` with every past/other pair and every possessive resolved."""
        chosen = (word.split("/")[0 if self.tense == "past" else -1] for word in words.split())
        return " ".join(POSSESSIVE[self.pronoun] if word == "~" else word for word in chosen)


def parse_scenes(table: str) -> tuple[Scene, ...]:
    """The scenes of a table, three lines each, in the notation that `scenes` explains."""
    lines = table.strip().splitlines()
    return tuple(_scene(*three) for three in zip(lines[::3], lines[1::3], lines[2::3], strict=True))


def sentence(grammar: Grammar, chance: np.random.Generator, least: int, most: int) -> str:
    """One sentence of `least` to `most` characters: lower-case words and single spaces.

    Raises ValueError where the grammar cannot make one.
    """
    for _ in range(ATTEMPTS):
        text = _sentence(grammar, chance, least)
        if least <= len(text) <= most:
            return text
    raise ValueError(f"no sentence of {least} to {most} characters in {ATTEMPTS} attempts")


def vocabulary(grammar: Grammar) -> set[str]:
    """Every word that a sentence of the grammar may contain."""
    texts = ["the will because while and then", *grammar.counts, *grammar.adjectives]
    texts += [time for times in grammar.times.values() for time in times]
    for scene in grammar.scenes:
        texts += [scene.one, scene.many, *scene.objects, *scene.places, *scene.reasons, scene.rest]
        texts += [form for verb in (scene.verb, scene.after) for form in (verb.base, verb.present, verb.past)]
        texts += [scene.pronoun, "they"]
        if any("~" in text for text in (*scene.objects, *scene.places, scene.rest)):
            texts += [POSSESSIVE[scene.pronoun], POSSESSIVE["they"]]
    return {word for text in texts for word in text.replace("/", " ").replace("~", " ").split()}


def _scene(first: str, second: str, third: str) -> Scene:
    names, verb = first.split(" : ")
    objects, places = second.split(" : ")
    reasons, after, rest = third.split(" : ")
    one, many, pronoun = names.split()
    return Scene(
        one=one,
        many=many,
        pronoun=pronoun,
        verb=Verb(*verb.split()),
        objects=tuple(objects.split("; ")),
        places=tuple(places.split("; ")),
        reasons=tuple(reasons.split("; ")),
        after=Verb(*after.split()),
        rest=rest,
    )


def _pick(chance: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(chance.integers(len(choices)))]


def _sentence(grammar: Grammar, chance: np.random.Generator, least: int) -> str:
    """Clauses, one after another, until there are `least` characters or nothing is left to say."""
    tense = TENSES[int(chance.integers(3))]
    scenes = [grammar.scenes[i] for i in chance.permutation(len(grammar.scenes))[:MOST_SCENES]]
    parts = [_pick(chance, grammar.times[tense])]
    for number, scene in enumerate(scenes):
        subject = Subject(scene, bool(chance.integers(2)), tense)
        parts += [_pick(chance, ("while", "and"))] if number else []
        parts.append(_clause(grammar, subject, chance))
        tails = [_because(subject, chance), _then(subject)]
        for i in chance.permutation(2)[: int(chance.integers(3))]:
            if len(" ".join(parts)) < least:
                parts.append(tails[i])
        if len(" ".join(parts)) >= least:
            break
    return " ".join(parts)


def _clause(grammar: Grammar, subject: Subject, chance: np.random.Generator) -> str:
    scene = subject.scene
    count = _pick(chance, grammar.counts) if subject.many else "the"
    noun = scene.many if subject.many else scene.one
    verb = scene.verb.form(subject.tense, subject.many)
    what, where = _pick(chance, scene.objects), _pick(chance, scene.places)
    return subject.agree(" ".join([count, _pick(chance, grammar.adjectives), noun, verb, what, where]))


def _because(subject: Subject, chance: np.random.Generator) -> str:
    return subject.agree(f"because {_pick(chance, subject.scene.reasons)}")


def _then(subject: Subject) -> str:
    verb = subject.scene.after.form(subject.tense, subject.many)
    return subject.agree(f"and then {subject.pronoun} {verb} {subject.scene.rest}")


_WEATHER = (
    ("winter", "snow fell/falls"),
    ("spring", "rain stopped/stops"),
    ("summer", "sun shone/shines"),
    ("autumn", "leaves turned/turn yellow"),
)
_PAST = ("yesterday morning", "last night", "last friday", "two days ago", "many years ago")
_PRESENT = ("every morning", "every night", "every friday", "these days", "nearly every week")
_FUTURE = ("tomorrow morning", "tomorrow night", "next friday", "in two days", "very soon")


def _seasons(which: str, form: int) -> tuple[str, ...]:
    """`last winter when the snow fell` and the like; a future sentence has its weather in the present."""
    texts = (f"{which} {season} when the {weather}" for season, weather in _WEATHER)
    return tuple(" ".join(word.split("/")[form if "/" in word else 0] for word in t.split()) for t in texts)


GRAMMARS: Mapping[str, Grammar] = {
    "small": Grammar(
        scenes=parse_scenes(SMALL),
        times={"past": ("yesterday",), "present": ("today",), "future": ("tomorrow",)},
        counts=("the", "two"),
        adjectives=("",),
    ),
    "full": Grammar(
        scenes=parse_scenes(FULL),
        times={
            "past": _PAST + _seasons("last", 0),
            "present": _PRESENT + _seasons("every", 1),
            "future": _FUTURE + _seasons("next", 1),
        },
        counts=("the", "two", "three", "many"),
        adjectives=("", "", "", "old", "young", "clever", "tired", "brave", "cheerful"),
    ),
}
