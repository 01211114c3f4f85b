"""Small wrong edits, each of which a test must notice: `make mutants`, or with the start of a file's name.

An edit is made in a copy of the checkout; the checkout itself is never touched.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
NEEDED = ("specaug", "models", "experiments", "sweeps", "tests", "docs", "benchmarks")
FAILED, PASSED = 1, 0  # pytest's exit status; any other means that the tests did not run


class Mutant(NamedTuple):
    """Write `new` where `file` says `old`, and the tests in `tests` must fail."""

    file: str
    old: str
    new: str
    tests: str


MANIFEST = ("specaug/speech/manifest.py", "tests/test_manifest.py")

MUTANTS = [
    Mutant(file, old, new, tests)
    for (file, tests), edits in [
        (
            ("models/bilstm.py", "tests/test_bilstm.py"),
            [
                ("(lengths[:, None] - 1 - place)", "(lengths[:, None] - place)"),
                (
                    "turn(self.backwards(turn(hidden, turned))[0], turned)",
                    "self.backwards(turn(hidden, turned))[0]",
                ),
                ("cat([there, back], dim=-1) * valid", "cat([back, there], dim=-1) * valid"),
                ("dim=-1) * valid(lengths, hidden.shape[1])[:, :, None]", "dim=-1)"),
                (
                    "width if layer == 0 else 2 * width, width",
                    "width if layer == 0 else 2 * width, 2 * width",
                ),
            ],
        ),
        (
            ("models/conformer.py", "tests/test_conformer.py"),
            [
                ("if width < 1 or width % (2 * heads)", "if width % heads"),
                ("hidden + 0.5 * self.enter(hidden)", "hidden + self.enter(hidden)"),
                ("attn_mask=mask[:, None, None, :]", "attn_mask=None"),
                (
                    "F.glu(self.gate(self.norm(hidden))) * mask[:, :, None]",
                    "F.glu(self.gate(self.norm(hidden)))",
                ),
                ("rotated(query, turns), rotated(key, turns)", "rotated(query, turns), key"),
                ("first * sin + second * cos", "first * sin - second * cos"),
            ],
        ),
        (
            ("models/ctc.py", "tests/test_ctc.py"),
            [
                ("for label, _ in groupby(path) if", "for label in path if"),
                ("merge(path[:n])", "merge(path)"),
                ('BLANK, reduction="sum"', 'BLANK, reduction="mean"'),
                ("target_lengths.sum().clamp(min=1)", "len(target_lengths)"),
                (".sum().clamp(min=1)", ".sum()"),
            ],
        ),
        (
            ("models/subsampling.py", "tests/test_subsampling.py"),
            [
                ("hidden = hidden.masked_fill(", "hidden.masked_fill("),
                (
                    ".masked_fill(~valid(lengths, hidden.shape[2])[:, None, :], 0.0)",
                    " * valid(lengths, hidden.shape[2])[:, None, :]",
                ),
                ("transpose(1, 2) * valid(lengths, hidden.shape[2])[:, :, None]", "transpose(1, 2)"),
                ("(frames + 3) // 4", "(frames + 2) // 4"),
            ],
        ),
        (
            ("specaug/__init__.py", "tests/test_specaug.py"),
            [
                (
                    "from specaug.augment.policy import",
                    "import torch as torch\nfrom specaug.augment.policy import",
                ),
                (
                    "    if name not in _LATER:\n        raise",
                    "    if name not in _LATER:\n        return None\n        raise",
                ),
                ('"draw": "draws"', '"draw": "apply"'),
            ],
        ),
        (
            ("specaug/augment/apply.py", "tests/test_apply.py"),
            [
                ("& valid[:, :, None]", ""),
                ("(start <= position)", "(start < position)"),
                ("frames + channels - frames * channels", "frames + channels"),
                (
                    "torch.where(weight > 0, torch.lerp(low, high, weight), low)",
                    "torch.lerp(low, high, weight)",
                ),
                ("whole + centre)", "whole + target)"),
                ("rest = (climb - whole * run).double() / run", "rest = climb.float() / run - whole"),
                ("return features.masked_fill(", "return features.masked_fill_("),
            ],
        ),
        (
            ("specaug/augment/draws.py", "tests/test_draws.py"),
            [
                ("size)[:, None] + 1).expand_as", "size)[:, None]).clamp(min=1).expand_as"),
                ("size[:, None] - width + 1", "(size[:, None] - width).clamp(min=1)"),
                ("WARP, FREQ, TIME = 0, 1, 2", "WARP, FREQ, TIME = 0, 1, 1"),
                ("(block[None, :], epoch, id_low, id_high)", "(block[None, :], epoch, id_low, id_low)"),
                ("(seed >> 32) & WORD", "0"),
                ("below(second, 2 * reach + 1) - reach", "below(second, 2 * reach + 1)"),
            ],
        ),
        (
            ("specaug/augment/philox.py", "tests/test_philox.py"),
            [
                ("ROUNDS = 10", "ROUNDS = 9"),
                ("(k1 + WEYL[1]) & WORD", "k1 + WEYL[1]"),
                ("high0 ^ c3 ^ k1", "high0 ^ c3 ^ k0"),
                ("upper + (lower >> 16)", "upper"),
                ("(word * bound) >> 32", "(word.double() * bound / 2**32).round().long()"),
            ],
        ),
        (
            ("specaug/augment/policy.py", "tests/test_policy.py"),
            [
                ("not 0 <= value <= 1:", "not 0 <= value:"),
                ("isinstance(value, bool) or not isinstance(value, int | float) or not 0", "not 0"),
                ("Fraction(str(self.time_fraction))", "Fraction(self.time_fraction)"),
                (
                    "min(self.time_width, frames * share.numerator // share.denominator)",
                    "frames * share.numerator // share.denominator",
                ),
                ("round(self.time_width * factor)", "int(self.time_width * factor)"),
                ("SM = Policy(warp=40, freq_width=15", "SM = Policy(warp=40, freq_width=27"),
            ],
        ),
        (
            ("specaug/augment/transform.py", "tests/test_transform.py"),
            [
                ("if not self.training:", "if not self.policy:"),
                ("self.calls += 1", "self.calls += 0"),
                ("make_keys(self.seed, self.calls", "make_keys(torch.initial_seed(), self.calls"),
                ("            self.calls += 1", "        self.calls += 1"),
                ("draw(self.policy, lengths, mel", "draw(self.policy, torch.full_like(lengths, time), mel"),
            ],
        ),
        (
            MANIFEST,
            [
                ("if duration <= 0:", "if duration < 0:"),
                ('enumerate(text.split("\\n"), 1)', 'enumerate(text.split("\\n"), 0)'),
                ("if name not in KNOWN}", "if name in KNOWN}"),
                ("os.path.relpath(path.parent.resolve() / path.name, folder.resolve())", "str(path)"),
                ("sum(name is not None for name in files.values()) != 1", "not any(files.values())"),
                ("u.duration, u.offset, size", "u.duration, size"),
            ],
        ),
    ]
    for old, new in edits
]


def copy_checkout(target: Path) -> None:
    """Copy what tests read: the source, without anything compiled."""
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".git":
            shutil.copy(path, target)


def run_tests(copy: Path, tests: str) -> subprocess.CompletedProcess[str]:
    """Run one test file inside `copy`, stopping at the first failure."""
    environment = {
        "SPECAUG_DATA": str(ROOT / "data"),
        **os.environ,
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",  # an edit of the same length in the same second looks unchanged
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", tests]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)


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
        done = run_tests(Path(folder), tests)
    if done.returncode == (FAILED if mutant else PASSED):
        return ""
    if mutant and done.returncode == PASSED:
        return "SURVIVED"
    return f"pytest left with {done.returncode}: {(done.stdout + done.stderr).strip()[-500:]}"


def main(arguments: Sequence[str]) -> int:
    """Try the edits of the files whose names start with one of `arguments`, or all; 1 if one survived."""
    chosen = [m for m in MUTANTS if m.file.startswith(tuple(arguments) or "")]
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
