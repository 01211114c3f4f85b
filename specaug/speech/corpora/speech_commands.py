"""Speech Commands 0.02 (Warden 2018, arXiv:1804.03209): single words of a second, 35 of them, read where they lie.

A folder for each word holds WAV files `HASH_nohash_N.wav`, where HASH stands for the speaker. `testing_list.txt` and
`validation_list.txt` say which of them are `test` and `dev`; the others are `train`. No speaker of `train` is in another part.
`words: ten` calls the 25 words that are none of the ten `unknown`, all their recordings. The twelfth class of the paper's
task, silence, which is cut from `_background_noise_`, is left out (decision D98). The column `word` is the class, as the
text is; with `ten` a column `said` has the word itself.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from specaug.errors import UserError
from specaug.speech.audio import seconds
from specaug.speech.corpora.clips import listing, tree
from specaug.speech.corpora.options import SpeechCommands, content
from specaug.speech.corpus import DEV, TRAIN, Corpus, build_once, check_disjoint
from specaug.speech.kinds import Tell
from specaug.speech.manifest import Utterance, numbered_lines, relative

VERSION = 1  # of this reader: another one gets another folder
NAMES = (
    "speech_commands_v0.02",
    "SpeechCommands/speech_commands_v0.02",
)  # the second as torchaudio unpacks it
TEN = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
OTHERS = (
    "backward bed bird cat dog eight five follow forward four happy house learn marvin nine one seven sheila six "
    "three tree two visual wow zero"
)
WORDS = tuple(sorted((*TEN, *OTHERS.split())))
UNKNOWN = "unknown"
LISTS = {DEV: "validation_list.txt", "test": "testing_list.txt"}
RECORDING = re.compile(r"(.+)_nohash_\d+")  # the stem of a file; the group is the speaker

Clips = Mapping[str, Path]  # by the name that the lists give: bed/0a1b2c3d_nohash_0.wav


def speech_commands(
    options: SpeechCommands, data: Path, cache: Path, progress: Tell = lambda *_: None
) -> Corpus:
    """The corpus whose manifests are made once under `cache` from `data/speech_commands_v0.02`.

    Raises UserError where a word or a list is missing, there is another word, a list names what is not there or is
    named already, or a speaker of `train` is in another part.
    """
    root = tree(data, NAMES)
    clips = _search(root)
    held = _held(root, clips)
    files = listing(root, clips.values(), [root / name for name in LISTS.values()])
    text = json.dumps([content(options, VERSION), relative(root, cache), files])
    folder = cache / f"speech-commands-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return build_once(folder, lambda _: _read(options, clips, held, progress))


def _search(root: Path) -> Clips:
    """All recordings of the words, in the order of their names."""
    there = {path.name for path in root.iterdir() if path.is_dir() and path.name[0] not in "._"}
    expected = f"expected the {len(WORDS)} words of Speech Commands 0.02"
    for word in sorted(there - set(WORDS)):
        raise UserError(f"{root / word}: no such word; {expected}")
    for word in WORDS:
        if word not in there:
            raise UserError(f"{root}: no folder {word!r} in it; {expected}")
    return {f"{path.parent.name}/{path.name}": path for word in WORDS for path in _recordings(root / word)}


def _recordings(folder: Path) -> list[Path]:
    """The recordings of a word. Raises UserError where there is none, or a name tells no speaker."""
    paths = sorted(path for path in folder.glob("*.wav") if path.name[0] != ".")
    if not paths:
        raise UserError(f"{folder}: no recording in it; expected files HASH_nohash_N.wav")
    for path in paths:
        if not RECORDING.fullmatch(path.stem):
            raise UserError(f"{path}: its name tells no speaker; expected HASH_nohash_N.wav")
    return paths


def _held(root: Path, clips: Clips) -> dict[str, str]:
    """The part of each recording that a list names."""
    held: dict[str, str] = {}
    for part, file in LISTS.items():
        if not (root / file).is_file():
            raise UserError(f"{root / file}: no such file; expected the list that comes with the recordings")
        for where, line in numbered_lines(root / file):
            name = line.strip()
            if name not in clips:
                raise UserError(f"{where}: no recording {name} in {root}; expected WORD/HASH_nohash_N.wav")
            if name in held:
                raise UserError(f"{where}: {name} is already of part {held[name]}; expected it once")
            held[name] = part
    if len(held) == len(clips):
        raise UserError(f"{root}: all recordings are in the lists; expected some to train on")
    return held


def _read(options: SpeechCommands, clips: Clips, held: Mapping[str, str], progress: Tell) -> Corpus:
    parts: dict[str, list[Utterance]] = {part: [] for part in (TRAIN, *LISTS)}
    for done, (name, utterance) in enumerate(_utterances(options, clips), 1):
        parts[held.get(name, TRAIN)].append(utterance)
        progress("speech_commands", done, len(clips))
    what = f"{len(WORDS)} words" if options.words == "all" else "ten words, and others"
    corpus = Corpus(options.name, f"Speech Commands, {what}: real speech", False, parts)
    check_disjoint(corpus, apart=(DEV, *corpus.tests))
    return corpus


def _utterances(options: SpeechCommands, clips: Clips) -> Iterator[tuple[str, Utterance]]:
    """Each recording with its name."""
    for name, path in clips.items():
        said, speaker = path.parent.name, path.stem.rsplit("_nohash_", 1)[0]
        word = said if options.words == "all" or said in TEN else UNKNOWN
        yield (
            name,
            Utterance(
                id=f"{said}_{path.stem}",
                text=word,
                speaker=speaker,
                duration=seconds(path),
                audio=path,
                columns={"word": word} | ({} if options.words == "all" else {"said": said}),
                where=str(path),
            ),
        )
