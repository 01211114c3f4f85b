"""Small wrong edits, each of which a test must notice: `make mutants`, or with the start of a file's name.

An edit is made in a copy of the checkout; the checkout itself is never touched.
"""

import multiprocessing
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
NEEDED = ("specaug", "models", "experiments", "sweeps", "tests", "docs", "benchmarks", "examples")
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["torch", "numba", "lightning", "optuna"])
FAILED, PASSED = 1, 0  # pytest's exit status; any other means that the tests did not run
BROKEN = ("NameError", "SyntaxError")  # of an edit that is no code: nobody would write it


class Mutant(NamedTuple):
    """Write `new` where `file` says `old`, and the tests in `tests` must fail."""

    file: str
    old: str
    new: str
    tests: str


def read_mutants() -> list[Mutant]:
    """The edits in `tests/edits/`, one file for each room of the house."""
    return [
        Mutant(entry["file"], edit["old"], edit["new"], entry["tests"])
        for path in sorted((ROOT / "tests" / "edits").glob("*.yaml"))
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))
        for edit in entry["edits"]
    ]


def copy_checkout(target: Path) -> None:
    """Copy what tests read: the source, without anything compiled."""
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".git":
            shutil.copy(path, target)


def run_tests(copy: Path, tests: str) -> tuple[int, str]:
    """Run one test file inside `copy`, stopping at the first failure: pytest's exit status, and what it said."""
    engine = "" if "fused" in tests or "engines" in tests else "plain"  # or torch's code is passed by
    environment = {
        "SPECAUG_DATA": str(ROOT / "data"),
        **os.environ,
        "SPECAUG_ENGINE": engine,
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",  # an edit of the same length in the same second looks unchanged
    }
    early = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what is imported before pytest starts
    words = ["-x", "-q", "-p", "no:cacheprovider", *early, "-m", "not gpu", tests]
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as said:
        process = SERVER.Process(target=live, args=(copy, environment, words, said.name))
        process.start()
        process.join()
        return process.exitcode or 0, said.read().strip()


def live(copy: Path, environment: dict[str, str], words: list[str], said: str) -> None:
    """What the process of one edit does; what is slow to import and not ours has been imported before it was forked."""
    out = os.open(said, os.O_WRONLY)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(copy)
    os.environ.update(environment)
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(copy))
    os._exit(pytest.main(words))


def broken(said: str) -> str:
    """By what the last test failed, where that was an edit that is no code; "" where it noticed something."""
    ends = re.findall(r"^\S+:\d+: (\w+)$", said, re.MULTILINE)
    return ends[-1] if ends and ends[-1] in BROKEN else ""


def trial(mutant: Mutant | None, tests: str) -> str:
    """What went wrong with one edit (None: with no edit, when the tests must pass); "" if nothing did."""
    with tempfile.TemporaryDirectory() as folder:
        copy_checkout(Path(folder))
        if mutant:
            path = Path(folder, mutant.file)
            text = path.read_text(encoding="utf-8")
            if text.count(mutant.old) != 1:
                return f"the text occurs {text.count(mutant.old)} times; expected once"
            path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        status, said = run_tests(Path(folder), tests)
    if mutant and status == FAILED and (error := broken(said)):
        return f"died of a {error} alone"
    if status == (FAILED if mutant else PASSED):
        return ""
    if mutant and status == PASSED:
        return "SURVIVED"
    return f"pytest left with {status}: {said[-500:]}"


def main(arguments: Sequence[str]) -> int:
    """Try the edits of the files whose names start with one of `arguments`, or all; 1 if one survived."""
    chosen = [m for m in read_mutants() if m.file.startswith(tuple(arguments) or "")]
    whole: list[Mutant | None] = [None] * len({m.tests for m in chosen})
    edits = [*whole, *chosen]
    tests = [*sorted({m.tests for m in chosen}), *(m.tests for m in chosen)]
    faults = 0
    with ThreadPoolExecutor(max(1, (os.cpu_count() or 2) // 2)) as pool:
        for mutant, name, fault in zip(edits, tests, pool.map(trial, edits, tests), strict=True):
            label = f"{mutant.file}: {mutant.old!r} -> {mutant.new!r}" if mutant else f"{name}, unedited"
            print(f"{'FAULT' if fault else 'ok':5}  {label}{': ' if fault else ''}{fault}", flush=True)
            faults += bool(fault)
    print(f"{len(chosen)} mutants, {faults} faults")
    return int(faults > 0 or not chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
