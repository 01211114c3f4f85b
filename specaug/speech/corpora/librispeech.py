"""LibriSpeech (Panayotov et al. 2015), or any tree of the same layout, read where it lies.

The folders are `LibriSpeech/<part>/<speaker>/<chapter>/`; each holds FLAC files and one transcript, with a
line for each of them. No audio is copied: the manifests point into the tree.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from specaug.errors import UserError
from specaug.speech.audio import seconds
from specaug.speech.corpora.fetch_librispeech import command, published
from specaug.speech.corpora.options import LibriSpeech
from specaug.speech.corpus import DEV, TRAIN, Corpus, build_once, check_disjoint
from specaug.speech.kinds import Tell
from specaug.speech.manifest import Utterance, gender, numbered_lines, relative

VERSION = 1  # of this reader: another one gets another folder


def librispeech(options: LibriSpeech, data: Path, cache: Path, progress: Tell = lambda *_: None) -> Corpus:
    """The corpus whose manifests are made once under `cache` from `data/LibriSpeech`.

    Raises UserError where a part is missing, empty or given twice, or audio and transcripts disagree.
    """
    root = data / "LibriSpeech"
    parts = {TRAIN: options.train, DEV: options.dev} | {name: (name,) for name in options.test}
    _check_parts(root, options)
    text = json.dumps([VERSION, asdict(options), relative(root, cache), _listing(root, options)])
    folder = cache / f"librispeech-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return build_once(folder, lambda _: _read(root, parts, progress))


def _check_parts(root: Path, options: LibriSpeech) -> None:
    """Raise UserError unless every part is named once and is a folder of `root`."""
    names = [*options.train, *options.dev, *options.test]
    if not root.is_dir():
        fetch = _fetch(names, root, ", or fetch the parts with ")
        raise UserError(
            f"{root}: no such folder; give the folder it lies in with --data DIR or SPECAUG_DATA{fetch}"
        )
    there = sorted(path.name for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    for field in (TRAIN, DEV):
        if not getattr(options, field):
            raise UserError(
                f"corpus.{field} is empty; expected parts of {root}: {', '.join(there) or 'none'}"
            )
    for name in names:
        if name not in there:
            found = ", ".join(there) or "none"
            raise UserError(
                f"{root}: no part {name!r} there; found {found}{_fetch([name], root, '; fetch it with ')}"
            )
        if names.count(name) > 1:
            raise UserError(f"corpus: part {name!r} is given {names.count(name)} times; expected once")
        if name in (TRAIN, DEV) and name in options.test:
            raise UserError(f"corpus.test: a test part cannot be called {name!r}")


def _fetch(names: Sequence[str], root: Path, how: str) -> str:
    """`how`, and what to type to fetch those of the parts that are published; nothing where none is."""
    parts = [name for name in names if name in published()]
    return f"{how}`{command(','.join(parts), root.parent)}`" if parts else ""


def _length(path: Path) -> float:
    """The seconds of a FLAC file of the tree. Raises UserError that says how its part is fetched again."""
    try:
        return seconds(path)
    except UserError as error:
        part = path.parents[2]
        raise UserError(
            f"{error}{_fetch([part.name], part.parent, f'; delete {part}, then fetch it with ')}"
        ) from None


def _listing(root: Path, options: LibriSpeech) -> str:
    """A hash of every file's name and size, and of what the texts say."""
    digest = hashlib.sha256()
    folders = [root / name for name in (*options.train, *options.dev, *options.test)]
    texts = [root / "SPEAKERS.TXT"] if (root / "SPEAKERS.TXT").is_file() else []
    for path in texts + [path for folder in folders for path in sorted(folder.glob("*/*/*.*"))]:
        content = path.read_bytes() if path.suffix.lower() == ".txt" else b""
        facts = [str(path.relative_to(root)), path.stat().st_size, hashlib.sha256(content).hexdigest()]
        digest.update(json.dumps(facts).encode())
    return digest.hexdigest()


def _read(root: Path, parts: dict[str, tuple[str, ...]], progress: Tell) -> Corpus:
    genders = _genders(root / "SPEAKERS.TXT")
    read: dict[str, list[Utterance]] = {}
    for part, names in parts.items():
        read[part] = []
        for name in names:
            transcripts = sorted((root / name).glob("*/*/*.trans.txt"))
            if not transcripts:
                raise UserError(f"{root / name}: no <speaker>/<chapter>/*.trans.txt there")
            for done, path in enumerate(transcripts, 1):
                read[part] += _chapter(path, genders)
                progress(f"librispeech {name}", done, len(transcripts))
    title = f"LibriSpeech {' + '.join(parts[TRAIN])}: read speech"
    corpus = Corpus("librispeech", title, False, read)
    check_disjoint(corpus, apart=corpus.tests)
    return corpus


def _chapter(transcript: Path, genders: dict[str, str]) -> Iterator[Utterance]:
    """The utterances of one transcript, each with its file in the same folder."""
    folder = transcript.parent
    speaker = folder.parent.name
    columns = {"gender": genders[speaker]} if speaker in genders else {}
    silent = {path.stem for path in folder.glob("*.flac")}
    for where, line in numbered_lines(transcript):
        name, _, text = line.strip().partition(" ")
        if name not in silent:
            raise UserError(f"{where}: no file {folder / name}.flac for it, or a second line for that file")
        silent.remove(name)
        yield Utterance(
            id=name,
            text=text.strip().lower(),
            speaker=speaker,
            duration=_length(folder / f"{name}.flac"),
            audio=folder / f"{name}.flac",
            columns=columns,
            where=where,
        )
    if silent:
        raise UserError(f"{transcript}: no line for {min(silent)}.flac")


def _genders(path: Path) -> dict[str, str]:
    """Speaker to gender, from lines such as `14 | F | train-clean-360 | 25.03 | A NAME`; ; is a comment."""
    if not path.is_file():
        return {}
    genders = {}
    for where, line in numbered_lines(path):
        if line.startswith(";"):
            continue
        fields = [field.strip() for field in line.split("|")]
        if len(fields) < 2:
            raise UserError(f"{where}: no '|' there; expected ID | SEX | SUBSET | MINUTES | NAME")
        genders[fields[0]] = gender(fields[1])
    return genders
