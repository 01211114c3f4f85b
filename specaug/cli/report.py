"""`specaug report`: one page about finished runs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from specaug.cli.common import add_origin, add_verb
from specaug.errors import UserError

UTTERANCES, EPOCHS = 24, 50
PAGE = "report.html"  # in the folder of the runs


def add_report(verbs: Any) -> None:
    """`specaug report`."""
    example = "specaug report runs/fsdd --out page.html"
    what = "write a page about finished runs: tables, curves, groups, and every utterance"
    verb = add_verb(verbs, "report", what, report, example)
    some = "folders with runs in them, or with those of a pretraining: runs/pretraining/NAME"
    verb.add_argument("runs", nargs="+", type=Path, metavar="RUNS", help=some)
    verb.add_argument("--out", type=Path, metavar="FILE", help=f"the page (RUNS/{PAGE})")
    verb.add_argument("--baseline", metavar="POLICY", help="the policy compared with (None, else the first)")
    heard = f"how many can be heard, those with most errors and most changed by policy ({UTTERANCES}); 0: texts only"
    verb.add_argument("--utterances", type=int, default=UTTERANCES, metavar="N", help=heard)
    seen = f"the first N, whose masks can be looked at ({EPOCHS})"
    verb.add_argument("--epochs", type=int, default=EPOCHS, metavar="N", help=seen)
    add_origin(verb)


def report(arguments: argparse.Namespace) -> int:
    """Write the page and name it."""
    for name in ("utterances", "epochs"):
        if (value := getattr(arguments, name)) < 0:
            raise UserError(f"--{name} is {value}; expected 0 or more")
    from specaug.study.page.report import Wanted
    from specaug.study.page.report import report as write
    from specaug.study.places import Places
    from specaug.study.screen import Screen

    first = arguments.runs[0]
    wanted = Wanted(arguments.baseline, arguments.utterances, arguments.epochs)
    at = Places.of(arguments.laboratory or above(first), arguments.data)
    with Screen(1) as screen:
        out = write(arguments.runs, arguments.out or first / PAGE, at, wanted, screen.loading)
    sys.stdout.write(f"{out}\n")
    return 0


def paged(runs: Sequence[Path], out: Path, at: Any) -> Path:
    """The page with which an ablation ends."""
    from specaug.study.page.report import Wanted
    from specaug.study.page.report import report as write

    return write(runs, out, at, Wanted(None, UTTERANCES, EPOCHS))


def above(folder: Path) -> Path:
    """The laboratory that a folder lies in; without one, where we are."""
    from specaug.study.laboratory import around

    return around(folder) or Path.cwd()
