"""A run as Trackio shows it, on this machine and without an account: `trackio show`, with TRACKIO_DIR=runs/NAME/trackio."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from specaug.errors import UserError
from specaug.study.views.shown import COLUMNS, Ending, Picture, Row, Shown

# Beside the runs: one database for all runs of an experiment, so that they can be compared
FOLDER = "trackio"
WRITER = "specaug.study.views.trackio_writer"
ELSEWHERE = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")  # variables that would send the rows away
PATIENCE = 60.0  # seconds that the writer has in the end


class OnTrackio:
    """A Trackio run, written by a process of its own that lives on for a moment where this one is killed.

    Of its own because Trackio has one folder a process, and prints. It writes no row whose step it has.
    """

    def __init__(self, shown: Shown) -> None:
        self.shown = shown
        self.step = 0
        folder = shown.folder.parent / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
        with (shown.folder / "trackio.log").open("ab") as log:
            self.writer = subprocess.Popen(
                [sys.executable, "-m", WRITER],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**kept, "TRACKIO_DIR": str(folder.resolve()), "HF_HUB_OFFLINE": "1"},
                start_new_session=True,  # Ctrl-C is ours: the writer ends when its pipe does
            )

    def begin(self) -> None:
        """Open the run and show the pictures."""
        shown = self.shown
        self.tell(project=shown.experiment, name=f"{shown.name} {shown.id}", group=shown.group)
        self.tell(config=json.loads(json.dumps(shown.config, default=str)))
        self.show(shown.batch, shown.pictures(), 0)

    def row(self, row: Row) -> None:
        """Send the row."""
        self.step = int(row["step"])
        self.tell(step=self.step, row=dict(row))

    def end(self, ending: Ending) -> None:
        """Send the final numbers and the table of hypotheses, or the reconstructions."""
        table = [dict(zip(COLUMNS, row, strict=True)) for row in ending.transcripts]
        self.show("reconstructions", ending.reconstructions, self.step + 1)
        self.tell(step=self.step + 1, row=dict(ending.numbers), **({"table": table} if table else {}))

    def close(self, failed: bool) -> None:
        """Wait for the writer. Raises UserError where it failed and the run did not."""
        with suppress(BrokenPipeError):
            self.pipe.close()
        try:
            status = self.writer.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.writer.kill()
            status = self.writer.wait()
        said = self.shown.folder / "trackio.log"
        if not status:
            said.unlink(missing_ok=True)
        elif not failed:
            raise UserError(f"{said}: trackio failed; the run goes on where you start it with --logger none")

    def show(self, key: str, pictures: Sequence[Picture], step: int) -> None:
        """Send pictures, under one name."""
        for name, pixels in pictures:
            raw = base64.b64encode(pixels.tobytes()).decode()
            self.tell(step=step, key=key, picture=raw, shape=pixels.shape, caption=name)

    def tell(self, **what: Any) -> None:
        """Send a line; a writer that died says so in the end, and stops no training."""
        with suppress(BrokenPipeError):
            self.pipe.write(f"{json.dumps(what)}\n".encode())
            self.pipe.flush()

    @property
    def pipe(self) -> Any:
        """Into the writer."""
        return self.writer.stdin
