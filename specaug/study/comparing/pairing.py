"""Which runs a table counts, in which order its policies stand, and what is to be said of the others."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from specaug.errors import UserError
from specaug.study.comparing.systems import System
from specaug.study.nearest import hint
from specaug.study.plural import counted
from specaug.study.results import Result, Utterances

ORDER = ("None", "LB", "LD", "SM", "SS")  # of the rows; others follow

Read = Mapping[tuple[int, int], Mapping[str, Utterances]]  # by seed and fold, then by part


@dataclass(frozen=True, eq=False, slots=True)
class Entry:
    """A policy in a system: the runs of its whole seeds, and what was recognised in them."""

    system: System
    label: str
    results: Sequence[Result]
    read: Read

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that have all folds."""
        return tuple(sorted({result.seed for result in self.results}))


def whole_seeds(
    found: Sequence[tuple[System, list[Result]]],
) -> tuple[list[tuple[System, str, list[Result]]], list[str]]:
    """For each policy of each system the runs of the seeds that have all folds, and a note for every other seed.

    Raises UserError where no seed has all folds.
    """
    folds = {result.fold for _, results in found for result in results}
    whole, notes = [], []
    for system, results in found:
        mine: dict[str, list[Result]] = {}
        ordered = sorted(results, key=lambda r: (r.label, r.seed, r.fold))
        for (label, seed), group in groupby(ordered, key=lambda r: (r.label, r.seed)):
            runs = list(group)
            if missing := sorted(folds - {r.fold for r in runs}):
                told = f"{label}, seed {seed} is left out: no result for {_listed('fold', missing)}"
                notes.append(_of(system, len(found)) + told)
            else:
                mine[label] = mine.get(label, []) + runs
        labels = sorted(mine, key=lambda label: _place(mine[label][0]))
        whole += [(system, label, mine[label]) for label in labels]
    if not whole:
        raise UserError(f"no seed of any policy has all {len(folds)} folds; the first: {notes[0]}")
    return whole, notes


def chosen_baseline(entries: Sequence[Entry], wanted: str | None) -> str:
    """The label that policies are compared with: `wanted`, or None where it is there, else the first that all have."""
    labels = list(dict.fromkeys(entry.label for entry in entries))
    if wanted is not None:
        return named(wanted, labels)
    systems = {entry.system.name for entry in entries}
    everywhere = [
        label for label in labels if {e.system.name for e in entries if e.label == label} == systems
    ]
    return "None" if "None" in labels else [*everywhere, *labels][0]


def named(policy: str, labels: Sequence[str]) -> str:
    """The label of a policy; its first word is enough where no other one starts with that."""
    if policy in labels:
        return policy
    near = [label for label in labels if label.split()[:1] == [policy]]
    if len(near) != 1:
        raise UserError(f"no runs of policy {policy!r}{hint(policy, labels)}")
    return near[0]


def baselines(entries: Sequence[Entry], label: str) -> dict[str, Entry]:
    """By the name of each system that has it, the policy that its others are compared with."""
    return {entry.system.name: entry for entry in entries if entry.label == label}


def pairing_notes(entries: Sequence[Entry], label: str) -> list[str]:
    """Which policies have other seeds than their baseline, and which systems have no baseline."""
    against = baselines(entries, label)
    systems = {entry.system.name: entry.system for entry in entries}
    notes = []
    for entry in entries:
        base = against.get(entry.system.name)
        if base and entry.seeds != base.seeds:
            alone = _listed("seed", sorted(set(entry.seeds) ^ set(base.seeds)))
            told = f"{entry.label} and {label} are not paired on {alone}"
            both = len(set(entry.seeds) & set(base.seeds))
            notes.append(f"{_of(entry.system, len(systems))}{told}; difference over {counted(both, 'seed')}")
    return notes + [
        f"{name} has no whole run of {label}, so its policies are compared with nothing"
        for name in systems
        if name not in against
    ]


def training_notes(found: Iterable[tuple[System, Sequence[Result]]]) -> list[str]:
    """What is uneven in how the runs of each system were trained."""
    found, notes = list(found), []
    for system, results in found:
        start, epochs = _of(system, len(found)), {r.epochs for r in results}
        if len(epochs) > 1:
            notes.append(f"{start}runs differ in length: {min(epochs)} to {max(epochs)} epochs")
        if skipping := [r for r in results if r.skipped]:
            most = max(len(r.skipped) for r in skipping)
            count = f"{len(skipping)} of {counted(len(results), 'run')}"
            notes.append(f"{start}{count} skipped up to {counted(most, 'utterance')}")
    return notes


def _of(system: System, count: int) -> str:
    return f"{system.name}: " if count > 1 else ""


def _listed(word: str, numbers: Sequence[int]) -> str:
    return f"{word}{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _place(result: Result) -> tuple[object, ...]:
    """Where a policy stands: those of the paper first, then their variants, numbers in a label by size."""
    name = str(result.policy.get("name"))
    variant_of = name if result.label.startswith(name) else ""  # the name of SpecSub alone is None
    names = [result.label, variant_of]
    places = [ORDER.index(name) if name in ORDER else len(ORDER) for name in names]
    pieces = re.split(r"(\d+(?:\.\d+)?)", result.label)
    return *places, [(float(piece), "") if i % 2 else (0.0, piece) for i, piece in enumerate(pieces)]
