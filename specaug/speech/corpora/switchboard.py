"""Switchboard-1 (LDC97S62) with Mississippi State's transcripts, tested on Hub5'00 (LDC2002S09, LDC2002T43).

Whatever lies in `switchboard/` of the data folder is searched, links followed, so that LDC's folders may be called as
anybody unpacked them: the calls are `sw0NNNN.sph`, their transcripts `swNNNNX-ms98-a-trans.text` (X is the side), the
calls of the evaluation `sw_NNNN.sph` (part `swbd`) and `en_NNNN.sph` (CallHome, part `callhome`).
An utterance is a stretch of one side; each side is kept as FLAC in the cache (decision D71).
"""

import hashlib
import itertools
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from specaug.errors import UserError
from specaug.speech.corpora.options import Switchboard, content
from specaug.speech.corpora.sphere import RATE, check_call, read_call, write_side
from specaug.speech.corpora.telephone_text import referred, spelled_words, transcribed
from specaug.speech.corpus import DEV, TRAIN, Corpus, build_once, check_disjoint
from specaug.speech.kinds import Tell
from specaug.speech.manifest import Utterance, Value, gender, numbered_lines

VERSION = 1  # of this builder: another one gets another folder
SIDES = "AB"  # channel 0, channel 1
CALL = re.compile(r"sw0(\d{4})\.sph", re.IGNORECASE)
TRANSCRIPT = re.compile(r"sw(\d{4}[AB])-ms98-a-trans\.text", re.IGNORECASE)
TESTED = re.compile(r"((?:sw|en)_\d{4})\.sph", re.IGNORECASE)
REFERENCE = re.compile(r"(hub5e00\.english\.000405\.stm)", re.IGNORECASE)
DICTIONARY = re.compile(r"(sw-ms98-dict\.text)", re.IGNORECASE)
TESTS = {"swbd": "sw_", "callhome": "en_"}  # part: how the names of its calls begin
IGNORED = "ignore_time_segment_in_scoring"
EDGE = 0.1  # seconds that a tested utterance is longer at either end
OVERHANG = 0.5  # seconds by which a stretch may end after its call, and is cut


@dataclass(frozen=True)
class Tree:
    """The files of a tree by what their names say of them."""

    root: Path
    calls: Mapping[str, Path]  # by number
    transcripts: Mapping[str, Path]  # by number and side
    tested: Mapping[str, Path]  # by name
    reference: Path | None
    dictionary: Path | None

    def files(self) -> Iterator[Path]:
        """All of them."""
        for table in (self.calls, self.transcripts, self.tested):
            yield from table.values()
        yield from (path for path in (self.reference, self.dictionary) if path is not None)


@dataclass(frozen=True)
class Stretch:
    """Some seconds of one side of a call, and what is said in them."""

    id: str
    call: str
    side: str
    start: float  # seconds
    end: float
    text: str
    where: str
    columns: Mapping[str, Value] = field(default_factory=dict)


def switchboard(options: Switchboard, data: Path, cache: Path, progress: Tell = lambda *_: None) -> Corpus:
    """The corpus, made once under `cache` from what lies in `data/switchboard`.

    Raises UserError where something is missing or there twice, audio and transcripts disagree, or a file is broken.
    """
    tree = _search(data / "switchboard")
    _check(tree, options)
    text = json.dumps([content(options, VERSION), _listing(tree)])
    folder = cache / f"switchboard-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return build_once(folder, lambda partial: _write(options, tree, partial, progress))


def contents(data: Path) -> dict[str, int]:
    """How many files of each of LDC's corpora lie in `data/switchboard`. Raises UserError where there is no such folder."""
    tree = _search(data / "switchboard")
    return {
        "calls (LDC97S62)": len(tree.calls),
        "transcripts (swb_ms98_transcriptions)": len(tree.transcripts),
        "tested calls (LDC2002S09)": len(tree.tested),
        "references (LDC2002T43)": int(tree.reference is not None),
    }


def _search(root: Path) -> Tree:
    if not root.is_dir():
        expected = "expected LDC's folders in it, below the folder of --data DIR or SPECAUG_DATA"
        raise UserError(f"{root}: no such folder; {expected}")
    found: dict[re.Pattern[str], dict[str, Path]] = {
        kind: {} for kind in (CALL, TRANSCRIPT, TESTED, REFERENCE, DICTIONARY)
    }
    for folder, _, names in os.walk(root, followlinks=True):
        for path in (Path(folder, name) for name in names):
            for kind, table in found.items():
                if fits := kind.fullmatch(path.name):
                    name = fits[1].upper() if kind is TRANSCRIPT else fits[1].lower()
                    if name in table and not path.samefile(table[name]):
                        raise UserError(f"{path}: there is {table[name]} as well; expected one of them")
                    table[name] = path
    calls, transcripts, tested = (
        {n: found[k][n] for n in sorted(found[k])} for k in (CALL, TRANSCRIPT, TESTED)
    )
    reference, dictionary = (next(iter(found[kind].values()), None) for kind in (REFERENCE, DICTIONARY))
    return Tree(root, calls, transcripts, tested, reference, dictionary)


def _check(tree: Tree, options: Switchboard) -> None:
    """Raise UserError unless there is what the options ask for."""
    if not tree.calls:
        raise UserError(f"{tree.root}: no sw0NNNN.sph in it; expected the calls of LDC97S62")
    if not tree.transcripts:
        expected = "expected the folder swb_ms98_transcriptions"
        raise UserError(f"{tree.root}: no swNNNNX-ms98-a-trans.text in it; {expected}")
    _check_pairs(tree)
    if options.dev >= len(tree.calls):
        raise UserError(
            f"corpus.dev is {options.dev}; expected fewer than the {len(tree.calls)} conversations of {tree.root}"
        )
    if options.test and tree.reference is None:
        expected = "expected LDC2002T43, or corpus.test=[]"
        raise UserError(f"{tree.root}: no hub5e00.english.000405.stm in it; {expected}")


def _check_pairs(tree: Tree) -> None:
    """Raise UserError unless each call to train on has a transcript of either side, and each transcript a call."""
    for name, path in tree.transcripts.items():
        if name[:4] not in tree.calls:
            raise UserError(f"{path}: no call sw0{name[:4]}.sph for it; expected that, or no such transcript")
    for number, path in tree.calls.items():
        for side in SIDES:
            if number + side not in tree.transcripts:
                missing = f"no transcript sw{number}{side}-ms98-a-trans.text for it"
                raise UserError(f"{path}: {missing}; expected that, or no such call")


def _listing(tree: Tree) -> str:
    """A hash of every file's name and size, and of what the texts say."""
    digest = hashlib.sha256()
    for path in tree.files():
        said = b"" if path.suffix.lower() == ".sph" else path.read_bytes()
        facts = [path.name, path.stat().st_size, hashlib.sha256(said).hexdigest()]
        digest.update(json.dumps(facts).encode())
    return digest.hexdigest()


def _write(options: Switchboard, tree: Tree, folder: Path, progress: Tell) -> Corpus:
    plan = _plan(options, tree)
    audio = {f"sw0{number}": path for number, path in tree.calls.items()} | dict(tree.tested)
    for part, stretches in plan.items():  # all of them, before the first call is read
        if not stretches:
            raise UserError(f"{tree.root}: no words in part {part}; expected speech")
        for done, (call, mine) in enumerate(calls := by_call(stretches).items(), 1):
            if call not in audio:
                raise UserError(f"{mine[0].where}: no call {call}.sph for it; expected LDC2002S09")
            check_call(audio[call])
            progress(f"switchboard {part}, checked", done, len(calls))
    parts = {
        part: _cut(stretches, audio, folder, f"switchboard {part}", progress)
        for part, stretches in plan.items()
    }
    corpus = Corpus("switchboard", "Switchboard, tested on Hub5'00: telephone conversations", False, parts)
    check_disjoint(corpus, apart=(DEV, *corpus.tests))
    return corpus


def _plan(options: Switchboard, tree: Tree) -> dict[str, list[Stretch]]:
    """Which stretches each part has; those without words are left out."""
    spelled = spelled_words(tree.dictionary) if tree.dictionary else {}
    held = list(tree.calls)[: options.dev]
    plan: dict[str, list[Stretch]] = {TRAIN: [], DEV: []}
    for name, path in tree.transcripts.items():
        plan[DEV if name[:4] in held else TRAIN] += _turns(path, name, spelled)
    plan[TRAIN] = _fewer(plan[TRAIN], options.repeats)
    if options.test and tree.reference:
        segments = _segments(tree.reference)
        plan |= {part: [s for s in segments if s.call.startswith(TESTS[part])] for part in options.test}
    return {part: [s for s in stretches if s.text] for part, stretches in plan.items()}


def by_call(stretches: Sequence[Stretch]) -> dict[str, list[Stretch]]:
    """The stretches of each call."""
    calls: dict[str, list[Stretch]] = defaultdict(list)
    for stretch in stretches:
        calls[stretch.call].append(stretch)
    return calls


def _turns(path: Path, name: str, spelled: Mapping[str, str]) -> Iterator[Stretch]:
    """The stretches of one side: lines such as `sw2001A-ms98-a-0002 0.977625 11.561375 hi um [noise] yeah`."""
    for where, line in numbered_lines(path):
        fields = line.split(maxsplit=3)
        start, end = _times(fields[1:3], where, "expected ID START END WORDS")
        said = transcribed(fields[3], spelled) if len(fields) > 3 else ""
        yield Stretch(fields[0], f"sw0{name[:4]}", name[4], start, end, said, where)


def _fewer(stretches: Sequence[Stretch], most: int) -> list[Stretch]:
    """The stretches, with at most so many of the same words: the first ones; `most` 0 keeps all."""
    seen: Counter[str] = Counter()
    kept = []
    for stretch in stretches:
        seen[stretch.text] += 1
        if not most or seen[stretch.text] <= most:
            kept.append(stretch)
    return kept


def _segments(path: Path) -> list[Stretch]:
    """The stretches of Hub5'00 that are scored, from lines such as `en_4156 A en_4156_A 1.0 2.5 <O,en,F,en-F> HELLO`."""
    sides: dict[tuple[str, str], list[Stretch]] = defaultdict(list)
    for where, line in numbered_lines(path):
        if line.startswith(";;"):
            continue
        name, side, _, *times, rest = (line.split(maxsplit=5) + [""] * 6)[:6]
        start, end = _times(times, where, "expected CALL SIDE SPEAKER START END <LABEL> WORDS")
        if side not in tuple(SIDES) or not name.lower().startswith(tuple(TESTS.values())):
            raise UserError(f"{where}: {name} {side}; expected sw_NNNN or en_NNNN, and A or B")
        label, text = re.fullmatch(r"(<[^>]*,[^>]*>)?(.*)", rest.strip()).groups("")  # type: ignore[union-attr]
        sex = {word.strip().upper() for word in label.strip("<>").split(",")} & {"F", "M"}
        columns: dict[str, Value] = {"gender": gender(sex.pop())} if len(sex) == 1 else {}
        said = IGNORED if IGNORED in text.lower() else referred(text)
        name = name.lower()
        key = f"{name}-{side}_{round(100 * start):06d}-{round(100 * end):06d}"
        sides[name, side].append(Stretch(key, name, side, start, end, said, where, columns))
    return [stretch for side in sides.values() for stretch in _longer(side) if stretch.text != IGNORED]


def _longer(side: Sequence[Stretch]) -> list[Stretch]:
    """The stretches of a side, in order, each longer at both ends; up to the middle of a gap where a neighbour is near."""
    ordered = sorted(side, key=lambda stretch: stretch.start)
    gaps = [max(0.0, b.start - a.end) / 2 for a, b in itertools.pairwise(ordered)]
    before, after = [ordered[0].start, *gaps], [*gaps, EDGE]
    return [
        replace(stretch, start=stretch.start - min(EDGE, early), end=stretch.end + min(EDGE, late))
        for stretch, early, late in zip(ordered, before, after, strict=True)
    ]


def _times(words: Sequence[str], where: str, expected: str) -> tuple[float, float]:
    try:
        start, end = map(float, words)
    except ValueError:
        raise UserError(f"{where}: no times {' '.join(words)!r}; {expected}") from None
    if not 0 <= start < end:
        raise UserError(f"{where}: {start} to {end} s is no stretch; {expected}")
    return start, end


def _cut(
    stretches: Sequence[Stretch], audio: Mapping[str, Path], folder: Path, what: str, progress: Tell
) -> list[Utterance]:
    """The utterances of a part, each side's audio written to `folder`."""
    utterances: list[Utterance] = []
    for done, (call, mine) in enumerate(calls := by_call(stretches).items(), 1):
        samples = read_call(audio[call])
        for channel, side in enumerate(SIDES):
            if said := [stretch for stretch in mine if stretch.side == side]:
                path = folder / "audio" / f"{call}-{side}.flac"
                write_side(path, samples[:, channel])
                utterances += [_utterance(s, path, len(samples) / RATE, audio[call]) for s in said]
        progress(what, done, len(calls))
    return utterances


def _utterance(stretch: Stretch, path: Path, length: float, source: Path) -> Utterance:
    if stretch.start >= length or stretch.end > length + EDGE + OVERHANG:
        there = f"{stretch.start:.2f} to {stretch.end:.2f} s is no stretch of {source}"
        raise UserError(f"{stretch.where}: {there}, which has {length:.2f} s")
    return Utterance(
        id=stretch.id,
        text=stretch.text,
        speaker=f"{stretch.call}-{stretch.side}",
        duration=round(min(stretch.end, length) - stretch.start, 6),
        audio=path,
        offset=round(stretch.start, 6),
        columns=stretch.columns,
        where=stretch.where,
    )
