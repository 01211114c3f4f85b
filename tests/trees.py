"""Small trees of the layouts of LibriSpeech, Switchboard, Speech Commands and ESC-50, for tests of what reads them.

Each word is a tone of its own, so that a network can be trained on them.
"""

import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

WORDS = (
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "it's",
    "yes",
    "no",
    "and",
)
WORD, GAP = 0.24, 0.06  # seconds of a word, and after it
PARTS = {"train-clean-100": 2, "dev-clean": 1, "dev-other": 1, "test-clean": 1, "test-other": 1}  # speakers
TEXTS = ("LICENSE.TXT", "README.TXT", "SPEAKERS.TXT")


def sentence(*place: int) -> str:
    """Three to six words, the same ones for the same numbers."""
    chance = np.random.default_rng(place)
    return " ".join(chance.choice(WORDS, int(chance.integers(3, 7))))


def spoken(text: str, rate: int, pitch: float = 1.0) -> np.ndarray:
    """The samples of a sentence: a tone for each word (a word that is none of WORDS is silence), and a gap."""
    time = np.arange(round(WORD * rate)) / rate
    pieces = [np.zeros(round(GAP * rate))]
    for word in text.split():
        hertz = 300 * pitch * (1 + WORDS.index(word) / 2) if word in WORDS else 0
        pieces += [0.3 * np.sin(2 * np.pi * hertz * time), np.zeros(round(GAP * rate))]
    return np.concatenate(pieces).astype(np.float32)


def librispeech_tree(folder: Path, parts: Mapping[str, int] = PARTS, utterances: int = 2) -> Path:
    """Lay out `folder/LibriSpeech` and return it; `parts` says how many speakers each part has.

    A speaker reads so many `utterances` in each of two chapters.
    """
    root = folder / "LibriSpeech"
    lines = [";ID |SEX| SUBSET | MINUTES | NAME"]
    for part, speakers in parts.items():
        for _ in range(speakers):
            speaker = 100 + len(lines)
            lines.append(f"{speaker} | {'FM'[speaker % 2]} | {part} | 0.1 | A Name")
            for chapter in (1, 2):
                _chapter(root / part / f"{speaker}" / f"{chapter}", utterances)
    for name in TEXTS:
        (root / name).write_text("Nothing.\n")
    (root / "SPEAKERS.TXT").write_text("\n".join(lines) + "\n")
    return root


def _chapter(folder: Path, utterances: int) -> None:
    folder.mkdir(parents=True)
    speaker, chapter = int(folder.parent.name), int(folder.name)
    lines = []
    for number in range(utterances):
        name = f"{speaker}-{chapter}-{number:04d}"
        text = sentence(speaker, chapter, number)
        soundfile.write(folder / f"{name}.flac", spoken(text, 16000, 1 + speaker % 7 / 20), 16000)
        lines.append(f"{name} {text.upper()}\n")
    (folder / f"{speaker}-{chapter}.trans.txt").write_text("".join(lines))


def librispeech_archive(root: Path, part: str, folder: Path) -> Path:
    """Pack one part of a tree, with the texts beside it, as it is published: `folder/<part>.tar.gz`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{part}.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name in (*TEXTS, part):
            tar.add(root / name, f"LibriSpeech/{name}")
    return path


DICTIONARY = """# A dictionary of pronunciations.
one w ah n
tv t iy v iy
tvs t iy v iy z
abc's ey b iy s iy z
"""
STM = ';; CATEGORY "0" "" ""\n;; LABEL "O" "Overall" "Overall"\n'


def switchboard_tree(folder: Path, conversations: int = 4) -> Path:
    """Lay out `folder/switchboard` with so many conversations to train on and one of either kind in Hub5'00, and return it.

    Each side says four sentences, among noises. The folders are called as in LDC's releases. A recipe must hold out
    fewer conversations than there are: `corpus.dev=1`.
    """
    root = folder / "switchboard"
    disc = root / "LDC97S62" / "swb1_d1" / "data"
    texts = root / "swb_ms98_transcriptions"
    for number in range(2001, 2001 + conversations):
        sides = [[sentence(number, side, turn) for turn in range(4)] for side in (0, 1)]
        _call(disc / f"sw0{number}.sph", sides)
        for side, turns in zip("AB", sides, strict=True):
            _transcript(texts / f"{number}"[:2] / f"{number}", f"sw{number}{side}", turns)
    (texts / "sw-ms98-dict.text").write_text(DICTIONARY)
    _hub5(root)
    return root


def _start(turn: int, side: int) -> float:
    """The second at which a side begins to speak; it has three seconds."""
    return 3.0 * (2 * turn + side)


def _call(path: Path, sides: Sequence[Sequence[str]], rate: int = 8000) -> None:
    """A file of two channels, as mu-law."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.zeros((round(_start(len(sides[0]), 0) * rate), 2), np.float32)
    for side, turns in enumerate(sides):
        for turn, text in enumerate(turns):
            wave = spoken(text, rate, 1 + side / 20)
            first = round(_start(turn, side) * rate)
            samples[first : first + len(wave), side] = wave
    soundfile.write(path, samples, rate, format="NIST", subtype="ULAW")


def _transcript(folder: Path, name: str, turns: Sequence[str]) -> None:
    """What one side says, as Mississippi State wrote it down: turns and the silence between them, from end to end."""
    folder.mkdir(parents=True, exist_ok=True)
    side = "AB".index(name[-1])
    lines = [] if side == 0 else [(0.0, 3.0, "[silence]")]
    for turn, text in enumerate(turns):
        begin = _start(turn, side)
        lines += [(begin, begin + 3, f"{text} [laughter]"), (begin + 3, begin + 6, "[silence] [noise]")]
    end = _start(len(turns), 0)
    text = "".join(
        f"{name}-ms98-a-{number:04d} {begin:.6f} {min(until, end):.6f} {words}\n"
        for number, (begin, until, words) in enumerate(lines, 1)
        if begin < end
    )
    (folder / f"{name}-ms98-a-trans.text").write_text(text)
    (folder / f"{name}-ms98-a-word.text").write_text("")


def _hub5(root: Path) -> None:
    """The evaluation of 2000: one conversation of Switchboard's and one of CallHome's."""
    audio = root / "LDC2002S09" / "hub5e_00" / "english"
    lines = [STM]
    for number, name in enumerate(("en_4156", "sw_4390")):
        sides = [[sentence(4000 + number, side, turn) for turn in range(4)] for side in (0, 1)]
        _call(audio / f"{name}.sph", sides)
        for side, turns in zip("AB", sides, strict=True):
            sex = "FM"[number ^ "AB".index(side)]
            for turn, text in enumerate(turns):
                begin = _start(turn, "AB".index(side))
                label = f"<O,{name[:2]},{sex},{name[:2]}-{sex}>"
                lines.append(
                    f"{name} {side} {name}_{side} {begin:.2f} {begin + 2:.2f} {label} {text.upper()}\n"
                )
                rest = f"{begin + 2.1:.2f} {begin + 3:.2f} {label} IGNORE_TIME_SEGMENT_IN_SCORING\n"
                lines.append(f"{name} {side} {name}_{side} {rest}")
    path = root / "LDC2002T43" / "2000_hub5_eng_eval_tr" / "reference" / "hub5e00.english.000405.stm"
    path.parent.mkdir(parents=True)
    path.write_text("".join(lines))


KEYWORD_LIST = (
    "backward bed bird cat dog down eight five follow forward four go happy house learn left marvin nine no off on one "
    "right seven sheila six stop three tree two up visual wow yes zero"
)
KEYWORDS = KEYWORD_LIST.split()
TALKERS = ("0a1b2c3d", "1b2c3d4e", "2c3d4e5f", "3d4e5f60")  # the third is of dev, the fourth of test


def _tone(path: Path, hertz: float, rate: int, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * rate)) / rate
    soundfile.write(path, (0.3 * np.sin(2 * np.pi * hertz * time)).astype(np.float32), rate)


def speech_commands_tree(folder: Path) -> Path:
    """Lay out `folder/speech_commands_v0.02` and return it: of each word a recording by each of four speakers."""
    root = folder / "speech_commands_v0.02"
    for place, word in enumerate(KEYWORDS):
        for speaker in TALKERS:
            _tone(root / word / f"{speaker}_nohash_0.wav", 200 + 150 * place, 16000, 0.2)
    for speaker, name in zip(TALKERS[2:], ("validation_list.txt", "testing_list.txt"), strict=True):
        (root / name).write_text("".join(f"{word}/{speaker}_nohash_0.wav\n" for word in KEYWORDS))
    _tone(root / "_background_noise_" / "pink_noise.wav", 100, 16000, 0.2)
    (root / "README.md").write_text("Nothing.\n")
    return root


SOUNDS = {
    "dog": True,
    "vacuum_cleaner": False,
    "chainsaw": True,
    "mouse_click": False,
}  # whether ESC-10 has it


def esc50_tree(folder: Path) -> Path:
    """Lay out `folder/ESC-50` and return it: four classes, in each of the five folds two clips of one source a class."""
    root = folder / "ESC-50"
    lines = ["filename,fold,target,category,esc10,src_file,take"]
    for fold in range(1, 6):
        for target, (category, of_ten) in enumerate(SOUNDS.items()):
            source = 100000 + 10 * fold + target
            for take in "AB":
                name = f"{fold}-{source}-{take}-{target}.wav"
                _tone(root / "audio" / name, 400 + 300 * target, 44100, 0.1)
                lines.append(f"{name},{fold},{target},{category},{of_ten},{source},{take}")
    (root / "meta").mkdir()
    (root / "meta" / "esc50.csv").write_text("\n".join(lines) + "\n")
    return root
