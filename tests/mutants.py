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
                ("[(stream << 16) + index for", "[(stream << 3) + index for"),
                ("(block, epoch, id_low, id_high)", "(block, epoch, id_low, id_low)"),
                ("(seed >> 32) & WORD", "0"),
                ("2 * reach + 1) - reach", "2 * reach + 1)"),
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
            ("specaug/cli.py", "tests/test_cli.py"),
            [
                ("arguments.overrides += rest", "pass"),
                ("return 2 if problems else 0", "return 0"),
                (
                    'given = [f"{name}={value}" for name, value in lists.items() if value is not None]',
                    "given = []",
                ),
                ("' '.join(message.split())", "message"),
                (
                    "from specaug.errors import UserError\n",
                    "from specaug.errors import UserError\nimport specaug.augment.draws\n",
                ),
            ],
        ),
        (
            ("specaug/speech/batching.py", "tests/test_batching.py"),
            [
                ('chance("length", seed, epoch, name)', 'chance("length", seed, 0, name)'),
                ('chance("order", seed, epoch, ids[batch[0]])', 'chance("order", epoch, ids[batch[0]])'),
                (
                    "return sorted(batches, key=lambda batch: ",
                    "return batches or sorted(batches, key=lambda batch: ",
                ),
                ("JITTER = 0.1", "JITTER = 1.0"),
                ("key=lambda i: (jittered[i], ids[i]))", "key=lambda i: jittered[i] // 100)"),
                (
                    "lengths = torch.tensor([len(f) for f in features])",
                    "lengths = torch.tensor([max(map(len, features))] * len(features))",
                ),
            ],
        ),
        (
            ("specaug/speech/chance.py", "tests/test_chance.py"),
            [
                ('"/".join(map(str, words))', "str(words[0])"),
                ("digest[:16]", "digest[:1]"),
            ],
        ),
        (
            ("specaug/speech/corpora/fetch.py", "tests/test_fetch.py"),
            [
                ('"--depth", "1", ', ""),
                ("shutil.rmtree(partial, ignore_errors=True)", "pass"),
                ('if line.startswith("fatal:")', "if False"),
                ("except OSError as error:", "except PermissionError as error:"),
                (" or in_the_way(folder)", ""),
            ],
        ),
        (
            ("specaug/speech/corpora/fsdd.py", "tests/test_fsdd.py"),
            [
                ("DEV: (options.dev, seen, dev)", "DEV: (options.dev, seen, train)"),
                (
                    "SPEAKERS[2 * options.fold : 2 * options.fold + 2]",
                    "SPEAKERS[options.fold : options.fold + 2]",
                ),
                ('"unseen" if part == "noisy" else part, number', "part, number"),
                (
                    'text = " ".join(DIGITS[digit] for digit in self.digits)',
                    'text = " ".join(DIGITS[digit] for digit in sorted(self.digits))',
                ),
                ("if rate != RATE:", "if rate < RATE:"),
            ],
        ),
        (
            ("specaug/speech/features.py", "tests/test_features.py"),
            [
                ("periodic=False", "periodic=True"),
                (".abs().square()", ".abs()"),
                ("range(shortest, shortest + DOUBLINGS)", "range(shortest, shortest + 1)"),
                ('mel_scale="htk"', 'mel_scale="slaney"'),
                ("if len(wave) < window:", "if len(wave) <= window:"),
                (".clamp(min=LEAST_DEVIATION)", ""),
                ("features.mean(dim=0)", "features.mean()"),
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
        (
            ("specaug/speech/prepare.py", "tests/test_prepare.py"),
            [
                ("json.dumps([VERSION, name, asdict(features)])", "json.dumps([VERSION, name])"),
                ("json.dumps([VERSION, name, asdict(features)])", "json.dumps([VERSION, asdict(features)])"),
                ("if (folder / INDEX).is_file():", "if False:"),
                ("shutil.rmtree(partial, ignore_errors=True)", "pass"),
                ("total += reading.frames", "total += 1"),
                ('np.float32, "c", shape', 'np.float32, "r+", shape'),
                ("problem if stop else (lambda *_: None)", "problem"),
            ],
        ),
        (
            ("specaug/speech/scoring.py", "tests/test_scoring.py"),
            [
                (
                    "Errors(out.substitutions, out.deletions, out.insertions, len(reference.split()))",
                    "Errors(out.substitutions, out.insertions, out.deletions, len(reference.split()))",
                ),
                (
                    "self.substitutions + self.deletions + self.insertions",
                    "self.substitutions + self.deletions",
                ),
                ("out.insertions, len(reference))", "out.insertions, len(reference.split()))"),
                ('return " ".join(text.split())', "return text"),
            ],
        ),
        (
            ("specaug/speech/text.py", "tests/test_text.py"),
            [
                ("self.characters.index(character) + 1", "self.characters.index(character)"),
                (
                    '" ".join("".join(self.characters[label - 1] for label in labels).split())',
                    '"".join(self.characters[label - 1] for label in labels)',
                ),
                ("return len(labels) + ", "return len(labels) + 0 * "),
                ("sorted(set(text) - set(characters))", "sorted(set(characters) - set(text))"),
                ("return len(self.characters) + 1", "return len(self.characters)"),
            ],
        ),
        (
            ("specaug/study/ablation.py", "tests/test_ablation.py"),
            [
                ("failures += [failed] if failed else []", "failures = [failed] if failed else []"),
                ("if waiting and not worker.process.is_alive():", "if False:"),
                ("for run in runs if not run.finished)", "for run in runs)"),
                ("name = signal.Signals(-code).name if code < 0 else", "name ="),
                ('first = (str(error).splitlines() or [""])[0]', "first = str(error)"),
            ],
        ),
        (
            ("specaug/study/corpora.py", "tests/test_corpora.py"),
            [
                ("build(options, places.laboratory)", "build(options, places.data)"),
                ("sources = () if isinstance(options, Spoken) else", "sources ="),
            ],
        ),
        (
            ("specaug/study/load.py", "tests/test_load.py"),
            [
                (
                    "return laid_over(read(path.parent / str(parent), depth + 1), raw)",
                    "return laid_over(raw, read(path.parent / str(parent), depth + 1))",
                ),
                ("read(path.parent / str(parent), depth + 1)", "read(Path(str(parent)), depth + 1)"),
                ("merged[key] = laid_over(old, value)", "merged[key] = value"),
                ('child = raw[parent] = {"name": child}', "child = raw[parent] = {}"),
                ("raw[last] = [value] if alone else value", "raw[last] = value"),
                ("known_keys(first['loc'])", "known_keys(first['loc'][:1])"),
                ('not (short and item in (None, ""))', "not short"),
            ],
        ),
        (
            ("specaug/study/mirror.py", "tests/test_mirror.py"),
            [
                ('"group": recipe.policy.label', '"group": recipe.policy.name'),
                ("exit_code=0 if kind is None else 1", "exit_code=0"),
                ("bytes=True", "bytes=False"),
                ('self.stack.callback(os.environ.pop, "WANDB_DATA_DIR")', "pass"),
                ("torch.cat([batch.features, masked], dim=2)", "torch.cat([masked, batch.features], dim=2)"),
                ('step_metric="epoch", summary="min"', 'summary="min"'),
            ],
        ),
        (
            ("specaug/study/nearest.py", "tests/test_nearest.py"),
            [
                ("difflib.get_close_matches(name.lower()", "difflib.get_close_matches(name"),
                ("cutoff=0.5", "cutoff=0.0"),
            ],
        ),
        (
            ("specaug/study/networks.py", "tests/test_networks.py"),
            [
                ('if name not in ("mel", "vocab")]', "if name]"),
                ("except (TypeError, ValueError, RuntimeError) as error:", "except TypeError as error:"),
                ('for call in ("loss", "transcribe"):', 'for call in ("loss",):'),
                ("if error.name and not module.startswith(error.name):", "if False:"),
                ("if callable(count) else frames", "if False else frames"),
            ],
        ),
        (
            ("specaug/study/places.py", "tests/test_places.py"),
            [
                ("probe.unlink(missing_ok=True)", "pass"),
                ("if error.errno not in FULL:", "if error.errno in FULL:"),
                ("data=data or Path(", "data=Path("),
                ('"SPECAUG_CACHE") or', '"SPECAUG_DATA") or'),
                ("folder.mkdir(parents=True, exist_ok=True)", "folder.mkdir(exist_ok=True)"),
            ],
        ),
        (
            ("specaug/study/recipe.py", "tests/test_recipe.py"),
            [
                ("NAMED[self.name].scaled(time=self.scale), **changes)", "NAMED[self.name], **changes)"),
                ("if choice.scale == 1.0 else choice", ""),
                ("values.count(value) > 1", "values.count(value) > 2"),
                ("for fold in self.folds or (None,):", "for fold in self.folds:"),
                ("sort_keys=True", "sort_keys=False"),
                ("for choice in (self.policy, *self.policies):", "for choice in (self.policy,):"),
                ("if widest > self.features.mel:", "if widest > 1000:"),
            ],
        ),
        (
            ("specaug/study/run.py", "tests/test_run.py"),
            [
                ("torch.manual_seed(recipe.seed)", "torch.manual_seed(0)"),
                ("torch.manual_seed(recipe.seed)", "torch.manual_seed(recipe.seed + recipe.policy.W)"),
                ('"skipped": [str(problem) for problem in data.skipped]', '"skipped": []'),
                ("policy=run.recipe.policy.policy(),", "policy=type(run.recipe.policy)().policy(),"),
                ("    if run.finished:\n        return folder\n", ""),
                ('"deletions": t.words.deletions,', '"deletions": t.words.insertions,'),
            ],
        ),
        (
            ("specaug/study/screen.py", "tests/test_screen.py"),
            [
                ("self.runs, self.done = runs - finished, 0", "self.runs, self.done = runs, 0"),
                ("(1 - share) / max(share, 1e-6)", "(1 - share)"),
                ("Console(stderr=True", "Console(stderr=False"),
                ("self.console.print(what, markup=False", "self.console.print(what, markup=True"),
                ("if not self.console.is_terminal and self._due():", "if not self.console.is_terminal:"),
            ],
        ),
        (
            ("specaug/training/augment.py", "tests/test_augment.py"),
            [
                (" if trainer.training else batch", ""),
                ("vars(pl_module).update(self.found)", "pass"),
                ('self.teardown(trainer, pl_module, "fit")', "pass"),
                ("self.seed, trainer.current_epoch, self.names", "self.seed, 0, self.names"),
                ('make = getattr(batch, "_make", type(batch))', "make = type(batch)"),
                ("self.utterances += len(features)", "self.utterances += 1"),
                ("            batch = before(batch, dataloader_idx)\n", ""),
                ("        self.batches += 1\n", ""),
            ],
        ),
        (
            ("specaug/training/callbacks.py", "tests/test_callbacks.py"),
            [
                ("<= trainer.current_epoch]", "< trainer.current_epoch]"),
                ('if line.endswith("\\n")', "if line"),
                ("self.improved = wer <= self.best", "self.improved = wer < self.best"),
                ('self.best = state_dict["best"]', "pass"),
                (
                    "trainer.save_checkpoint(partial)",
                    "trainer.save_checkpoint(partial := self.folder / LAST)",
                ),
                ("mixed(self.seed, trainer.current_epoch", "mixed(self.seed, 0"),
                ("float(p.loss) * p.labels for p", "float(p.loss) for p"),
            ],
        ),
        (
            ("specaug/training/data.py", "tests/test_data.py"),
            [
                ("self.seed, self.epoch)", "self.seed, 0)"),
                ("math.ceil(len(self.part.ids) / self.size)", "len(self.part.ids) // self.size"),
                ("own = torch.Generator()  # for", "own = None  # for"),
                ("[part.labels[p] for p in places]", "[part.labels[p] for p in sorted(places)]"),
            ],
        ),
        (
            ("specaug/training/fit.py", "tests/test_fit.py"),
            [
                ("Reseed(job.seed), ", ""),
                ("LastEvaluated(), ", ""),
                ("ckpt_path=last if last.is_file() else None", "ckpt_path=None"),
                ('BEST if job.options.report == "best" else LAST', "LAST"),
                ("trial = copy.deepcopy(network)", "trial = network"),
                ("augment = Augment(job.policy, job.seed)", "augment = Augment(job.policy, job.seed + 1)"),
                (
                    "return -(-self.options.schedule.s_f // batches)",
                    "return self.options.schedule.s_f // batches",
                ),
            ],
        ),
        (
            ("specaug/training/module.py", "tests/test_module.py"),
            [
                ("options.schedule.factor(done + 1)", "options.schedule.factor(done)"),
                ('"interval": "step"', '"interval": "epoch"'),
                ("weight_decay=options.weight_decay", "weight_decay=0.0"),
                ("int(batch.target_lengths.sum())", "len(batch.ids)"),
            ],
        ),
        (
            ("specaug/training/options.py", "tests/test_schedule.py"),
            [
                ('"batch", "peak", "clip", "evaluate_every"', '"batch", "peak", "clip"'),
                ("if not self.weight_decay >= 0:", "if self.weight_decay < 0:"),
            ],
        ),
        (
            ("specaug/training/schedule.py", "tests/test_schedule.py"),
            [
                ("FINAL = 0.01", "FINAL = 0.1"),
                ("if step < self.s_r:", "if step < self.s_i:"),
                ("if step <= self.s_i:", "if step <= self.s_r:"),
                ("min(step - self.s_i, self.s_f - self.s_i)", "(step - self.s_i)"),
                ("self.s_i < self.s_f", "self.s_i <= self.s_f"),
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
