"""A folder for Label Studio: `tasks.json`, `config.xml` and the audio of the utterances."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from specaug.errors import UserError
from specaug.speech.audio import read_audio, write_audio
from specaug.study.places import replaced, space, writable
from specaug.study.triage.cases import Chosen
from specaug.study.triage.config import config
from specaug.study.triage.sources import Sources
from specaug.study.triage.tasks import file_name, task

TASKS, CONFIG, AUDIO = "tasks.json", "config.xml", "audio"
LOCAL = "/data/local-files/?d="  # where Label Studio serves files below LOCAL_FILES_DOCUMENT_ROOT
HEAVIEST = 100_000_000  # bytes of embedded audio: Label Studio takes an upload of at most 250 MB


@dataclass(frozen=True)
class Exported:
    """What was written."""

    tasks: int
    regions: int  # errors that are marked in the audio
    manifests: list[str]  # of the utterances, as they were read


def export(chosen: Sequence[Chosen], sources: Sources, out: Path, root: Path | None = None) -> Exported:
    """Write the tasks of `chosen` into `out`.

    The audio is embedded in the tasks; where `root` is given, which is Label Studio's document root, they name
    its files below that instead. Raises UserError where there is nothing to write, where `out` is not below
    `root`, or where so much audio cannot be embedded.
    """
    if not chosen:
        raise UserError("no such errors: nothing to write")
    below = None if root is None else path_below(root, out / AUDIO)
    writable(out / AUDIO)
    tasks: list[dict[str, Any]] = []
    manifests, embedded = set(), 0
    with space(out):
        for number, one in enumerate(chosen, 1):
            utterance = sources.utterance(one.case)
            manifests.add(utterance.where.rpartition(":")[0])
            wave, rate = read_audio(utterance)
            path = out / AUDIO / file_name(one.case)
            write_audio(path, wave, rate)
            audio = embed(path) if below is None else f"{LOCAL}{quote(f'{below}/{path.name}')}"
            embedded += len(audio)
            if embedded > HEAVIEST:
                megabytes = HEAVIEST // 10**6
                raise UserError(f"over {megabytes} MB of audio; expected fewer utterances, or --root")
            tasks.append(task(one, audio, len(wave) / rate, sources.regions(one, utterance)))
            sources.progress("tasks", number, len(chosen))
        replaced(out / CONFIG, config())
        replaced(out / TASKS, json.dumps(tasks, indent=1, ensure_ascii=False) + "\n")
    marked = sum(len(p["result"]) for one in tasks for p in one.get("predictions", ()))
    return Exported(len(tasks), marked, sorted(manifests))


def embed(path: Path) -> str:
    """The file as a data URI, which needs no server.

    Percent-encoded and not base64: Label Studio adds "?lsref=1" to every address before it asks for it. That breaks
    base64; here it is eight bytes behind the end of the samples, which whoever reads a WAV passes over.
    """
    return f"data:audio/wav,{quote(path.read_bytes(), safe='')}"


def path_below(root: Path, folder: Path) -> str:
    """The way from `root` down to `folder`; raises UserError where it does not lie below."""
    try:
        return folder.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        raise UserError(f"--root is {root}; expected a folder that {folder} lies in") from None
