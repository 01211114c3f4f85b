"""A run as W&B shows it: in its own folder until `wandb sync`, or sent while it trains."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from specaug.errors import UserError
from specaug.study.views.shown import COLUMNS, Ending, Picture, Row, Shown

# Beside the runs: a log names these files by their whole path, and an attempt moves
STAGING = "wandb-artifacts"
HIGHEST = (
    "dev/accuracy",
    "dev/map",
    "train/retrieval",
    "dev/retrieval",
)  # of other curves the lowest is best


class Log:
    """A run of W&B in a folder of ours. Closed whatever happens, with status 1 where an error goes through.

    Offline logs of the same id that lie there from earlier processes are replaced by this one, so that `wandb sync`
    finds each row once; but for those that were sent, whose rows the server has. Raises UserError where W&B cannot
    be reached.
    """

    def __init__(
        self, folder: Path, wanted: Mapping[str, Any], online: bool, staging: Path | None = None
    ) -> None:
        there = list((folder / "wandb").glob(f"offline-run-*-{wanted['id']}"))
        self.sent = [log for log in there if any(log.glob("*.synced"))]
        self.earlier = [log for log in there if log not in self.sent]
        mode = {"mode": "online", "resume": "allow"} if online else {"mode": "offline"}
        with ExitStack() as stack:
            stack.enter_context(staged(staging or folder / STAGING))
            self.run = begun({**wanted, "dir": folder, **mode})
            self.stack = stack.pop_all()  # what is to be undone

    def __enter__(self) -> Any:
        return self.run

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(failed=kind is not None)

    @property
    def step(self) -> int:
        """The first step that neither the server nor this log has."""
        sent = [steps(log) for log in self.sent]
        return max(int(self.run.starting_step), int(self.run.step), *sent, 0)

    def replace(self) -> None:
        """Remove the logs that this one stands for."""
        own = Path(self.run.dir).parent
        for folder in self.earlier:
            if folder != own:
                shutil.rmtree(folder, ignore_errors=True)
        self.earlier = []

    def close(self, failed: bool) -> None:
        """Finish the run."""
        with self.stack:
            self.run.finish(exit_code=int(failed))
        self.replace()


class OnWandb:
    """A W&B run: project = experiment, group = policy; its steps are those of the optimiser.

    Offline, a run that goes on begins a new log, into which the rows of `curves.csv` are written from the first one
    on that was not sent. Online, W&B's own count of steps tells which rows it has.
    """

    def __init__(self, shown: Shown, online: bool) -> None:
        self.shown = shown
        wanted = {
            "name": shown.name,
            "id": shown.id,
            "project": shown.experiment,
            "group": shown.group,
            "job_type": "train",
            "tags": shown.tags,
            "config": shown.config,
        }
        self.log = Log(shown.folder, wanted, online, shown.folder.parent / STAGING)
        self.run = self.log.run
        self.next = 0  # the first step that is not logged yet

    def begin(self) -> None:
        """Say what is drawn over what; log the pictures."""
        self.run.define_metric("epoch")
        for key in self.shown.curves:
            summary = "max" if key in HIGHEST else "min"
            self.run.define_metric(key, step_metric="epoch", summary=summary)
        self.next = self.log.step
        if not self.next:
            self.run.log({self.shown.batch: self._images(self.shown.pictures())}, step=0, commit=True)

    def row(self, row: Row) -> None:
        """Log the row at its step, unless W&B is past it."""
        if row["step"] >= self.next:
            self.run.log(dict(row), step=int(row["step"]), commit=True)
            self.next = int(row["step"]) + 1
            self.log.replace()

    def end(self, ending: Ending) -> None:
        """Log the table of hypotheses, or the reconstructions, and the final numbers."""
        import wandb

        columns: list[str | int] = list(COLUMNS)
        if ending.transcripts:
            self.run.log({"hypotheses": wandb.Table(columns=columns, data=list(ending.transcripts))})
        if ending.reconstructions:
            self.run.log({"reconstructions": self._images(ending.reconstructions)})
        self.run.summary.update({**ending.numbers, **({"masked": ending.masked} if ending.masked else {})})

    def close(self, failed: bool) -> None:
        """Finish the run."""
        self.log.close(failed)

    @staticmethod
    def _images(pictures: Sequence[Picture]) -> list[Any]:
        import wandb

        return [wandb.Image(picture.pixels, caption=picture.utterance) for picture in pictures]


def begun(wanted: Mapping[str, Any]) -> Any:
    """A W&B run; raises UserError where W&B cannot be reached or does not want it."""
    import wandb

    try:
        return wandb.init(**wanted, settings=wandb.Settings(silent=True))
    except (wandb.Error, ValueError) as error:  # the latter for a variable that W&B cannot read
        raise UserError(f"W&B: {error}; expected that, or a start without --online") from None


def steps(log: Path) -> int:
    """How many steps an offline log tells of: one more than its last one, as W&B's own reader reads it."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(log)]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    rows = [record["history"] for record in map(json.loads, told) if record["type"] == "history"]
    return max((int(row["item"]["_step"]) + 1 for row in rows), default=0)


@contextmanager
def staged(folder: Path) -> Iterator[None]:
    """While it lasts, W&B keeps the files of artifacts in `folder`, unless the user says where."""
    if "WANDB_DATA_DIR" in os.environ:
        yield
        return
    os.environ["WANDB_DATA_DIR"] = str(folder.resolve())
    try:
        yield
    finally:
        os.environ.pop("WANDB_DATA_DIR", None)
