"""What a recipe may say of each corpus. Plain dataclasses: nothing here is slow to import.

Paths to sources are not part of these: a corpus is the same wherever its source lies. Sources are looked
up in the data folder (`--data`, or the variable SPECAUG_DATA, or `data/` in the laboratory).
"""

import json
from dataclasses import dataclass, fields
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Fsdd:
    """Digits of the Free Spoken Digit Dataset, in strings or single: real speech of six speakers."""

    name: Literal["fsdd"] = "fsdd"
    # 3-7, 15-25 (mostly 8-12 seconds) or 3-25 digits; single: each recording on its own, all of them
    strings: Literal["short", "long", "mixed", "single"] = "short"
    speakers: Literal["disjoint", "known"] = "disjoint"  # known: all six train, in the data set's own split
    fold: int = 0  # 0, 1 or 2: which two of the six speakers are unseen
    train: int = 1500  # strings
    dev: int = 200  # strings, of held-out recordings of the training speakers
    test: int = 300  # strings in each test part
    dev_speaker: bool = False  # dev is by the fourth training speaker instead, whom training then never hears

    def __post_init__(self) -> None:
        if self.fold not in (0, 1, 2):
            raise ValueError(f"fold is {self.fold}; expected 0, 1 or 2")
        if self.speakers == "known" and self.fold:
            raise ValueError(f"fold is {self.fold}; expected 0, since speakers: known has no folds")
        if self.speakers == "known" and self.dev_speaker:
            raise ValueError("dev_speaker is true; expected false, since with speakers: known all six train")
        for name in ("train", "dev", "test"):
            if (count := getattr(self, name)) < 1:
                raise ValueError(f"{name} is {count}; expected 1 string or more")
            if self.strings == "single" and count != (usual := getattr(Fsdd, name)):
                every = "since strings: single takes every recording"
                raise ValueError(f"{name} is {count}; expected nothing (or {usual}), {every}")


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """Sentences of a small English grammar, or its words one by one, spoken by eSpeak NG: synthetic speech."""

    name: Literal["spoken"] = "spoken"
    vocabulary: Literal["small", "full"] = "full"
    utterances: Literal["sentences", "words"] = "sentences"
    speakers: Literal["disjoint", "known"] = "disjoint"  # known: the test parts are by the training voices
    voices: int = 64  # training voices
    train: int = 2000  # utterances
    dev: int = 200  # utterances, by the training voices
    test: int = 300  # utterances in each test part
    test_voices: int = 16  # voices that training never hears
    dev_voices: int = 0  # where above 0, dev is by so many further voices that training never hears


@dataclass(frozen=True, kw_only=True)
class LibriSpeech:
    """Parts of a LibriSpeech tree (`LibriSpeech/<part>/<speaker>/<chapter>/...flac`) in the data folder."""

    name: Literal["librispeech"] = "librispeech"
    train: tuple[str, ...] = ("train-clean-100",)
    dev: tuple[str, ...] = ("dev-clean", "dev-other")
    test: tuple[str, ...] = ("test-clean", "test-other")


@dataclass(frozen=True, kw_only=True)
class Manifests:
    """Any corpus, as JSON-lines manifests; paths are relative to the laboratory."""

    name: Literal["manifests"] = "manifests"
    train: str = ""
    dev: str = ""
    test: tuple[str, ...] = ()  # the part's name is the file's stem
    title: str = ""
    synthetic: bool = False


@dataclass(frozen=True, kw_only=True)
class Switchboard:
    """Switchboard-1, tested on Hub5'00: telephone conversations, from LDC's folders in `switchboard/` of the data folder."""

    name: Literal["switchboard"] = "switchboard"
    dev: int = 40  # conversations that are held out, the first by number: Kaldi's 4,000 utterances, about
    repeats: int = 300  # utterances of training with the same words, at most; 0: however many there are
    test: tuple[Literal["swbd", "callhome"], ...] = ("swbd", "callhome")

    def __post_init__(self) -> None:
        if self.dev < 1:
            raise ValueError(f"dev is {self.dev}; expected 1 conversation or more")
        if self.repeats < 0:
            raise ValueError(f"repeats is {self.repeats}; expected 0 (no bound) or more")
        if len(set(self.test)) != len(self.test):
            raise ValueError(f"test is {', '.join(self.test)}; expected each part once")


@dataclass(frozen=True, kw_only=True)
class SpeechCommands:
    """Speech Commands 0.02, single words, in `speech_commands_v0.02/` of the data folder."""

    name: Literal["speech_commands"] = "speech_commands"
    # 35 classes; ten: yes, no, up, down, ..., and `unknown` for all others
    words: Literal["all", "ten"] = "all"


@dataclass(frozen=True, kw_only=True)
class Esc50:
    """Environmental sounds of 50 classes, in `ESC-50/` of the data folder."""

    name: Literal["esc50"] = "esc50"
    fold: int = 0  # 0 to 4: fold 1 to 5 of the data set is tested, the next one is dev
    only_10: bool = False  # the ten classes of ESC-10

    def __post_init__(self) -> None:
        if self.fold not in range(5):
            raise ValueError(f"fold is {self.fold}; expected 0 to 4")


CorpusOptions = Fsdd | Spoken | LibriSpeech | Manifests | Switchboard | SpeechCommands | Esc50
Folded = Fsdd | Esc50  # those that have folds


def same_folds(one: CorpusOptions, other: CorpusOptions) -> bool:
    """Whether both have folds, and a fold of the one tests whom the same fold of the other tests."""
    alike = one.name == other.name and getattr(one, "speakers", None) == getattr(other, "speakers", None)
    return isinstance(one, Folded) and alike


def content(options: CorpusOptions, version: int) -> str:
    """What a corpus is made from, as text; options that came later and say nothing new are left out."""
    later = ("dev_speaker", "dev_voices", "speakers", "utterances")
    given: dict[str, Any] = {
        field.name: getattr(options, field.name)
        for field in fields(options)
        if field.name not in later or getattr(options, field.name) != field.default
    }
    return json.dumps([version, given], sort_keys=True)
