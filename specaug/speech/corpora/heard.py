"""What a run tests and an encoder may have heard, by what the options of both corpora say: no source is read (decision D180)."""

from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from os.path import normpath

from specaug.speech.corpora.options import CorpusOptions, Folded, LibriSpeech, Manifests, Spoken
from specaug.speech.corpora.spoken import KNOWN, Voice, cast, check
from specaug.speech.corpus import DEV, TRAIN

SPLIT = ("speakers", "fold")  # what says which recordings of a corpus with folds are tested
STREAM = tuple(field.name for field in fields(Spoken))  # what says which lines are drawn, and for which part

Said = frozenset[tuple[Voice, str, int]]  # by whom, which text, at how many words per minute


def at_fault(heard: CorpusOptions, corpus: CorpusOptions) -> list[str]:
    """Which options of `corpus` let it test what `train` and `dev` of `heard` may hold, and what is expected; else none.

    Of two different corpora nothing is known. Raises UserError where synthetic speech cannot be as its options say.
    """
    if heard.name != corpus.name:
        return []
    if isinstance(heard, Folded):
        return _differing(heard, corpus, SPLIT)
    if isinstance(heard, Spoken) and isinstance(corpus, Spoken):
        return _differing(heard, corpus, STREAM) if _repeated(heard, corpus) else []
    if isinstance(heard, LibriSpeech | Manifests) and isinstance(corpus, LibriSpeech | Manifests):
        known = {normpath(part) for part in (*_listed(heard.train), *_listed(heard.dev))}
        both = [part for part in corpus.test if normpath(part) in known]
        return [f"corpus.test has {', '.join(both)}; expected what it did not hear"] if both else []
    return []  # the others' test parts are the same for all recipes, and in no train or dev


def _listed(part: str | tuple[str, ...]) -> tuple[str, ...]:
    return (part,) if isinstance(part, str) else part


def _differing(heard: CorpusOptions, corpus: CorpusOptions, names: Sequence[str]) -> list[str]:
    return [
        f"corpus.{name} is {now}; expected {before}"
        for name in names
        if (before := getattr(heard, name, None)) != (now := getattr(corpus, name, None))
    ]


def _repeated(heard: Spoken, corpus: Spoken) -> bool:
    """Whether a line that is tested, or is spare for that, may have been heard; other voices than those of train never are."""
    return corpus.speakers == KNOWN and not lines(heard, tested=False).isdisjoint(lines(corpus, tested=True))


@lru_cache(maxsize=16)
def lines(options: Spoken, *, tested: bool) -> Said:
    """All that may be said in the test parts, or else in `train` and `dev`: the lines with the spare ones, unspoken."""
    check(options)
    return frozenset(
        (role.voice, line.text, line.rate)
        for role in cast(options)
        for line in role.lines
        if (line.part not in (TRAIN, DEV)) == tested
    )
