"""The command line: verbs and nothing else. What is slow to import is imported by the verb that needs it."""

import argparse
import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from specaug.cli import dashboard, data, plan, pretrain, report, reproduce, runs, show, sweep, tables, triage
from specaug.cli.common import Parser, add_verb, complain
from specaug.errors import Diverged, UserError

EXAMPLES = """examples:
  specaug ablate experiments/demo.yaml                       None, LB and LD on synthetic speech, in minutes
  specaug ablate experiments/fsdd.yaml --seeds 0,1 --workers 2
  specaug train experiments/fsdd.yaml policy=LD policy.F=15 seed=3
  specaug train experiments/fsdd.yaml policy=LD --print-config
  specaug sweep sweeps/spoken-widths.yaml --workers 2        search mask widths and counts
  specaug reproduce table-2 --list                           the paper's rows, their recipes, what is done
  specaug pretrain experiments/pretraining/fsdd.yaml         masked spectrograms; for network.init of the others
  specaug compare runs/fsdd --by speaker --words             by how much, how sure, and for whom
  specaug report runs/fsdd                                   the same as a page, with every utterance
  specaug plan --effect 0.5 --runs runs/fsdd                 the seeds that it takes to see half a point
  specaug dashboard fsdd                                     a W&B workspace; --push: the comparison
  specaug triage export runs/fsdd --policy LD --out triage   errors with their spectrograms, for Label Studio
  specaug show LD --audio a.wav --out a.png                  what a policy does to an utterance
  specaug show --policies                                    what each policy hides on average
  specaug data fsdd --download
  specaug data librispeech --download --parts train-clean-100,dev-clean
  specaug data check my/train.jsonl
"""


UNREAD = 141  # the status of a program whose reader has left


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the status is 0, 1 where runs failed, 2 for a user's mistake, 130 for Ctrl-C."""
    given = sys.argv[1:] if argv is None else list(argv)
    top = parser()
    arguments, rest = top.parse_known_args(
        sweep.joined(given)
    )  # argparse takes no overrides behind an option
    if any(word.startswith("-") or not hasattr(arguments, "overrides") for word in rest):
        arguments.parser.unknown(shown(rest))
    if rest:
        arguments.overrides += rest
    try:
        status = int(arguments.verb(arguments))
        sys.stdout.flush()
        return status
    except Diverged as error:
        return complain(str(error), 1)
    except UserError as error:
        return complain(str(error), 2)
    except BrokenPipeError:  # whoever read this has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except OSError as error:
        return complain(f"{error.filename or 'a file'}: {error.strerror or error}", 2)
    except KeyboardInterrupt:
        return complain(
            f"interrupted; what is done is kept. To go on: specaug {shlex.join(shown(given))}", 130
        )


def shown(words: Sequence[str]) -> Sequence[str]:
    """The words of a command without the passwords in its URLs."""
    if not any("://" in word for word in words):
        return words
    from specaug.study.sweep.storage import hidden

    return [re.sub(r"\w[\w+]*://.*", lambda url: hidden(url[0]), word, flags=re.DOTALL) for word in words]


class Version(argparse.Action):
    """Prints the version, which is looked up when it is asked for: where nothing is installed there is none."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print it and leave."""
        from importlib.metadata import version

        sys.stdout.write(f"{parser.prog} {version('specaug')}\n")
        parser.exit()


def parser() -> Parser:
    """The verbs and their options."""
    top = Parser(
        prog="specaug",
        description="Augmentation ablations in speech recognition.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=Version, nargs=0, help="print the version and stop")
    verbs = top.add_subparsers(required=True, metavar="VERB")
    runs.add_train(verbs)
    runs.add_ablate(verbs)
    sweep.add_sweep(verbs)
    reproduce.add_reproduce(verbs)
    pretrain.add_pretrain(verbs)
    tables.add_tables(verbs)
    report.add_report(verbs)
    plan.add_plan(verbs)
    dashboard.add_dashboard(verbs)
    triage.add_triage(verbs)
    data.add_data(verbs)
    show.add_show(verbs)
    add_init(verbs)
    return top


def add_init(verbs: Any) -> None:
    """`specaug init`."""
    what = "lay out a laboratory: experiments/, models/, sweeps/"
    verb = add_verb(verbs, "init", what, init, "specaug init my-laboratory")
    verb.add_argument("folder", type=Path, metavar="DIR", help="a folder that may be new")


def init(arguments: argparse.Namespace) -> int:
    """Lay out a laboratory and name its files."""
    from specaug.study import laboratory

    sys.stdout.write("".join(f"{file}\n" for file in laboratory.init(arguments.folder)))
    return 0
