"""Which utterances are worth a look: the worst of one policy, or what another one got right."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from specaug.errors import UserError
from specaug.speech.manifest import Value
from specaug.study.comparing.comparable import check_once
from specaug.study.comparing.reading import check_one_system, comparable
from specaug.study.nearest import hint
from specaug.study.results import Result, find_runs, read_lines
from specaug.study.rows import KINDS, OWN


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


def read_cases(paths: Sequence[Path], part: str | None = None) -> list[Case]:
    """Every utterance of the finished runs in and below `paths`, or those of one part, in the order of their ids.

    Raises UserError where there is no finished run, where runs differ in more than policy, seed and fold, or
    where there is no such part.
    """
    results = find_runs(paths).finished
    found = comparable(results, paths)
    check_one_system([system for system, _ in found], paths)
    check_once(results)
    if part is not None and part not in results[0].parts:
        raise UserError(f"--part is {part!r}{hint(part, results[0].parts)}")
    cases: dict[tuple[int, str, str], Case] = {}
    for result in sorted(results, key=lambda r: (r.label, r.seed)):
        for row in read_lines(result.folder):
            if part not in (None, row["part"]):
                continue
            columns = {name: value for name, value in row.items() if name not in OWN}
            told = (row["speaker"], row["reference"], row["words"], columns)
            case = Case(row["part"], result.fold, row["id"], *told)
            case = cases.setdefault((case.fold, case.part, case.id), case)
            errors = sum(row[kind] for kind in KINDS)
            case.answers.append(Answer(result, row["hypothesis"], errors))
    return sorted(cases.values(), key=lambda case: (case.id, case.part, case.fold))


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


def named(policy: str, known: Sequence[str]) -> str:
    """The label of a policy; its first word is enough where no other one starts with that."""
    if policy in known:
        return policy
    near = [label for label in known if label.split()[0] == policy]
    if len(near) != 1:
        raise UserError(f"no runs of policy {policy!r}{hint(policy, known)}")
    return near[0]


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
