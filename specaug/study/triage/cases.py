"""Which utterances are worth a look: the worst of one policy, or what another one got right."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from specaug.errors import UserError
from specaug.speech.manifest import Value
from specaug.study.comparing.pairing import named
from specaug.study.comparing.reading import Reading, check_one_system
from specaug.study.nearest import hint
from specaug.study.results import Result, Utterances


@dataclass(frozen=True, slots=True)
class Answer:
    """What one run wrote for one utterance."""

    run: Result
    hypothesis: str
    errors: int  # words

    @property
    def rank(self) -> tuple[int, int]:
        """The worst first; of answers that are alike, the one with the lowest seed."""
        return (-self.errors, self.run.seed)


@dataclass(frozen=True, slots=True)
class Case:
    """One utterance and what every run wrote for it."""

    part: str
    fold: int
    id: str
    speaker: str
    reference: str
    words: int
    columns: Mapping[str, Value]
    answers: list[Answer] = field(default_factory=list)  # by policy, then by seed

    def of(self, policy: str) -> list[Answer]:
        """The answers of one policy."""
        return [answer for answer in self.answers if answer.run.label == policy]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A case, and the answer in it that is to be looked at."""

    case: Case
    shown: Answer
    errors: int  # of the policy that is looked at, over all seeds that count
    runs: int  # how many these are


def cases_of(found: Reading, part: str | None = None) -> list[Case]:
    """Every utterance of some runs, or those of one part, in the order of their ids.

    Raises UserError where the runs are of several systems, or where there is no such part.
    """
    check_one_system(found.systems, found.paths)
    results = found.results
    if part is not None and part not in results[0].parts:
        raise UserError(f"--part is {part!r}{hint(part, results[0].parts)}")
    cases: dict[tuple[int, str, str], Case] = {}
    for entry in sorted(found.entries, key=lambda entry: entry.label):
        for result in entry.results:
            read = entry.read[result.seed, result.fold]
            for name in [part] if part else read:
                for case, answer in _answered(result, name, read[name]):
                    cases.setdefault((case.fold, case.part, case.id), case).answers.append(answer)
    return sorted(cases.values(), key=lambda case: (case.id, case.part, case.fold))


def _answered(result: Result, part: str, read: Utterances) -> Iterator[tuple[Case, Answer]]:
    """What a run wrote for each utterance of a part."""
    errors, words = read.errors.tolist(), read.words.tolist()
    for place, name in enumerate(read.ids):
        told = {column: values[place] for column, values in read.columns.items()}
        columns = {column: value for column, value in told.items() if value is not None}
        said = read.speakers[place], read.references[place], words[place]
        case = Case(part, result.fold, name, *said, columns)
        yield case, Answer(result, read.hypotheses[place], errors[place])


def policies_of(cases: Iterable[Case]) -> list[str]:
    """The labels of the policies that answered."""
    return sorted({answer.run.label for case in cases for answer in case.answers})


def worst(cases: Sequence[Case], policy: str | None, count: int) -> list[Chosen]:
    """The utterances with the most errors of one policy, over all its seeds; ties by id.

    Raises UserError where the policy is not known, or must be named.
    """
    known = policies_of(cases)
    if policy is None and len(known) > 1:
        raise UserError(f"there are runs of {', '.join(known)}; expected --policy with one of them")
    name = named(policy or known[0], known)
    return _ranked([(case, case.of(name)) for case in cases], count)


def changed(cases: Sequence[Case], right: str, wrong: str, count: int) -> list[Chosen]:
    """The utterances that `right` got right where `wrong`, with the same seed, did not; the worst first, ties by id.

    Errors are counted over the seeds with which that was so.
    """
    known = policies_of(cases)
    right, wrong = named(right, known), named(wrong, known)
    found = []
    for case in cases:
        good = {answer.run.seed for answer in case.of(right) if not answer.errors}
        found.append((case, [answer for answer in case.of(wrong) if answer.run.seed in good]))
    return _ranked(found, count)


def _ranked(found: Iterable[tuple[Case, list[Answer]]], count: int) -> list[Chosen]:
    chosen = [
        Chosen(case, min(answers, key=lambda a: a.rank), sum(a.errors for a in answers), len(answers))
        for case, answers in found
        if any(answer.errors for answer in answers)
    ]
    return sorted(chosen, key=lambda one: -one.errors)[:count]  # the cases come in the order of their ids


def alike(case: Case) -> list[tuple[str, dict[str, list[int]]]]:
    """Each different hypothesis with the seeds that wrote it, by policy; in the order of the answers."""
    found: dict[str, dict[str, list[int]]] = {}
    for answer in case.answers:
        by_policy = found.setdefault(answer.hypothesis, defaultdict(list))
        by_policy[answer.run.label].append(answer.run.seed)
    return list(found.items())
