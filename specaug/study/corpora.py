"""The corpus that a recipe names."""

import importlib
from collections.abc import Callable
from typing import Any

from specaug.speech.corpora.options import CorpusOptions, LibriSpeech, Manifests
from specaug.speech.corpus import Corpus
from specaug.study.places import Places, writable

Progress = Callable[[str, int, int], None]


def open_corpus(options: CorpusOptions, places: Places, progress: Progress = lambda *_: None) -> Corpus:
    """The corpus, built into the cache where it is not there yet."""
    build: Any = getattr(importlib.import_module(f"specaug.speech.corpora.{options.name}"), options.name)
    if isinstance(options, Manifests):
        corpus: Corpus = build(options, places.laboratory)
        return corpus
    cache = writable(places.cache)
    sources = () if options.name == "spoken" else (places.data,)
    corpus = build(options, *sources, cache, progress=progress)
    return corpus


__all__ = ["LibriSpeech", "open_corpus"]
