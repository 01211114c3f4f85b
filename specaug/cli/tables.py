"""`specaug compare`, `keep` and `tables`: what is made of finished runs."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from specaug.cli.common import TABLES, add_verb, complain, show
from specaug.errors import UserError

FORMATS = ("text", "markdown", "tsv", "csv", "latex")  # table.FORMATS, which is slow to import
GROUPED = ("text", "markdown", "tsv", "csv")  # groups_table.FORMATS and plain_table.FORMATS
BLOCKS = ("models", "pairs", "by", "words", "published")  # what can be asked for instead of the table
WORDS = 10


def add_tables(verbs: Any) -> None:
    """`specaug compare`, and what is made of it."""
    verb = add_verb(
        verbs, "compare", "print the table of finished runs", compare, "specaug compare runs/fsdd"
    )
    verb.add_argument("runs", nargs="+", type=Path, metavar="RUNS", help="folders with runs in them")
    verb.add_argument("--format", choices=FORMATS, default="text")
    verb.add_argument("--baseline", metavar="POLICY", help="the policy compared with (None, else the first)")
    by = "by the values of a column instead: speaker, words, or a further column of the manifest; repeatable"
    verb.add_argument("--by", action="append", default=[], metavar="COLUMN", help=by)
    words = f"the words and confusions that a policy changed most; so many of each ({WORDS})"
    verb.add_argument("--words", nargs="?", type=_count, const=WORDS, default=0, metavar="N", help=words)
    verb.add_argument(
        "--models",
        action="store_true",
        help="trained models in pairs instead, seed by seed: MAPSSWE, bootstrap",
    )
    verb.add_argument(
        "--pairs",
        choices=("all", "networks", "gains"),
        help="every policy against every other one instead of the baseline, every network (by its name in the table, "
        "with what it began with and was trained on) against every other one with the same policy, or what each policy "
        "gains over the baseline with one network against what it gains with another",
    )
    papers = f"beside the rows of a paper's table: {', '.join(TABLES)}"
    verb.add_argument("--published", metavar="TABLE", help=papers)
    example = "specaug keep runs/fsdd docs/results/fsdd"
    verb = add_verb(verbs, "keep", "copy what a table needs of finished runs", keep, example)
    some = "a folder with runs in it; those of a pretraining are in runs/pretraining/NAME"
    verb.add_argument("runs", type=Path, metavar="RUNS", help=some)
    verb.add_argument("folder", type=Path, metavar="FOLDER", help="a folder for the copies")
    example = "specaug tables docs/results.md --check"
    verb = add_verb(verbs, "tables", "make the tables of a document from kept runs", tables, example)
    verb.add_argument("document", type=Path, metavar="DOCUMENT", help="a Markdown file with tables")
    verb.add_argument("--check", action="store_true", help="write nothing; status 1 where a table differs")


def compare(arguments: argparse.Namespace) -> int:
    """Print the table, or what is asked of it in other ways."""
    asked = [name for name in BLOCKS if getattr(arguments, name)]
    if not asked:
        return show(arguments.runs, arguments.format, arguments.baseline)
    if asked == ["published"] and arguments.baseline is not None:
        told = f"--baseline is {arguments.baseline!r} with --published alone"
        raise UserError(f"{told}; expected none, for a paper's rows are compared with no baseline")
    given = f"--format {arguments.format} with {' and '.join(f'--{name}' for name in asked)}"
    if arguments.format not in GROUPED:
        raise UserError(f"{given}; expected {' or '.join(GROUPED)}")
    if arguments.format == "csv" and len(asked) > 1:
        raise UserError(f"{given}; expected one of them, for a file is one table")
    sys.stdout.writelines(_blocks(arguments, asked))
    return 0


def _blocks(arguments: argparse.Namespace, asked: Sequence[str]) -> Iterator[str]:
    if "published" in asked:
        yield _published(arguments)
    if asked == ["published"]:
        return
    from specaug.study.comparing.gathered import gathered_from
    from specaug.study.comparing.pairs import paired
    from specaug.study.comparing.reading import read_runs
    from specaug.study.tables import groups_table, models_table, pairs_table, plain_table

    found = read_runs(arguments.runs, arguments.baseline)
    plain = plain_table.FORMATS[arguments.format]
    if "models" in asked:
        yield plain(models_table.plain(gathered_from(found)))
    if "pairs" in asked:
        yield plain(
            pairs_table.plain(paired(found, "policies" if arguments.pairs == "all" else arguments.pairs))
        )
    if arguments.by or arguments.words:
        report = groups_table.Report.of(gathered_from(found), arguments.by, arguments.words)
        yield groups_table.FORMATS[arguments.format](report)


def _published(arguments: argparse.Namespace) -> str:
    from specaug.study.laboratory import source
    from specaug.study.published.beside import beside
    from specaug.study.published.tables import table
    from specaug.study.results import find_runs
    from specaug.study.tables import plain_table

    whole = table(arguments.published)
    found = find_runs(arguments.runs).finished
    if not found:
        where = ", ".join(map(str, arguments.runs))
        raise UserError(f"{where}: no finished run; expected folders with result.json")
    told = beside(whole, whole.rows, found, source() / "experiments")
    return plain_table.FORMATS[arguments.format](told)


def keep(arguments: argparse.Namespace) -> int:
    """Copy finished runs into a folder that can be committed."""
    from specaug.study.folders import RESULT, run_folders
    from specaug.study.pretraining.results import pictured, read_any
    from specaug.study.tables.document import keep_run

    found = [folder for folder in run_folders([arguments.runs]) if (folder / RESULT).is_file()]
    if not found:
        raise UserError(f"{arguments.runs}: no finished run; expected folders with result.json")
    shown = pictured([read_any(folder) for folder in found])  # all are read before the first is copied
    for folder in found:
        sys.stdout.write(f"{keep_run(folder, arguments.folder, picture=folder in shown)}\n")
    return 0


def tables(arguments: argparse.Namespace) -> int:
    """Make a document's tables again."""
    from specaug.study.tables.document import refresh

    same = refresh(arguments.document, Path.cwd(), arguments.check)
    if arguments.check and not same:
        return complain(
            f"{arguments.document}: its tables are not those of the kept runs; run `specaug tables` on it", 1
        )
    return 0


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(
            f"expected a number from 1 on, got {text!r}; folders come before --words"
        )
    return int(text)
