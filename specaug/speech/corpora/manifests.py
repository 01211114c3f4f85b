"""A corpus that is given as manifests, read as they are."""

from pathlib import Path

from specaug.errors import UserError
from specaug.speech.corpora.options import Manifests
from specaug.speech.corpus import DEV, PLUS, TRAIN, Corpus, check_disjoint
from specaug.speech.manifest import read_manifest


def manifests(options: Manifests, laboratory: Path) -> Corpus:
    """The corpus whose manifests `options` names, relative to `laboratory`.

    Raises UserError where `train` or `dev` is not given, two parts have one name or one has a plus in it, an id occurs
    twice, or a test part shares a speaker with train.
    """
    given = {TRAIN: options.train, DEV: options.dev}
    for part, path in given.items():
        if not path:
            raise UserError(f"corpus.{part} is empty; expected the path of a manifest")
    for path in options.test:
        part = Path(path).stem
        if part in given:
            raise UserError(
                f"corpus.test: {path} makes a part called {part!r}, which {given[part]} is already; "
                "expected another file name"
            )
        if PLUS in part:
            raise UserError(
                f"corpus.test: {path} makes a part called {part!r}, and after a {PLUS} stands how a part was decoded; "
                "expected another file name"
            )
        given[part] = path
    parts = {part: read_manifest(laboratory / path) for part, path in given.items()}
    title = options.title or f"manifests ({', '.join(given.values())})"
    corpus = Corpus(options.name, title, options.synthetic, parts)
    check_disjoint(corpus, apart=corpus.tests)
    return corpus
