"""The command line: verbs and nothing else. What is slow to import is imported by the verb that needs it."""

import argparse
import os
import shlex
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from specaug.errors import UserError

EXAMPLES = """examples:
  specaug ablate experiments/demo.yaml                       None, LB and LD on synthetic speech, in minutes
  specaug ablate experiments/fsdd.yaml --seeds 0,1 --workers 2
  specaug train experiments/fsdd.yaml policy=LD policy.F=15 seed=3
  specaug train experiments/fsdd.yaml policy=LD --print-config
  specaug compare runs/fsdd --format tsv
  specaug data fsdd --download
  specaug data check my/train.jsonl
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the status is 0, 1 where runs failed, 2 for a user's mistake, 130 for Ctrl-C."""
    given = sys.argv[1:] if argv is None else argv
    top = parser()
    arguments, rest = top.parse_known_args(given)  # argparse takes no overrides behind an option
    if any(word.startswith("-") or not hasattr(arguments, "overrides") for word in rest):
        top.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        arguments.overrides += rest
    try:
        return int(arguments.verb(arguments))
    except UserError as error:
        return complain(str(error), 2)
    except OSError as error:
        return complain(f"{error.filename or 'a file'}: {error.strerror or error}", 2)
    except KeyboardInterrupt:
        return complain(f"interrupted; what is done is kept. To go on: specaug {shlex.join(given)}", 130)


def complain(message: str, status: int) -> int:
    """One line on standard error."""
    sys.stderr.write(f"specaug: {' '.join(message.split())}\n")
    return status


def parser() -> argparse.ArgumentParser:
    """The verbs and their options."""
    top = argparse.ArgumentParser(
        prog="specaug",
        description="Augmentation ablations in speech recognition.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = top.add_subparsers(required=True, metavar="VERB")
    add_train(verbs)
    add_ablate(verbs)
    add_compare(verbs)
    add_data(verbs)
    add_init(verbs)
    return top


def add_verb(
    verbs: Any, name: str, what: str, run: Callable[[argparse.Namespace], int], example: str
) -> argparse.ArgumentParser:
    """A verb with its help and one example."""
    verb: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.set_defaults(verb=run)
    return verb


def add_recipe(verb: argparse.ArgumentParser) -> None:
    """What the verbs that train have in common."""
    verb.add_argument("recipe", type=Path, metavar="RECIPE", help="a YAML file in a laboratory")
    verb.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="policy=LD policy.F=15 training.batch=8"
    )
    verb.add_argument("--print-config", action="store_true", help="print the resolved recipe and stop")
    verb.add_argument(
        "--data", type=Path, metavar="DIR", help="sources of corpora (SPECAUG_DATA, else data/)"
    )
    verb.add_argument(
        "--runs", type=Path, metavar="DIR", help="where runs are written (SPECAUG_RUNS, else runs/)"
    )
    verb.add_argument("--online", action="store_true", help="send curves to W&B while training")


def add_train(verbs: Any) -> None:
    """`specaug train`."""
    example = "specaug train experiments/fsdd.yaml policy=LD seed=0"
    verb = add_verb(verbs, "train", "train one run: one policy with one seed", train, example)
    add_recipe(verb)


def train(arguments: argparse.Namespace) -> int:
    """Train one run and print where it lies."""
    from specaug.study.load import as_yaml, load

    run_recipe = load(arguments.recipe, arguments.overrides).run()
    if arguments.print_config:
        sys.stdout.write(as_yaml(run_recipe))
        return 0
    from specaug.study.screen import Screen

    with Screen(1) as screen:
        screen.say(f"{arguments.recipe}: {run_recipe.policy.label}, seed {run_recipe.seed}")
        from specaug.study.run import Run, execute

        run = Run(arguments.recipe.stem, run_recipe, places(arguments))
        execute(run, arguments.online, screen.loading, lambda progress: screen.progress(run, progress))
        screen.ended(run, None)
    sys.stdout.write(f"{run.folder}\n")
    return 0


def places(arguments: argparse.Namespace) -> Any:
    """Where things lie for the laboratory of the recipe."""
    from specaug.study.laboratory import find
    from specaug.study.places import Places

    return Places.of(find(arguments.recipe), arguments.data, arguments.runs)


def add_ablate(verbs: Any) -> None:
    """`specaug ablate`."""
    example = "specaug ablate experiments/fsdd.yaml --policies None,LD --seeds 0,1,2 --workers 2"
    what = "train every policy with every seed, then print the table"
    verb = add_verb(verbs, "ablate", what, ablate, example)
    add_recipe(verb)
    verb.add_argument("--policies", metavar="A,B", help="instead of the recipe's")
    verb.add_argument("--seeds", metavar="0,1", help="instead of the recipe's")
    verb.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes of one thread each (%(default)s)"
    )


def ablate(arguments: argparse.Namespace) -> int:
    """Train what is not finished yet; the table goes to standard output."""
    from specaug.study.load import as_yaml, load

    lists = {"policies": arguments.policies, "seeds": arguments.seeds}
    given = [f"{name}={value}" for name, value in lists.items() if value is not None]
    recipe = load(arguments.recipe, [*arguments.overrides, *given])
    if arguments.print_config:
        sys.stdout.write(as_yaml(recipe))
        return 0
    if arguments.workers < 1:
        raise UserError(f"--workers is {arguments.workers}; expected at least 1")
    from specaug.study.screen import Screen

    with Screen(0) as screen:
        screen.say(f"{arguments.recipe}: checking the recipe and the data")
        from specaug.study.ablation import run_all

        at = places(arguments)
        failures = run_all(arguments.recipe.stem, recipe, at, arguments.workers, arguments.online, screen)
    folder = at.runs / arguments.recipe.stem
    status = show(folder, "text", None, recipe.caption)
    for failed in failures:
        status = complain(f"{failed.run.name} failed: {failed.why}", 1)
    return status


def add_compare(verbs: Any) -> None:
    """`specaug compare`, and what is made of it."""
    verb = add_verb(
        verbs, "compare", "print the table of finished runs", compare, "specaug compare runs/fsdd"
    )
    verb.add_argument("runs", nargs="+", type=Path, metavar="RUNS", help="folders with runs in them")
    verb.add_argument("--format", choices=("text", "markdown", "tsv"), default="text")
    verb.add_argument("--baseline", metavar="POLICY", help="the policy compared with (None, else the first)")
    example = "specaug keep runs/fsdd docs/results/fsdd"
    verb = add_verb(verbs, "keep", "copy what a table needs of finished runs", keep, example)
    verb.add_argument("runs", type=Path, metavar="RUNS")
    verb.add_argument("folder", type=Path, metavar="FOLDER")
    example = "specaug tables docs/results.md --check"
    verb = add_verb(verbs, "tables", "make the tables of a document from kept runs", tables, example)
    verb.add_argument("document", type=Path, metavar="DOCUMENT")
    verb.add_argument("--check", action="store_true", help="write nothing; status 1 where a table differs")


def compare(arguments: argparse.Namespace) -> int:
    """Print the table."""
    return show(arguments.runs, arguments.format, arguments.baseline)


def show(runs: Any, form: str, baseline: str | None, caption: str = "") -> int:
    """Print the comparison of the runs in some folders."""
    from specaug.study import table
    from specaug.study.compare import compare as compared

    folders = [runs] if isinstance(runs, Path) else runs
    sys.stdout.write(table.FORMATS[form](compared(folders, baseline)))
    if caption:
        sys.stdout.write(f"\n{textwrap.fill(caption, 110)}\n")
    if form == "text":
        sys.stdout.write(f"\nresults: {', '.join(map(str, folders))}\n")
    return 0


def keep(arguments: argparse.Namespace) -> int:
    """Copy finished runs into a folder that can be committed."""
    from specaug.study.results import find_runs
    from specaug.study.table import keep_run

    for result in find_runs([arguments.runs]).finished:
        sys.stdout.write(f"{keep_run(result.folder, arguments.folder)}\n")
    return 0


def tables(arguments: argparse.Namespace) -> int:
    """Make a document's tables again."""
    from specaug.study.table import refresh

    same = refresh(arguments.document, Path.cwd(), arguments.check)
    if arguments.check and not same:
        return complain(
            f"{arguments.document}: its tables are not those of the kept runs; see `make tables`", 1
        )
    return 0


def add_data(verbs: Any) -> None:
    """`specaug data ...`."""
    group = verbs.add_parser("data", help="fetch, make, check and convert corpora")
    kinds = group.add_subparsers(required=True, metavar="WHAT")
    verb = add_verb(kinds, "fsdd", "fetch FSDD, 27 MB", data_fsdd, "specaug data fsdd --download")
    verb.add_argument("--download", action="store_true", help="from its public repository, with git")
    verb.add_argument("--data", type=Path, metavar="DIR", help="into this folder (SPECAUG_DATA, else data/)")
    verb.add_argument("--source", metavar="URL", help="instead of the public repository")
    verb = add_verb(
        kinds, "make", "make the corpus and the features of a recipe", data_make, "specaug data make RECIPE"
    )
    add_recipe(verb)
    verb = add_verb(
        kinds, "check", "print what is wrong with a manifest", data_check, "specaug data check train.jsonl"
    )
    verb.add_argument("manifest", type=Path)
    verb.add_argument("--alphabet", metavar="CHARACTERS", help="allowed in transcripts (any)")
    example = "specaug data convert kaldi data/train train.jsonl"
    verb = add_verb(
        kinds, "convert", "write a manifest of a Kaldi folder or lhotse cuts", data_convert, example
    )
    verb.add_argument("kind", choices=("kaldi", "lhotse"))
    verb.add_argument("source", type=Path)
    verb.add_argument("manifest", type=Path)


def data_fsdd(arguments: argparse.Namespace) -> int:
    """Fetch the recordings, or say where they are looked for."""
    from specaug.speech.corpora.fetch import FSDD, fetch_fsdd

    folder = arguments.data or Path(os.environ.get("SPECAUG_DATA") or "data")
    if not arguments.download:
        raise UserError("data fsdd: expected --download, or the recordings in DIR/free-spoken-digit-dataset")
    sys.stdout.write(f"{fetch_fsdd(folder, arguments.source or FSDD)}\n")
    return 0


def data_make(arguments: argparse.Namespace) -> int:
    """Make the corpus and the features, with every check that training would make."""
    from specaug.study.load import load
    from specaug.study.screen import Screen

    recipe = load(arguments.recipe, arguments.overrides)
    with Screen(1) as screen:
        from specaug.study.run import Run, check

        data = check(Run(arguments.recipe.stem, recipe.run(), places(arguments)), screen.loading)
    for part, ready in data.parts.items():
        seconds = sum(u.duration for u in ready.utterances)
        sys.stdout.write(f"{part}\t{len(ready.ids)} utterances\t{seconds:.0f} s\n")
    for problem in data.skipped:
        sys.stdout.write(f"skipped\t{problem}\n")
    return 0


def data_check(arguments: argparse.Namespace) -> int:
    """One problem a line."""
    from specaug.speech.check import Expected, check_manifest

    problems = list(check_manifest(arguments.manifest, Expected(alphabet=arguments.alphabet)))
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    return 2 if problems else 0


def data_convert(arguments: argparse.Namespace) -> int:
    """Write the manifest."""
    from specaug.speech.convert import from_kaldi, from_lhotse
    from specaug.speech.manifest import write_manifest

    utterances = {"kaldi": from_kaldi, "lhotse": from_lhotse}[arguments.kind](arguments.source)
    write_manifest(arguments.manifest, utterances)
    sys.stdout.write(f"{arguments.manifest}\t{len(utterances)} utterances\n")
    return 0


def add_init(verbs: Any) -> None:
    """`specaug init`."""
    what = "lay out a laboratory: experiments/, models/, sweeps/"
    verb = add_verb(verbs, "init", what, init, "specaug init my-laboratory")
    verb.add_argument("folder", type=Path, metavar="DIR")


def init(arguments: argparse.Namespace) -> int:
    """Lay out a laboratory and name its files."""
    from specaug.study import laboratory

    sys.stdout.write("".join(f"{file}\n" for file in laboratory.init(arguments.folder)))
    return 0
