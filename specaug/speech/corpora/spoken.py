"""Sentences of a grammar (see `grammar`), spoken by eSpeak NG: synthetic speech of six to twelve seconds.

A voice is an accent and a variant (`en-US+f2`). The parts: `train`; `dev` (the voices of `train`, other
sentences); `test-clean` (voices whose variant training never hears, one half of them of the accents of
`train`, the other half of accents that training never hears: Scotland and the West Midlands); `test-other`
(the voices of `test-clean`, other sentences, slower or faster than in `train`, with noise of 5-20 dB).
With `dev_voices` the voices of `dev` are their own, of the accents of `train`, so that policies can be chosen for
voices nobody has heard. No sentence occurs twice in the corpus. With `speakers: known` the voices of `train` are those of
every part: whose voice it is can then be asked (`text.classes: speaker`). With `utterances: words` an utterance is one word of
the grammar, each as often as any other, and no voice says a word twice at one rate (`text.classes: text`). Columns: accent, variant, rate (words per minute), and for
`test-other` snr (dB) and noise (its colour).
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from specaug.errors import UserError
from specaug.speech.audio import write_audio
from specaug.speech.chance import generator
from specaug.speech.cores import cores, on_all_cores
from specaug.speech.corpora.grammar import GRAMMARS, sentence, vocabulary
from specaug.speech.corpora.options import Spoken, content
from specaug.speech.corpus import DEV, TRAIN, Corpus, build_once, check_disjoint
from specaug.speech.espeak import RATE, speak
from specaug.speech.kinds import Tell, Wave
from specaug.speech.manifest import Utterance, Value
from specaug.speech.noise import COLOURS, add_noise

VERSION = 1  # of this builder: another one gets another folder
CLEAN, OTHER = "test-clean", "test-other"
KNOWN, WORDS = "known", "words"

ACCENTS = ("en-US", "en-GB-x-rp", "en-029", "en-US-nyc", "en-GB-x-gbclan", "en")
UNSEEN_ACCENTS = ("en-GB-scotland", "en-GB-x-gbcwmd")
# eSpeak's variants without robots, whispers and jokes. Those that sound much alike (nearest neighbours by
# mean log-mel) are on the same side of the line between train and test, or left out. The first ones are the
# plainest, men and women in turn, so that a few voices make a fair corpus.
_VARIANTS = """
f1 m1 f2 m2 Annie m4 f4 Andy aunty m6 linda Mike steph Lee shelby ed anika Gene Andrea m8 zac klatt4 grandma
m3 adam m5 Alex Denis Mario Michael Reed RicishayMax antonio benjamin edward gustave ian iven4 kaukovalta
max mike2 norbert pablo pedro quincy sandro travis victor
"""
_UNSEEN_VARIANTS = """
f3 m7 Alicia john belinda boris f5 michel paul david rob Hugo Nguyen Diogo marcelo
"""
VARIANTS, UNSEEN_VARIANTS = tuple(_VARIANTS.split()), tuple(_UNSEEN_VARIANTS.split())

RATES = (125, 140, 155, 170)  # words per minute
OTHER_RATES = (105, 200)
SNR = (5.0, 20.0)  # dB
SECONDS = (6.0, 12.0)  # of a sentence; what falls outside is dropped
ANY = (0.0, math.inf)  # of a word
AIM = (7.1, 9.9)  # seconds: a voice can be a sixth quicker or slower than its rate says
LETTERS = 0.117  # characters a second for each word per minute
ATTEMPTS = 1000  # at a sentence that the corpus does not have yet


@dataclass(frozen=True, slots=True)
class Voice:
    """One synthetic speaker."""

    accent: str
    variant: str

    @property
    def name(self) -> str:
        """The speaker as manifests and eSpeak name it."""
        return f"{self.accent}+{self.variant}"


@dataclass(frozen=True, slots=True)
class Line:
    """What a voice says: one sentence at one rate, and the noise that is added."""

    part: str
    text: str
    rate: int  # words per minute
    snr: float | None = None  # dB
    noise: str = ""


@dataclass(frozen=True, slots=True)
class Role:
    """All that one voice does, in order: how many sentences of each part, and its lines, with spare ones."""

    voice: Voice
    quota: Mapping[str, int]
    lines: Sequence[Line]
    seconds: tuple[float, float] = SECONDS


def spoken(options: Spoken, cache: Path, progress: Tell = lambda *_: None) -> Corpus:
    """The corpus, built once under `cache`; `progress` gets (what, done, total) as voices finish.

    Raises UserError where an option is out of range or eSpeak NG is missing.
    """
    check(options)
    text = content(options, VERSION)
    folder = cache / f"spoken-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    workers = cores()
    return build_once(folder, lambda partial: write_spoken(options, partial, progress, workers))


def write_spoken(options: Spoken, folder: Path, progress: Tell, workers: int) -> Corpus:
    """Speak the corpus into `folder`, `workers` voices at a time; their number changes nothing in it."""
    roles = cast(options)
    parts: dict[str, list[Utterance]] = {TRAIN: [], DEV: [], CLEAN: [], OTHER: []}
    progress("spoken voices", 0, len(roles))
    with closing(on_all_cores(lambda role: perform(role, folder), roles, workers)) as performed:
        for done, spoken_by_one in enumerate(performed, 1):
            for part, utterance in spoken_by_one:
                parts[part].append(utterance)
            progress("spoken voices", done, len(roles))
    corpus = Corpus("spoken", _title(options), True, parts)
    apart = () if options.speakers == KNOWN else corpus.tests
    check_disjoint(corpus, apart=(*apart, *([DEV] if options.dev_voices else [])))
    return corpus


def _title(options: Spoken) -> str:
    what = ", single words" if options.utterances == WORDS else ""
    whose = f"{options.voices} {'known ' if options.speakers == KNOWN else ''}voices"
    return f"spoken: synthetic speech (eSpeak NG), {options.vocabulary} vocabulary{what}, {whose}"


def cast(options: Spoken) -> list[Role]:
    """Every voice with its lines. Raises UserError where the grammar runs out of sentences, or voices of words."""
    known = voices(ACCENTS, VARIANTS, options.voices + options.dev_voices)
    seen, apart = known[: options.voices], known[options.voices :]
    half = options.test_voices // 2
    unseen = voices(ACCENTS, UNSEEN_VARIANTS, options.test_voices - half)
    unseen += voices(UNSEEN_ACCENTS, UNSEEN_VARIANTS[::-1], half)
    tested = {CLEAN: options.test, OTHER: options.test}
    heard = {TRAIN: options.train} | ({} if apart else {DEV: options.dev})
    if options.speakers == KNOWN:
        unseen, heard = [], heard | tested
    script = (_Words if options.utterances == WORDS else _Sentences)(options)
    roles = []
    for troupe, counts in ((seen, heard), (apart, {DEV: options.dev}), (unseen, tested)):
        for i, voice in enumerate(troupe):
            quota = {part: share(count, len(troupe), i) for part, count in counts.items()}
            needed = [part for part, count in quota.items() for _ in range(count)]
            spare = [part for part, count in quota.items() for _ in range(script.spares(count))]
            lines = [script.line(part, voice) for part in needed + spare]
            roles.append(Role(voice, MappingProxyType(quota), lines, script.seconds))
    return roles


def voices(accents: Sequence[str], variants: Sequence[str], count: int) -> list[Voice]:
    """`count` different voices: accents change fastest, and a variant comes back when all have been used."""
    rounds = (divmod(i, len(variants)) for i in range(count))
    return [Voice(accents[(i + lap) % len(accents)], variants[i]) for lap, i in rounds]


def share(count: int, among: int, index: int) -> int:
    """How many of `count` things fall to number `index` of `among`, shared as evenly as can be."""
    return count // among + (index < count % among)


class _Script:
    """What is said, drawn line by line from one stream of chance."""

    seconds = SECONDS

    def __init__(self, options: Spoken, *told: str) -> None:
        self.vocabulary = options.vocabulary
        self.chance = generator("spoken", VERSION, options.vocabulary, *told)

    def rate(self, part: str) -> int:
        """How fast a line of a part is said."""
        return int(self.chance.choice(OTHER_RATES if part == OTHER else RATES))

    def said(self, part: str, text: str, rate: int) -> Line:
        """The line, with its noise."""
        if part != OTHER:
            return Line(part, text, rate)
        noise = round(float(self.chance.uniform(*SNR)), 1), str(self.chance.choice(list(COLOURS)))
        return Line(part, text, rate, *noise)

    def missing(self, what: str) -> UserError:
        """What is raised where nothing new can be drawn."""
        return UserError(
            f"corpus spoken: the {self.vocabulary} vocabulary gave no new {what}; "
            f"expected fewer {what.split()[0]}s in train, dev and test"
        )


class _Sentences(_Script):
    """Sentences, none of them twice."""

    def __init__(self, options: Spoken) -> None:
        super().__init__(options)
        self.used: set[str] = set()

    @staticmethod
    def spares(count: int) -> int:
        """How many more sentences than `count` are at hand, should some come out too short or too long."""
        return 2 + count // 10 if count else 0

    def line(self, part: str, voice: Voice) -> Line:
        """A line with a sentence that is new; whoever says it."""
        rate = self.rate(part)
        least, most = (round(seconds * rate * LETTERS) for seconds in AIM)
        for _ in range(ATTEMPTS):
            text = sentence(GRAMMARS[self.vocabulary], self.chance, least, most)
            if text not in self.used:
                self.used.add(text)
                return self.said(part, text, rate)
        raise self.missing(f"sentence after {len(self.used)}")


class _Words(_Script):
    """Words one by one, each of them once before any comes again; no voice says one twice at the same rate."""

    seconds = ANY

    def __init__(self, options: Spoken) -> None:
        super().__init__(options, WORDS)
        self.words = sorted(vocabulary(GRAMMARS[options.vocabulary]))
        self.decks: dict[str, Iterator[str]] = {}  # by part
        self.used: set[tuple[Voice, str, int]] = set()

    @staticmethod
    def spares(count: int) -> int:
        """None: a word is as long as it is."""
        return 0

    def line(self, part: str, voice: Voice) -> Line:
        """A line with the next word that this voice has not said so fast."""
        deck = self.decks.setdefault(part, self._deck())
        for _ in range(ATTEMPTS):
            said = voice, next(deck), self.rate(part)
            if said not in self.used:
                self.used.add(said)
                return self.said(part, *said[1:])
        raise self.missing(f"word for a voice after {len(self.used)}")

    def _deck(self) -> Iterator[str]:
        while True:
            yield from (self.words[i] for i in self.chance.permutation(len(self.words)))


def perform(role: Role, folder: Path) -> list[tuple[str, Utterance]]:
    """Speak the lines of one voice, and keep as many of each part as it owes, those of a good length."""
    kept: list[tuple[str, Utterance]] = []
    owed = dict(role.quota)
    waves = speak(f"gmw/{role.voice.name}", [(line.text, line.rate) for line in role.lines])
    for line, wave in zip(role.lines, waves, strict=True):
        if not any(owed.values()):
            break  # the spare lines at the end are spoken only where they are needed
        seconds = len(wave) / RATE
        if not owed[line.part] or not role.seconds[0] <= seconds <= role.seconds[1]:
            continue
        number = role.quota[line.part] - owed[line.part]
        owed[line.part] -= 1
        name = f"spoken-{line.part}-{role.voice.name}-{number:04d}"
        path = folder / line.part / f"{name}.flac"
        write_audio(path, _with_noise(line, wave, name), RATE)
        kept.append((line.part, _utterance(name, role.voice, line, path, seconds)))
    waves.close()
    if any(owed.values()):
        raise RuntimeError(f"voice {role.voice.name}: too few lines of {role.seconds} seconds; owed {owed}")
    return kept


def _with_noise(line: Line, wave: Wave, name: str) -> Wave:
    return wave if line.snr is None else add_noise(wave, line.snr, line.noise, generator("noise", name))


def _utterance(name: str, voice: Voice, line: Line, path: Path, seconds: float) -> Utterance:
    columns: dict[str, Value] = {"accent": voice.accent, "variant": voice.variant, "rate": line.rate}
    columns |= {} if line.snr is None else {"snr": line.snr, "noise": line.noise}
    return Utterance(
        id=name, text=line.text, speaker=voice.name, duration=seconds, audio=path, columns=columns
    )


def check(options: Spoken) -> None:
    """Raise UserError where a count is out of range."""
    # Half the test voices, rounded up, speak with the accents of train, the others with the unseen ones.
    limits = {
        "voices": len(ACCENTS) * len(VARIANTS),
        "test_voices": 2 * len(UNSEEN_ACCENTS) * len(UNSEEN_VARIANTS),
    }
    for field in ("train", "dev", "test", "voices", "test_voices"):
        value, most = getattr(options, field), limits.get(field)
        if value < 1 or (most is not None and value > most):
            expected = "1 or more" if most is None else f"1 to {most}"
            raise UserError(f"corpus spoken: {field} is {value}; expected {expected}")
    if options.speakers == KNOWN:
        for field in ("test_voices", "dev_voices"):
            value, usual = getattr(options, field), getattr(Spoken, field)
            if value != usual:
                known = "since with speakers: known every part is by the training voices"
                raise UserError(f"corpus spoken: {field} is {value}; expected nothing (or {usual}), {known}")
    if not 0 <= options.dev_voices <= (rest := limits["voices"] - options.voices):
        raise UserError(f"corpus spoken: dev_voices is {options.dev_voices}; expected 0 to {rest}")
