"""`specaug compare`, `keep` and `tables`: what is made of finished runs."""

import argparse
import sys
from pathlib import Path
from typing import Any

from specaug.cli.common import add_verb, complain, show
from specaug.errors import UserError

FORMATS = ("text", "markdown", "tsv", "csv", "latex")  # table.FORMATS, which is slow to import
GROUPED = ("text", "markdown", "tsv")  # groups_table.FORMATS
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
    example = "specaug keep runs/fsdd docs/results/fsdd"
    verb = add_verb(verbs, "keep", "copy what a table needs of finished runs", keep, example)
    verb.add_argument("runs", type=Path, metavar="RUNS")
    verb.add_argument("folder", type=Path, metavar="FOLDER")
    example = "specaug tables docs/results.md --check"
    verb = add_verb(verbs, "tables", "make the tables of a document from kept runs", tables, example)
    verb.add_argument("document", type=Path, metavar="DOCUMENT")
    verb.add_argument("--check", action="store_true", help="write nothing; status 1 where a table differs")


def compare(arguments: argparse.Namespace) -> int:
    """Print the table, or what is asked about groups and words."""
    if not (arguments.by or arguments.words or arguments.models):
        return show(arguments.runs, arguments.format, arguments.baseline)
    if arguments.format not in GROUPED:
        expected = " or ".join(GROUPED)
        raise UserError(f"--format {arguments.format} with --by, --words or --models; expected {expected}")
    from specaug.study.comparing.gathered import gathered
    from specaug.study.tables import models_table
    from specaug.study.tables.groups_table import FORMATS, Report

    found = gathered(arguments.runs, arguments.baseline)
    if arguments.models:
        sys.stdout.write(models_table.FORMATS[arguments.format](found))
    if not (arguments.by or arguments.words):
        return 0
    sys.stdout.write(FORMATS[arguments.format](Report.of(found, arguments.by, arguments.words)))
    return 0


def keep(arguments: argparse.Namespace) -> int:
    """Copy finished runs into a folder that can be committed."""
    from specaug.study.results import find_runs
    from specaug.study.tables.document import keep_run

    found = find_runs([arguments.runs]).finished
    if not found:
        raise UserError(f"{arguments.runs}: no finished run; expected folders with result.json")
    for result in found:
        sys.stdout.write(f"{keep_run(result.folder, arguments.folder)}\n")
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
