"""Corrected manifests, and what the errors of each policy come from, out of annotations."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from specaug.errors import UserError
from specaug.speech.manifest import Utterance
from specaug.study.tables.text_table import aligned, printable
from specaug.study.triage.annotations import Annotation
from specaug.study.triage.config import CAUSES


@dataclass(frozen=True)
class Corrected:
    """A manifest after triage."""

    utterances: list[Utterance]
    changed: list[str]  # ids whose text is another one now
    left_out: list[str]  # ids whose reference is bad, and nobody wrote a better one
    disagreements: list[str]  # a line for each utterance of which annotators said different things


def correct(
    utterances: Sequence[Utterance], annotations: Sequence[Annotation], keep_bad: bool = False
) -> Corrected:
    """The manifest with the texts that annotators corrected; what has a bad reference and no text is left out.

    Of several annotations of an utterance the last one that says anything of its reference counts. Raises UserError
    where an annotation is of an utterance that the manifest has not, or has with another text.
    """
    known: dict[str, Utterance] = {}
    for u in utterances:
        if (twin := known.setdefault(u.id, u)) is not u:
            raise UserError(f"{u.where}: id {u.id!r} is also at {twin.where}; ids must be unique")
    said: dict[str, list[Annotation]] = {}
    for annotation in annotations:
        check(annotation, known)
        said.setdefault(annotation.utterance, []).append(annotation)
    verdicts = {name: verdict for name, all_of in said.items() if (verdict := last(all_of)) is not None}
    bad = [name for name, verdict in verdicts.items() if not verdict and not keep_bad]
    texts = {name: verdict for name, verdict in verdicts.items() if verdict}
    return Corrected(
        utterances=[replace(u, text=texts.get(u.id, u.text)) for u in utterances if u.id not in bad],
        changed=[u.id for u in utterances if texts.get(u.id, u.text) != u.text],
        left_out=sorted(bad),
        disagreements=[line for name in sorted(said) if (line := disagreement(said[name]))],
    )


def check(annotation: Annotation, known: Mapping[str, Utterance]) -> None:
    """Raise UserError where an annotation is not of one of these utterances."""
    name = annotation.utterance
    if name not in known:
        raise UserError(f"{annotation.where}: utterance {name!r} is not in the manifest; expected its own")
    text = known[name].text.split()
    fitting = [annotation.reference.split(), (annotation.corrected or "").split()]
    if text not in fitting:
        raise UserError(
            f"{annotation.where}: reference of {name!r} is {annotation.reference!r}; "
            f"expected {known[name].text!r} as at {known[name].where}"
        )


def last(annotations: Sequence[Annotation]) -> str | None:
    """The last verdict of annotations that are in the order of their times; None where there is none."""
    return next((a.verdict for a in reversed(annotations) if a.verdict is not None), None)


def disagreement(annotations: Sequence[Annotation]) -> str:
    """A line about verdicts that differ; empty where they do not."""
    newest = {a.annotator: a.verdict for a in annotations}
    if len(set(newest.values())) < 2:
        return ""
    told = ", ".join(f"annotator {who} {spelt(verdict)}" for who, verdict in newest.items())
    return f"{annotations[0].utterance}: {told}; taken: {spelt(last(annotations))}"


def spelt(verdict: str | None) -> str:
    """A verdict in words."""
    return "leaves it" if verdict is None else f"writes {verdict!r}" if verdict else "calls it bad"


def causes(annotations: Sequence[Annotation]) -> list[list[str]]:
    """A table with a row for each cause and a column for each policy: utterances, each with its last annotation."""
    newest = {(a.policy, a.utterance): a for a in annotations}
    policies = sorted({a.policy for a in annotations})
    counts = Counter((cause, a.policy) for a in newest.values() for cause in a.causes)
    named = [*CAUSES, *sorted({cause for cause, _ in counts} - set(CAUSES))]
    rows = [[cause, *(str(counts[cause, policy]) for policy in policies)] for cause in named]
    silent = Counter(a.policy for a in newest.values() if not a.causes)
    whole = Counter(a.policy for a in newest.values())
    return [
        ["cause", *policies],
        *rows,
        ["none given", *(str(silent[policy]) for policy in policies)],
        ["utterances", *(str(whole[policy]) for policy in policies)],
    ]


def as_text(annotations: Sequence[Annotation], corrected: Corrected) -> str:
    """The table of causes, then what became of the manifest."""
    table = aligned([list(map(printable, row)) for row in causes(annotations)])
    return f"{table}\n\n" + "".join(f"{line}\n" for line in said(corrected))


def as_tsv(annotations: Sequence[Annotation], corrected: Corrected) -> str:
    """The table of causes; lines that start with # are remarks."""
    lines = ["\t".join(map(printable, row)) for row in causes(annotations)]
    return "".join(f"{line}\n" for line in [*lines, *(f"# {line}" for line in said(corrected))])


FORMATS = {"text": as_text, "tsv": as_tsv}


def said(corrected: Corrected) -> list[str]:
    """What became of the manifest, line by line."""
    lines = [f"{len(corrected.changed)} texts corrected; {len(corrected.utterances)} utterances written"]
    if corrected.left_out:
        lines.append(f"left out, with bad references: {', '.join(corrected.left_out)}")
    lines += [f"annotators disagree: {line}" for line in corrected.disagreements]
    return [printable(" ".join(line.split())) for line in lines]
