"""`specaug show`: what a policy does, as a picture or in numbers."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specaug.cli.common import add_verb
from specaug.errors import UserError

if TYPE_CHECKING:
    from specaug.augment.policy import Policy

LENGTHS = (200, 400, 800, 1200, 1600)  # frames of 10 ms
MEL = 80
FORMATS = (".png", ".svg", ".pdf")
# What options are where they are not given, by what they are of.
PICTURE = {"audio": None, "out": None, "id": "", "seed": 0, "epoch": 0, "animate": 1}
NUMBERS = {"lengths": ",".join(map(str, LENGTHS)), "format": "text"}
NO_FORM = "there is no closed form for what is hidden"


def add_show(verbs: Any) -> None:
    """`specaug show`."""
    example = "\n  ".join(
        (
            "specaug show LD --audio a.wav --out a.png",
            "specaug show LD scale=0.25 F=15 --audio a.wav --out a.gif --animate 8",
            "specaug show --policies --lengths 300,1000",
        )
    )
    verb = add_verb(
        verbs, "show", "show what a policy does to an utterance, or how much it hides", show, example
    )
    verb.add_argument(
        "policy", nargs="?", default="", metavar="POLICY", help="LB, LD, SM, SS, Conformer, ..."
    )
    verb.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="scale=0.25 F=15 operations=[SpecSub]"
    )
    verb.add_argument("--audio", type=Path, metavar="FILE", help="the utterance: WAV, FLAC or Ogg")
    verb.add_argument(
        "--out", type=Path, metavar="FILE", help="the picture: .png, .svg, .pdf; .gif with --animate"
    )
    verb.add_argument(
        "--id",
        help="of the utterance in training, to see the masks of its seed and epoch (FILE's name)",
    )
    verb.add_argument("--seed", type=int)
    verb.add_argument("--epoch", type=int)
    verb.add_argument("--animate", type=int, metavar="N", help="N epochs from --epoch on, as a GIF")
    verb.add_argument(
        "--policies",
        action="store_true",
        help="print all named policies with what they hide at full strength",
    )
    verb.add_argument(
        "--lengths",
        metavar="N,...",
        help="of utterances, in frames of 10 ms",
    )
    verb.add_argument("--mel", type=int, default=MEL, help="channels")
    verb.add_argument("--format", choices=("text", "tsv"))
    verb.set_defaults(**PICTURE, **NUMBERS)


def show(arguments: argparse.Namespace) -> int:
    """Write a picture, or print the table."""
    if arguments.mel < 1:
        raise UserError(f"--mel is {arguments.mel}; expected at least 1 channel")
    if arguments.animate < 1:
        raise UserError(f"--animate is {arguments.animate}; expected at least 1 epoch")
    if arguments.policies:
        refuse(arguments, PICTURE, "--policies prints numbers", "a picture")
        sys.stdout.write(table(arguments))
        return 0
    if not arguments.policy:
        raise UserError("show takes a policy, --audio and --out; or --policies (see specaug show --help)")
    refuse(arguments, NUMBERS, "--audio makes a picture", "numbers, with --policies")
    from specaug.study.choose import chosen

    choice = chosen(arguments.policy, arguments.overrides)
    policy = choice.policy()
    require_files(arguments)
    from specaug.speech.options import Features
    from specaug.study.picture import read, save

    options = Features(mel=arguments.mel)
    spoken = read(arguments.audio, options, arguments.id)
    if not len(spoken.features):
        raise UserError(f"--audio is {arguments.audio}, too short; expected at least {options.window} s")
    require_channels(policy, arguments.mel)
    epochs = range(arguments.epoch, arguments.epoch + arguments.animate)
    save(spoken, choice.title(), policy, arguments.seed, epochs, arguments.out, choice.strength)
    sys.stdout.write(f"{arguments.out}\n")
    return 0


def refuse(arguments: argparse.Namespace, usual: Mapping[str, Any], this: str, that: str) -> None:
    """Raise UserError at an option that would be passed over, being of the other thing that `show` makes."""
    for option, value in usual.items():
        if getattr(arguments, option) != value:
            raise UserError(f"{this}, and --{option} is of {that}; expected one of the two")


def require_channels(policy: "Policy", mel: int) -> None:
    """Raise UserError where a policy needs more channels than there are."""
    if policy.channels > mel:
        raise UserError(f"{policy} needs {policy.channels} mel channels; --mel is {mel}")


def require_files(arguments: argparse.Namespace) -> None:
    """Raise UserError where a file is not named, or the picture's name has no ending of its kind."""
    for option, what in (("audio", "the utterance, as in a.wav"), ("out", "the picture, as in a.png")):
        if getattr(arguments, option) is None:
            raise UserError(f"--{option} is missing; expected {what} (or --policies, for numbers)")
    formats = FORMATS if arguments.animate == 1 else (".gif",)
    if arguments.out.suffix.lower() not in formats:
        raise UserError(f"--out is {arguments.out}; expected a name that ends in {', '.join(formats)}")
    if not arguments.out.parent.is_dir():
        raise UserError(
            f"--out is {arguments.out}; expected a folder that exists, and {arguments.out.parent} does not"
        )
    if arguments.audio.is_dir():
        raise UserError(f"--audio is {arguments.audio}, a folder; expected the utterance, as in a.wav")


def table(arguments: argparse.Namespace) -> str:
    """The policies and the expected shares that they hide, one line a policy and length."""
    from specaug.augment.policy import NAMED
    from specaug.study.choose import chosen
    from specaug.study.tables.table import aligned

    try:
        lengths = [int(length) for length in arguments.lengths.split(",")]
    except ValueError:
        lengths = []
    if not lengths or min(lengths) < 1:
        raise UserError(
            f"--lengths are {arguments.lengths}; expected whole numbers of frames, as in 300,1000"
        )
    choices = [chosen(name, ()) for name in NAMED]
    if arguments.policy:
        choices = [chosen(arguments.policy, arguments.overrides)]
        require_channels(choices[0].policy(), arguments.mel)
    rows = []
    unknown: dict[str, dict[str, None]] = {}  # why shares are not known, and of which policies
    for choice in choices:
        policy, title = choice.policy(), choice.title()
        for length in lengths:
            fits = policy.channels <= arguments.mel
            hidden = policy.coverage([length], arguments.mel) if fits else None
            shares = ["?"] * 3
            if hidden is not None:
                shares = [f"{100 * share:.1f}" for share in (hidden.cells, hidden.frames, hidden.channels)]
            else:
                reason = NO_FORM if fits else f"more mel channels are needed than --mel says, {arguments.mel}"
                unknown.setdefault(reason, {})[title] = None
            rows.append((title, str(length), *shares, str(policy)))
    header = ("policy", "length", "cells %", "frames %", "channels %", "symbols")
    if arguments.format == "tsv":
        return "".join("\t".join(row) + "\n" for row in (header, *rows))
    notes = [f"? {reason}: {', '.join(titles)}\n" for reason, titles in unknown.items()]
    return "".join((aligned((header, *rows)), "\n", *notes))
