"""The loggers: a view of what the run folder holds, fed from it."""

import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lightning.pytorch.loggers import Logger

from specaug.speech.prepare import Prepared
from specaug.study.loggers import Logs
from specaug.study.recipe import Recipe
from specaug.study.views.shown import Ending, Shown, View, numbers
from specaug.training.callbacks import read_curves
from specaug.training.files import CURVES


class Mirror:
    """A run as a logger shows it: the rows of its `curves.csv`, each once, also where it was killed and goes on.

    Closed whatever happens. WANDB_MODE=disabled, set by the user, leaves W&B out.
    """

    def __init__(
        self, experiment: str, recipe: Recipe, name: str, folder: Path, data: Prepared, logs: Logs
    ) -> None:
        self.shown = Shown(experiment, recipe, name, folder, data)
        self.logs = logs
        self.view: View | None = None
        self.told = 0  # rows that the view was given

    def __enter__(self) -> Self:
        self.view = opened(self.shown, self.logs)
        if self.view is not None:
            try:
                self.view.begin()
            except BaseException:
                self.view.close(failed=True)
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.view is None:
            return
        try:
            self.look()  # where training did not come to a row, those of an earlier process are shown all the same
        finally:
            self.view.close(failed=kind is not None)

    @property
    def loggers(self) -> list[Logger]:
        """For the trainer."""
        return [] if self.view is None else [Bell(self)]

    def look(self) -> None:
        """Show the rows of `curves.csv` that are new to the view."""
        if self.view is None:
            return
        rows = read_curves(self.shown.folder / CURVES)
        for row in rows[self.told :]:
            self.view.row(numbers(row))
        self.told = max(self.told, len(rows))

    def finish(self, ending: Ending) -> None:
        """Show what came out."""
        if self.view is not None:
            self.look()
            self.view.end(ending)


class Bell(Logger):
    """What Lightning takes for a logger; it only says that there is a new row on disk."""

    def __init__(self, mirror: Mirror) -> None:
        super().__init__()
        self.mirror = mirror

    @property
    def name(self) -> str:
        """Of no use to us, but asked for."""
        return "specaug"

    @property
    def version(self) -> str:
        """Likewise."""
        return ""

    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        """Where it is an epoch's, its row was written; a step's are dropped."""
        if "epoch" in metrics:
            self.mirror.look()

    def log_hyperparams(self, *arguments: Any, **options: Any) -> None:
        """The view knows them."""


def opened(shown: Shown, logs: Logs) -> View | None:
    """The logger's side of a run; none where no logger is wanted."""
    if logs.to == "tensorboard":
        from specaug.study.views.on_tensorboard import OnTensorBoard

        return OnTensorBoard(shown)
    if logs.to == "trackio":
        from specaug.study.views.on_trackio import OnTrackio

        return OnTrackio(shown)
    if logs.to == "none" or os.environ.get("WANDB_MODE") == "disabled":
        return None
    from specaug.study.views.on_wandb import OnWandb

    return OnWandb(shown, logs.online)
