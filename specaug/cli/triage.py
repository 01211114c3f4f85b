"""`specaug triage`: errors to Label Studio, and back from it."""

import argparse
import sys
from pathlib import Path
from typing import Any

from specaug.cli.common import add_group, add_origin, add_verb
from specaug.errors import UserError
from specaug.study.plural import counted

WORST = 50


def add_triage(verbs: Any) -> None:
    """`specaug triage export` and `specaug triage import`."""
    example = "specaug triage export runs/fsdd --policy LD --out triage"
    what = "look at errors in Label Studio, and correct references"
    steps = add_group(verbs, "triage", what, example, "STEP")
    add_export(steps)
    add_import(steps)


def add_export(steps: Any) -> None:
    """`specaug triage export`."""
    example = "\n  ".join(
        (
            "specaug triage export runs/fsdd --policy LD --part unseen --out triage",
            "specaug triage export runs/fsdd --changed LB,LD --out triage",
            "\nThen, in Label Studio: create a project, paste triage/config.xml into Labeling Setup > Custom",
            "template > Code, and import triage/tasks.json, which holds the audio. With --root DIR it holds paths",
            "instead: start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and",
            "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=DIR, and add triage/audio to the project as Local Files storage.",
        )
    )
    what = "write misrecognised utterances as tasks for Label Studio"
    verb = add_verb(steps, "export", what, export, example)
    verb.add_argument("runs", nargs="+", type=Path, metavar="RUNS", help="folders with runs in them")
    verb.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a folder for the tasks")
    verb.add_argument("--worst", type=int, default=WORST, metavar="N", help=f"how many at most ({WORST})")
    verb.add_argument("--policy", metavar="P", help="whose errors; needed where there are several")
    verb.add_argument("--changed", metavar="A,B", help="what A got right and B, with the same seed, wrong")
    verb.add_argument("--part", metavar="PART", help="of the corpus, instead of all")
    verb.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="Label Studio's document root, to name files instead of embedding",
    )
    add_origin(verb)


def export(arguments: argparse.Namespace) -> int:
    """Write the folder; what has no region, and what is left out, is said on standard error."""
    if arguments.worst < 1:
        raise UserError(f"--worst is {arguments.worst}; expected at least 1")
    if arguments.changed and arguments.policy:
        raise UserError("--changed names its policies; expected no --policy beside it")
    from specaug.study.comparing.reading import read_runs
    from specaug.study.screen import Screen
    from specaug.study.tables.remarks import left_out
    from specaug.study.triage import cases

    read = read_runs(arguments.runs)
    found = cases.cases_of(read, arguments.part)
    if arguments.changed:
        right, comma, wrong = arguments.changed.partition(",")
        if not (comma and right and wrong):
            raise UserError(f"--changed is {arguments.changed!r}; expected two policies, as LB,LD")
        chosen = cases.changed(found, right.strip(), wrong.strip(), arguments.worst)
    else:
        chosen = cases.worst(found, arguments.policy, arguments.worst)
    with Screen(1) as screen:
        for line in left_out(read.unfinished, read.notes):
            screen.say(line)
        from specaug.study.triage.export import CONFIG, TASKS
        from specaug.study.triage.export import export as write
        from specaug.study.triage.sources import Sources

        sources = Sources(arguments.laboratory, arguments.data, screen.loading)
        done = write(chosen, sources, arguments.out, arguments.root)
        for why, errors in sources.lost.items():
            screen.say(f"no place in time for {counted(errors, 'error')}: {why}")
    marked = f"{counted(done.tasks, 'utterance')}, {counted(done.regions, 'error')} marked"
    sys.stdout.write(f"{arguments.out / TASKS}\t{marked}\n")
    sys.stdout.write(f"{arguments.out / CONFIG}\n")
    sys.stdout.write("".join(f"{manifest}\tto be corrected\n" for manifest in done.manifests))
    return 0


def add_import(steps: Any) -> None:
    """`specaug triage import`."""
    example = "specaug triage import export.json --manifest test.jsonl --out corrected.jsonl"
    what = "write a corrected manifest of Label Studio's export (JSON or JSON-MIN), and print the causes of errors"
    verb = add_verb(steps, "import", what, import_, example)
    verb.add_argument("annotations", type=Path, metavar="ANNOTATIONS", help="Label Studio's export")
    verb.add_argument(
        "--manifest",
        type=Path,
        required=True,
        nargs="+",
        metavar="FILE",
        help="the manifest that the tasks are of",
    )
    verb.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="a file for the corrected manifest"
    )
    verb.add_argument("--part", metavar="PART", help="the manifest's, where tasks are of several parts")
    verb.add_argument(
        "--keep-bad", action="store_true", help="keep what has a bad reference that nobody corrected"
    )
    verb.add_argument("--format", choices=("text", "tsv"), default="text")


def import_(arguments: argparse.Namespace) -> int:
    """Write the manifest; the table goes to standard output."""
    from specaug.speech.manifest import read_manifest, write_manifest
    from specaug.study.places import space
    from specaug.study.triage import correct
    from specaug.study.triage.annotations import read_annotations

    if arguments.out.resolve() in [manifest.resolve() for manifest in arguments.manifest]:
        raise UserError(f"--out is {arguments.out}, the manifest itself; expected another file")
    if not arguments.out.name or arguments.out.is_dir():
        raise UserError(f"--out is {arguments.out}, a folder; expected a file")
    utterances = [u for manifest in arguments.manifest for u in read_manifest(manifest)]
    said = read_annotations(arguments.annotations)
    said = [a for a in said if arguments.part in (None, a.part)]
    if not said:
        raise UserError(f"{arguments.annotations}: no annotations; expected some that are submitted")
    corrected = correct.correct(utterances, said, arguments.keep_bad)
    with space(arguments.out.absolute().parent):
        write_manifest(arguments.out, corrected.utterances)
    sys.stdout.write(correct.FORMATS[arguments.format](said, corrected))
    return 0
