"""`specaug data ...`: corpora fetched, made, checked and converted."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from specaug.cli.common import add_group, add_recipe, add_verb, places, refuse
from specaug.errors import UserError
from specaug.speech.corpora.options import LibriSpeech

_READ = LibriSpeech()
PARTS = [*_READ.train, *_READ.dev, *_READ.test]  # what a recipe reads that names no parts

OWN = """specaug data check train.jsonl --alphabet " 'abcdefghijklmnopqrstuvwxyz"

One JSON object a line, with the fields
  audio_filepath    WAV, FLAC or Ogg; or feature_filepath: a (frames, mel) array in .npy; relative to the manifest
  duration          seconds; and offset, where the utterance does not start with the file
  text, speaker     what was said, and by whom
  id                unique; where it is left out, the path as it is written, without its ending
and any others (gender, accent, ...), by which results can be compared. A recipe of such a corpus, as experiments/own.yaml:
  corpus: {name: manifests, train: data/train.jsonl, dev: data/dev.jsonl, test: [data/test.jsonl]}  # from the laboratory
  policies: [None, LB, LD]
  seeds: [0, 1, 2]"""


def add_data(verbs: Any) -> None:
    """`specaug data ...`."""
    example = "specaug data check my/train.jsonl"
    kinds = add_group(verbs, "data", "fetch, make, check and convert corpora", example, "WHAT")
    verb = add_verb(kinds, "fsdd", "fetch FSDD, 27 MB", data_fsdd, "specaug data fsdd --download")
    verb.add_argument("--download", action="store_true", help="from its public repository, with git")
    verb.add_argument("--data", type=Path, metavar="DIR", help="into this folder (SPECAUG_DATA, else data/)")
    verb.add_argument("--source", metavar="URL", help="instead of the public repository")
    example = "specaug data librispeech --download --parts train-clean-100,dev-clean"
    what = "fetch parts of LibriSpeech, or say which are there"
    verb = add_verb(kinds, "librispeech", what, data_librispeech, example)
    verb.add_argument("--download", action="store_true", help="from openslr.org; a broken download goes on")
    verb.add_argument(
        "--parts", default="", metavar="NAME,...", help=f"all (60 GB), or some ({','.join(PARTS)}: 8 GB)"
    )
    verb.add_argument("--data", type=Path, metavar="DIR", help="into this folder (SPECAUG_DATA, else data/)")
    verb.add_argument("--source", default="", metavar="URL", help="a folder with the archives, instead")
    what = "say what is there of Switchboard and Hub5'00, which LDC alone gives out"
    verb = add_verb(kinds, "switchboard", what, data_switchboard, "specaug data switchboard --data DIR")
    verb.add_argument(
        "--data", type=Path, metavar="DIR", help="that holds switchboard/ (SPECAUG_DATA, else data/)"
    )
    verb = add_verb(
        kinds, "make", "make the corpus and the features of a recipe", data_make, "specaug data make RECIPE"
    )
    add_recipe(verb, "corpus.fold=1 features.mel=40")
    verb = add_verb(kinds, "check", "print what is wrong with a manifest", data_check, OWN)
    verb.add_argument("manifest", type=Path, metavar="MANIFEST", help="a file of JSON lines")
    verb.add_argument("--alphabet", metavar="CHARACTERS", help="allowed in transcripts (any)")
    example = "specaug data convert kaldi data/train train.jsonl"
    verb = add_verb(
        kinds, "convert", "write a manifest of a Kaldi folder or lhotse cuts", data_convert, example
    )
    verb.add_argument("kind", choices=("kaldi", "lhotse"), metavar="KIND", help="one of kaldi, lhotse")
    verb.add_argument("source", type=Path, metavar="SOURCE", help="a Kaldi folder, or a file of lhotse cuts")
    verb.add_argument("manifest", type=Path, metavar="MANIFEST", help="the file to write")


def data_fsdd(arguments: argparse.Namespace) -> int:
    """Fetch the recordings, or say where they are looked for."""
    from specaug.speech.corpora.fetch import FSDD, fetch_fsdd

    if not arguments.download:
        raise UserError("data fsdd: expected --download, or the recordings in DIR/free-spoken-digit-dataset")
    sys.stdout.write(f"{fetch_fsdd(sources(arguments), arguments.source or FSDD)}\n")
    return 0


def data_librispeech(arguments: argparse.Namespace) -> int:
    """Fetch the parts that are not there, if asked to; name the folders of those that are, and what is missing."""
    from specaug.speech.corpora.fetch_librispeech import (
        FOLDER,
        command,
        fetch_librispeech,
        missing,
        published,
        require_parts,
    )
    from specaug.study.places import space

    folder = sources(arguments)
    asked = [name.strip() for name in arguments.parts.split(",") if name.strip()] or PARTS
    parts = tuple(published()) if asked == ["all"] else tuple(dict.fromkeys(asked))
    require_parts(parts, published())
    if arguments.download:
        with space(folder):
            fetch_librispeech(folder, parts, arguments.source, say=tell)
    gone = missing(folder, parts)
    sys.stdout.write("".join(f"{folder / FOLDER / part}\n" for part in parts if part not in gone))
    if gone:
        fetch = f"expected them there, or `{command(','.join(gone), folder)}`"
        raise UserError(f"{folder / FOLDER}: missing {', '.join(gone)}; {fetch}")
    return 0


def data_switchboard(arguments: argparse.Namespace) -> int:
    """Say what is there of LDC's corpora, which nobody may fetch."""
    from specaug.speech.corpora.switchboard import contents

    found = contents(sources(arguments))
    sys.stdout.write("".join(f"{what}\t{count}\n" for what, count in found.items()))
    if gone := [what for what, count in found.items() if not count]:
        raise UserError(
            f"{sources(arguments) / 'switchboard'}: no {', no '.join(gone)}; expected LDC's folders in it"
        )
    return 0


def sources(arguments: argparse.Namespace) -> Path:
    """The data folder that is meant, where there is no laboratory."""
    return arguments.data or Path(os.environ.get("SPECAUG_DATA") or "data")


def tell(what: str) -> None:
    """One line on standard error."""
    sys.stderr.write(f"{what}\n")


def data_make(arguments: argparse.Namespace) -> int:
    """Make the corpus and the features, with every check that training would make."""
    from specaug.study.load import as_yaml, load
    from specaug.study.screen import Screen

    refuse(arguments.overrides, "ablate", {"folds": "corpus.fold=0"})
    recipe = load(arguments.recipe, arguments.overrides)
    if arguments.print_config:
        sys.stdout.write(as_yaml(recipe))
        return 0
    with Screen(1) as screen:
        from specaug.study.run import Run, check

        data = check(Run(arguments.recipe.stem, recipe.run(), places(arguments)), screen.loading)
    for part, ready in data.parts.items():
        seconds = sum(u.duration for u in ready.utterances)
        sys.stdout.write(f"{part}\t{len(ready.ids)} utterances\t{seconds:.0f} s\n")
    for problem in data.skipped:
        sys.stdout.write(f"skipped\t{problem}\n")
    return 0


def data_check(arguments: argparse.Namespace) -> int:
    """One problem a line."""
    from specaug.speech.check import Expected, check_manifest

    problems = list(check_manifest(arguments.manifest, Expected(alphabet=arguments.alphabet)))
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    return 2 if problems else 0


def data_convert(arguments: argparse.Namespace) -> int:
    """Write the manifest."""
    from specaug.speech.convert import from_kaldi, from_lhotse
    from specaug.speech.manifest import write_manifest
    from specaug.study.places import space

    utterances = {"kaldi": from_kaldi, "lhotse": from_lhotse}[arguments.kind](arguments.source)
    with space(arguments.manifest.absolute().parent):
        write_manifest(arguments.manifest, utterances)
    sys.stdout.write(f"{arguments.manifest}\t{len(utterances)} utterances\n")
    return 0
