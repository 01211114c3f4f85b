"""Words of telephone speech: Mississippi State's transcripts of Switchboard, and NIST's references of Hub5'00.

Both come out alike: small letters, no noises, and nothing that NIST's scoring lets be left out (decision D72).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from specaug.errors import UserError

HESITATIONS = frozenset(
    ("ach", "ah", "eee", "eh", "er", "ew", "ha", "hee", "hm", "hmm", "huh", "mm", "oof", "uh", "um")
)
YES = ("mhm", "mm-hm", "mm-hmm", "mm-huh", "mmhm", "uh-hmm", "uh-huh", "uhhuh", "um-hmm", "um-hum")
NO = ("huh-uh", "huhuh", "uh-uh", "uhuh")
# NIST's rules take each of the two for one word, however it is spelled.
BACKCHANNELS = dict.fromkeys(YES, "uhhuh") | dict.fromkeys(NO, "uhuh")
PHONES = (  # what letters are called, a to z
    "ey / b iy / s iy / d iy / iy / eh f / jh iy / ey ch / ay / jh ey / k ey / eh l / eh m / eh n / ow / p iy / "
    "k y uw / aa r / eh s / t iy / y uw / v iy / d ah b ax l y uw / eh k s / w ay / z iy"
)
LETTERS = dict(zip("abcdefghijklmnopqrstuvwxyz", PHONES.split(" / "), strict=True))
ENDS = {"": ("",), "'s": (" s", " z"), "s": (" s", " z")}  # of a spelled word, and what is said there
TAG = re.compile(r"<[^<>]*>")  # <b_aside>
OPTIONAL = re.compile(r"\(+[^()]*\)+")  # (%hesitation), (th-)
EITHER = re.compile(r"\{([^{}/]*)/[^{}]*\}")  # { one reading / another }
BRACKET = re.compile(r"[][{}()<>]")
NOISE = re.compile(r"\[[^][]*\]|\{[^{}]*\}")


def transcribed(text: str, spelled: Mapping[str, str]) -> str:
    """The words of a transcript of Mississippi State's; `spelled` has those that are said letter by letter."""
    said = (spoken(word) for word in TAG.sub(" ", text.lower()).split())
    return " ".join(spelled.get(word, word) for word in plain(said))


def referred(text: str) -> str:
    """The words of a reference in NIST's format, the first of several readings."""
    text = OPTIONAL.sub(" ", EITHER.sub(r" \1 ", TAG.sub(" ", text.lower())))
    return " ".join(plain(NOISE.sub(" ", text).split()))


def spoken(word: str) -> str:
    """What a transcript has for `word`, without its marks for how that was said.

    >>> [spoken(word) for word in ("[laughter-story]", "[it'n/isn't]", "{yuppiedom}", "them_1")]
    ['story', "it'n", 'yuppiedom', 'them']
    >>> [spoken(word) for word in ("[noise]", "ab[solute]-", "[lem[guini]-/linguini]")]  # no words, and left as they are
    ['[noise]', 'ab[solute]-', 'lem[guini]-']
    """
    whole, inner = word[:1] + word[-1:], word[1:-1]
    if whole == "[]" and inner.startswith("laughter-"):
        return spoken(inner.removeprefix("laughter-"))
    if whole == "[]" and "/" in inner:  # said / meant
        return spoken(inner.partition("/")[0])
    if whole == "{}":  # a word that is in no dictionary
        return spoken(inner)
    return re.sub(r"_\d+", "", word)


def plain(words: Iterable[str]) -> Iterator[str]:
    """The words without hesitations, partial words and noises, hyphens and marks; one word may become two."""
    for word in (word.strip('.,?!;:"') for word in words):
        if (
            BRACKET.search(word)
            or word.startswith(("-", "%", "@"))
            or word.endswith("-")
            or word in HESITATIONS
        ):
            continue
        yield from re.sub(r"[-.]", " ", BACKCHANNELS.get(word, word)).split()


def spelled_words(dictionary: Path) -> dict[str, str]:
    """The words that a dictionary of pronunciations has said letter by letter, such as tv's, each with its letters: t v's.

    Raises UserError where the file cannot be read.
    """
    try:
        lines = dictionary.read_text(encoding="latin-1").lower().splitlines()
    except OSError as error:
        raise UserError(f"{dictionary}: cannot be read: {error.strerror}") from None
    found = {}
    for line in lines:
        word, *phones = line.split() or [""]
        if letters := _letters(word, " ".join(phones)):
            found[word] = letters
    return found


def _letters(word: str, phones: str) -> str:
    """`word` letter by letter, if that is how it is said; else nothing. A plural is written 's, as NIST writes it."""
    for end, sounds in ENDS.items():
        stem = word.removesuffix(end)
        if len(stem) > 1 and set(stem) <= set(LETTERS) and word.endswith(end):
            names = " ".join(LETTERS[letter] for letter in stem)
            if phones in [names + sound for sound in sounds]:
                return " ".join(stem) + ("'s" if end else "")
    return ""
