"""`specaug reproduce`: the rows of a paper's table, listed, trained and printed beside the paper's."""

import argparse
import sys
from pathlib import Path
from typing import Any

from specaug.cli.common import add_folders, add_logger, add_verb, chosen, complain
from specaug.cli.launchers import NO_STUDY, add_launcher, add_storage, agree, launched


def add_reproduce(verbs: Any) -> None:
    """`specaug reproduce`."""
    example = "\n  ".join(
        (
            "specaug reproduce table-2 --list",
            "specaug reproduce table-2 --rows 1-3 --data DIR training.devices=8 training.accumulate=4",
        )
    )
    what = "train the rows of a published table, and print ours beside them"
    verb = add_verb(verbs, "reproduce", what, reproduce, example)
    verb.add_argument("table", metavar="TABLE", help="table-2, ..., table-6 of Park et al. 2019")
    verb.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="of every row's recipe: seeds=0,1,2")
    verb.add_argument("--rows", default="", metavar="1,4-6", help="some of its rows (all)")
    verb.add_argument(
        "--list", action="store_true", help="train nothing: the rows, their recipes, what is done"
    )
    verb.add_argument("--laboratory", type=Path, metavar="DIR", help="that holds experiments/ (the one here)")
    verb.add_argument("--format", choices=("text", "markdown", "tsv", "csv"), default="text")
    add_folders(verb)
    add_logger(verb)
    add_launcher(verb)
    add_storage(verb, NO_STUDY)


def reproduce(arguments: argparse.Namespace) -> int:
    """Train what is not finished of the rows; what is goes to standard output, beside the paper's."""
    from specaug.study.laboratory import find
    from specaug.study.places import Places
    from specaug.study.published.tables import chosen as rows_of
    from specaug.study.published.tables import table
    from specaug.study.results import find_runs
    from specaug.study.tables import plain_table

    whole = table(arguments.table)
    rows = rows_of(whole, arguments.rows)
    laboratory = find((arguments.laboratory or Path()) / "experiments" / "any.yaml")
    at = Places.of(laboratory, arguments.data, arguments.runs)
    experiments = laboratory / "experiments"
    if arguments.list:
        from specaug.study.published.listing import listing

        told = listing(arguments.table, whole, rows, experiments, at, arguments.overrides)
        sys.stdout.write(plain_table.FORMATS[arguments.format](told))
        return 0
    failed = sum(trained(arguments, experiments / row.recipe, at) for row in rows)
    from specaug.study.published.beside import beside

    done = find_runs([at.runs / arguments.table]).finished
    sys.stdout.write(
        plain_table.FORMATS[arguments.format](beside(whole, rows, done, experiments, arguments.overrides))
    )
    return 1 if failed else 0


def trained(arguments: argparse.Namespace, recipe_file: Path, at: Any) -> int:
    """Train the runs of one row; how many failed."""
    from specaug.study.load import load
    from specaug.study.screen import Screen

    agree(arguments)
    recipe, name = load(recipe_file, arguments.overrides), f"{arguments.table}/{recipe_file.stem}"
    logs = chosen(arguments)
    with Screen(0) as screen:
        screen.say(f"{recipe_file}: checking the recipe and the data")
        _, failures = launched(arguments, name, recipe, at, logs, screen)
    for one in failures:
        complain(f"{one.run.name} failed: {one.why}", 1)
    return len(failures)
