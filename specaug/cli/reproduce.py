"""`specaug reproduce`: the rows of a paper's table, listed, trained and printed beside the paper's."""

import argparse
import sys
from pathlib import Path
from typing import Any

from specaug.cli.common import TABLES, add_folders, add_logger, add_verb, chosen, complain, refuse
from specaug.cli.launchers import NO_STUDY, add_launcher, add_storage, agree, here, made
from specaug.cli.runs import RUN
from specaug.errors import UserError

OWN = "none, for each row has a policy of its own"


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
    verb.add_argument("table", metavar="TABLE", help=f"one of {', '.join(TABLES)}")
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
    from specaug.study import laboratory
    from specaug.study.places import Places
    from specaug.study.published.tables import chosen as rows_of
    from specaug.study.published.tables import table
    from specaug.study.results import find_runs
    from specaug.study.tables import plain_table

    refuse(arguments.overrides, "train", {"policy": OWN, "seed": RUN["seed"]})
    refuse(arguments.overrides, "ablate", {"policies": OWN})
    whole = table(arguments.table)
    rows = rows_of(whole, arguments.rows)
    at = Places.of(laboratory.at(arguments.laboratory or Path()), arguments.data, arguments.runs)
    experiments = at.laboratory / "experiments"
    if arguments.list:
        from specaug.study.published.listing import listing

        told = listing(arguments.table, whole, rows, experiments, at, arguments.overrides)
        sys.stdout.write(plain_table.FORMATS[arguments.format](told))
        return 0
    status = trained(arguments, whole, rows, at)
    from specaug.study.published.beside import beside

    folder = at.runs / arguments.table
    done = find_runs([folder]).finished if folder.is_dir() else []
    told = beside(whole, rows, done, experiments, arguments.overrides)
    sys.stdout.write(plain_table.FORMATS[arguments.format](told))
    return status


def trained(arguments: argparse.Namespace, whole: Any, rows: Any, at: Any) -> int:
    """Look at all rows, then train them; the status: 1 where runs failed, 2 where a row cannot be trained, else 0.

    Where one cannot, none is.
    """
    from specaug.study.ablation import titled
    from specaug.study.published.checked import checked
    from specaug.study.screen import Screen

    agree(arguments)
    logs, failures = chosen(arguments), []
    with Screen(0) as screen:
        folder = at.laboratory / "experiments"
        fine, faults = checked(arguments.table, whole, rows, folder, at, arguments.overrides, screen)
        for together in () if faults else [fine] if here(arguments) else [[one] for one in fine]:
            try:
                failures += made(arguments, together, at, logs, screen)
            except UserError as error:  # of one row's study: the others go on
                faults.append(str(error))
    for one in failures:
        complain(f"{titled(one.run)} failed: {one.why}", 1)
    for fault in faults:
        complain(fault, 2)
    return 2 if faults else 1 if failures else 0
