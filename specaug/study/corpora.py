"""The corpus that a recipe names."""

import importlib
from typing import Any, cast

from specaug.speech.corpora.options import CorpusOptions, Manifests, Spoken
from specaug.speech.corpus import Corpus
from specaug.speech.kinds import Tell
from specaug.study.places import Places, writable


def open_corpus(options: CorpusOptions, places: Places, progress: Tell = lambda *_: None) -> Corpus:
    """The corpus, built into the cache where it is not there yet."""
    build: Any = getattr(importlib.import_module(f"specaug.speech.corpora.{options.name}"), options.name)
    if isinstance(options, Manifests):
        return cast(Corpus, build(options, places.laboratory))
    cache = writable(places.cache)
    sources = () if isinstance(options, Spoken) else (places.data,)
    return cast(Corpus, build(options, *sources, cache, progress=progress))
