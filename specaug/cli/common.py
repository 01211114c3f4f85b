"""What the verbs have in common."""

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from specaug.errors import UserError
from specaug.study.loggers import LOGGERS, Logs
from specaug.study.nearest import hint, meant

WIDTH = 110  # columns of text
# The names of published.tables, which is slow to import.
TABLES = ("table-2", "table-3", "table-4", "table-5", "table-6", "park-2020")

MISSING = "the following arguments are required: "  # as argparse says it


def complain(message: str, status: int) -> int:
    """One line on standard error."""
    sys.stderr.write(f"specaug: {' '.join(message.split())}\n")
    return status


class Parser(argparse.ArgumentParser):
    """Tells a mistake in a command in one line, as verbs do theirs; its verbs' parsers are of its kind."""

    def error(self, message: str) -> NoReturn:
        """Tell it, and leave with status 2."""
        if message.startswith(MISSING):
            name = message.removeprefix(MISSING).split(", ")[0]
            (missing,) = (one for one in self._actions if name in (one.metavar, *one.option_strings))
            verbs = f"one of {', '.join(missing.choices or ())}"
            message = f"no {name}; expected {missing.help or verbs}"
        elif choice := re.fullmatch(r"argument (.+): invalid choice: '(.*)' \(choose from (.*)\)", message):
            known = [one.strip(" '") for one in choice[3].split(",")]
            message = f"{choice[1]} is {choice[2]!r}{hint(choice[2], known)}"
        else:
            message = f"{message}; see {self.prog} --help"
        raise SystemExit(complain(message, 2))

    def unknown(self, words: Sequence[str]) -> NoReturn:
        """Tell that it takes no such words, and what the first was probably meant to be."""
        near = meant(words[0].partition("=")[0], self._option_string_actions, 0.7)  # all begin alike
        instead = near or f"; see {self.prog} --help"
        raise SystemExit(complain(f"{self.prog} takes no {' '.join(words)}{instead}", 2))


def add_verb(
    verbs: Any, name: str, what: str, run: Callable[[argparse.Namespace], int], example: str
) -> argparse.ArgumentParser:
    """A verb with its help and one example."""
    verb = _explained(verbs, name, what, example)
    verb.set_defaults(verb=run, parser=verb)
    return verb


def add_group(verbs: Any, name: str, what: str, example: str, metavar: str) -> Any:
    """A verb that has verbs of its own, with its help and one example."""
    return _explained(verbs, name, what, example).add_subparsers(required=True, metavar=metavar)


def _explained(verbs: Any, name: str, what: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def add_recipe(verb: argparse.ArgumentParser, overrides: str) -> None:
    """What the verbs of a recipe have in common; `overrides` are some that this one takes."""
    verb.add_argument("recipe", type=Path, metavar="RECIPE", help="a YAML file in a laboratory")
    verb.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help=overrides)
    verb.add_argument("--print-config", action="store_true", help="print the resolved recipe and stop")
    add_folders(verb)


def refuse(overrides: Sequence[str], verb: str, instead: Mapping[str, str]) -> None:
    """Raise UserError at an override that would be passed over, being for another verb, and say what to write instead."""
    for override in overrides:
        key = override.partition("=")[0].partition(".")[0]
        if key in instead:
            raise UserError(f"override {override!r}: {key} is for `specaug {verb}`; expected {instead[key]}")


def add_data(verb: argparse.ArgumentParser) -> None:
    """Where corpora are made from."""
    verb.add_argument(
        "--data", type=Path, metavar="DIR", help="sources of corpora (SPECAUG_DATA, else data/)"
    )


def add_folders(verb: argparse.ArgumentParser) -> None:
    """Where runs read and write."""
    add_data(verb)
    verb.add_argument(
        "--runs", type=Path, metavar="DIR", help="where runs are written (SPECAUG_RUNS, else runs/)"
    )


def add_origin(verb: argparse.ArgumentParser) -> None:
    """Where the corpus of finished runs is."""
    verb.add_argument(
        "--laboratory", type=Path, metavar="DIR", help="that the runs are of, where not above them"
    )
    add_data(verb)


def add_logger(verb: argparse.ArgumentParser) -> None:
    """Where curves are shown."""
    verb.add_argument(
        "--logger", choices=LOGGERS, default="wandb", help="what shows the curves as well (wandb, offline)"
    )
    verb.add_argument("--online", action="store_true", help="send curves to W&B while training")


def chosen(arguments: argparse.Namespace) -> Logs:
    """The logger that is meant. Raises UserError where its package is missing."""
    return Logs(arguments.logger, arguments.online).check()


def places(arguments: argparse.Namespace) -> Any:
    """Where things lie for the laboratory of the recipe."""
    from specaug.study.laboratory import find
    from specaug.study.places import Places

    return Places.of(find(arguments.recipe), arguments.data, arguments.runs)


def show(folders: Sequence[Path], form: str, baseline: str | None) -> int:
    """Print the comparison of the runs in some folders."""
    from specaug.study.comparing.compare import compare as compared
    from specaug.study.tables import table

    sys.stdout.write(table.FORMATS[form](compared(folders, baseline)))
    return 0
