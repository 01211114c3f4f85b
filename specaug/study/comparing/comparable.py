"""What runs must share so that they may stand in one table, and what may be in it only once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from specaug.errors import UserError
from specaug.speech.corpus import PLUS
from specaug.study.choice import USUAL
from specaug.study.load import validated
from specaug.study.results import RECIPE, Result, Utterances
from specaug.training.strength import Strength

LATER = ("p_S", "p_M", "warp", "bounds", "fill")  # symbols that older results say nothing of
SAID = {**{symbol: USUAL[symbol] for symbol in LATER}, "operations": []}


Said = Mapping[str, Any]  # what a recipe says of a policy or a decoding, by its key


def same(one: Result, other: Result, what: str, expected: object, found: object) -> None:
    """Raise UserError that names both runs, unless what was found in `other` is what `one` has."""
    if found != expected:
        raise UserError(f"{other.folder}: {what} is {found!r}; expected {expected!r} as in {one.folder}")


def check_comparable(results: Sequence[Result]) -> None:
    """Raise UserError where runs differ in their data, or call different policies or decodings by one label."""
    first = results[0]
    meaning: dict[str, tuple[Result, Said]] = {}
    decodings: dict[str, tuple[Result, Said]] = {}
    data: dict[int, Result] = {}
    for result in results:
        same(first, result, "corpus", first.corpus, result.corpus)
        same(first, result, "corpus.synthetic", first.synthetic, result.synthetic)
        same(first, result, "text.classes", first.classes, result.classes)
        same(first, result, "parts", sorted(first.parts), sorted(result.parts))
        same(first, result, "alphabet", first.alphabet, result.alphabet)
        _same_decodings(decodings, result)
        said = {**SAID, **result.policy, **_strength(result)}
        _same_policy(*meaning.setdefault(result.label, (result, said)), result, said)
        fold = data.setdefault(result.fold, result)
        same(fold, result, f"corpus of fold {result.fold}", fold.fingerprint, result.fingerprint)


def _same_decodings(seen: dict[str, tuple[Result, Said]], result: Result) -> None:
    """Each decoding as it was `seen` first, by its label; one that was not is from now on."""
    for label, said in decodings(result).items():
        one, expected = seen.setdefault(label, (result, said))
        for name, found in said.items():
            same(one, result, f"{name} of decoding {label}", expected[name], found)


def decodings(result: Result) -> dict[str, dict[str, Any]]:
    """The decodings by label, defaults written out. Raises UserError where the recipe cannot be read."""
    told = {key: value for key, value in result.recipe.items() if key == "decodings"}
    return {one.label: asdict(one) for one in validated(told, str(result.folder / RECIPE)).decodings}


def _strength(result: Result) -> dict[str, Any]:
    """What the recipe says of the policy's strength, each field by its key. Raises UserError where it cannot be read."""
    policy: Any = result.recipe.get("policy")
    whole = policy if isinstance(policy, dict) else {}
    told = {key: value for key, value in whole.items() if key == "strength"}
    found = validated({"policy": told}, str(result.folder / RECIPE)).policy.strength
    # Full strength is one thing, whatever it would be a share of
    said = Strength() if found.constant else found
    return {f"strength.{name}": value for name, value in asdict(said).items()}


def _same_policy(one: Result, ours: Said, other: Result, theirs: Said) -> None:
    symbols = [symbol for symbol in {**ours, **theirs} if ours.get(symbol) != theirs.get(symbol)]
    told = [
        f"{symbol} is {ours.get(symbol)!r:.80} in {one.folder} and {theirs.get(symbol)!r:.80} in {other.folder}"
        for symbol in symbols
    ]
    if told:
        raise UserError(f"policy {one.label}: {', '.join(told)}; expected one policy under one label")


def check_once(results: Iterable[Result]) -> None:
    """Raise UserError where two runs of one system do the same thing."""
    done: dict[tuple[str, int, int], Result] = {}
    for result in results:
        twin = done.setdefault((result.label, result.seed, result.fold), result)
        if twin is not result:
            raise UserError(
                f"{result.folder}: policy {result.label}, seed {result.seed}, fold {result.fold} is also in "
                f"{twin.folder}; expected each once"
            )


def check_same_utterances(read: Iterable[tuple[Result, Mapping[str, Utterances]]]) -> None:
    """Raise UserError where a part holds other utterances in another run, or when it is decoded otherwise."""
    first: dict[tuple[int, str], tuple[Result, Utterances]] = {}
    for result, parts in read:
        for part, found in parts.items():
            other, expected = first.setdefault((result.fold, part), (result, found))
            _equal(result, part, found, expected, str(other.folder))
            plain, _ = decoded(part, parts)
            _equal(result, part, found, parts[plain], f"part {plain} of the same run")


def _equal(result: Result, part: str, found: Utterances, expected: Utterances, where: str) -> None:
    for name in ("ids", "speakers", "references"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        if ours != theirs:
            differing = set(ours) ^ set(theirs) if name == "ids" else _differing(found.ids, ours, theirs)
            first = f"the first that differs is utterance {min(differing)!r}"
            raise UserError(f"{result.folder}: {name} of part {part} differ from {where}; {first}")


def _differing(ids: Iterable[str], ours: Iterable[str], theirs: Iterable[str]) -> set[str]:
    return {name for name, one, other in zip(ids, ours, theirs, strict=True) if one != other}


def decoded(part: str, parts: Iterable[str]) -> tuple[str, str]:
    """The part whose utterances these are, and how they were decoded: `unseen+lm` gives unseen and lm.

    The second is empty for a part that was decoded plainly, and where no plain part of that name is in `parts`.
    """
    plain, _, decoding = part.partition(PLUS)
    return (plain, decoding) if decoding and plain in set(parts) else (part, "")
