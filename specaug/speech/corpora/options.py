"""What a recipe may say of each corpus. Plain dataclasses: nothing here is slow to import.

Paths to sources are not part of these: a corpus is the same wherever its source lies. Sources are looked
up in the data folder (`--data`, or the variable SPECAUG_DATA, or `data/` in the laboratory).
"""

import json
from dataclasses import dataclass, fields
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Fsdd:
    """Connected digit strings from the Free Spoken Digit Dataset: real speech of six speakers."""

    name: Literal["fsdd"] = "fsdd"
    strings: Literal["short", "long", "mixed"] = "short"  # 3-7, 15-25 (mostly 8-12 seconds) or 3-25 digits
    fold: int = 0  # 0, 1 or 2: which two of the six speakers are unseen
    train: int = 1500  # strings
    dev: int = 200  # strings, of held-out recordings of the training speakers
    test: int = 300  # strings in each test part
    dev_speaker: bool = False  # dev is by the fourth training speaker instead, whom training then never hears

    def __post_init__(self) -> None:
        if self.fold not in (0, 1, 2):
            raise ValueError(f"fold is {self.fold}; expected 0, 1 or 2")
        for name in ("train", "dev", "test"):
            if (count := getattr(self, name)) < 1:
                raise ValueError(f"{name} is {count}; expected 1 string or more")


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """Sentences of a small English grammar, spoken by eSpeak NG: synthetic speech."""

    name: Literal["spoken"] = "spoken"
    vocabulary: Literal["small", "full"] = "full"
    voices: int = 64  # training voices
    train: int = 2000  # sentences
    dev: int = 200  # sentences, by the training voices
    test: int = 300  # sentences in each test part
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


CorpusOptions = Fsdd | Spoken | LibriSpeech | Manifests | Switchboard


def content(options: CorpusOptions, version: int) -> str:
    """What a corpus is made from, as text; options that came later and say nothing new are left out."""
    later = ("dev_speaker", "dev_voices")
    given: dict[str, Any] = {
        field.name: getattr(options, field.name)
        for field in fields(options)
        if field.name not in later or getattr(options, field.name) != field.default
    }
    return json.dumps([version, given], sort_keys=True)
