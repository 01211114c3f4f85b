"""The process that writes a run into Trackio: `python -m` this, with one JSON object a line on its standard input."""

import base64
import importlib
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any


def main(lines: Iterable[str]) -> None:
    """Write what the lines say until they end; a row that Trackio has already is left out."""
    trackio = importlib.import_module("trackio")
    storage = importlib.import_module("trackio.sqlite_storage").SQLiteStorage
    told = whole(lines)
    run, config = next(told, None), next(told, None)
    if run is None or config is None:
        return
    last = storage.get_max_step_for_run(run["project"], run["name"])
    there = -1 if last is None else int(last)
    quiet = {"embed": False, "auto_log_gpu": False, "auto_log_cpu": False}
    open_run = trackio.init(**run, **config, **quiet, resume="allow")
    try:
        for one in told:
            if one["step"] > there:
                open_run.log(logged(trackio, one), step=one["step"])
    finally:
        open_run.finish()


def whole(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The objects; the last line of a process that was killed may be half a line."""
    for line in lines:
        if line.endswith("\n"):
            yield json.loads(line)


def logged(trackio: Any, one: dict[str, Any]) -> dict[str, Any]:
    """What Trackio is told at one step."""
    if "picture" in one:
        import numpy as np

        pixels = np.frombuffer(base64.b64decode(one["picture"]), np.uint8).reshape(one["shape"])
        return {f"{one['key']}/{one['caption']}": trackio.Image(pixels, caption=one["caption"])}
    return {**one["row"], **({"hypotheses": trackio.Table(data=one["table"])} if "table" in one else {})}


if __name__ == "__main__":
    main(sys.stdin)
