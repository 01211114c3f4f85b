"""A run as TensorBoard shows it: event files in `tensorboard/` in its own folder; `tensorboard --logdir runs/NAME`."""

from lightning.pytorch.loggers import TensorBoardLogger

from specaug.study.tables.text_table import piped
from specaug.study.views.shown import COLUMNS, Ending, Row, Shown

FOLDER = "tensorboard"


class OnTensorBoard:
    """Event files, written out after every row.

    A run that goes on begins a new file, which tells TensorBoard to forget the older ones, with the rows of
    `curves.csv` from the first one on; in the end the older ones are removed. So each row is there once.
    """

    def __init__(self, shown: Shown) -> None:
        self.shown = shown
        self.broken_off = sorted((shown.folder / FOLDER).glob("events.out.tfevents.*"))
        self.logger = TensorBoardLogger(shown.folder, name=FOLDER, version="", purge_step=0)
        self.last = 0

    def begin(self) -> None:
        """Show the pictures, and what the run is."""
        board = self.logger.experiment
        for name, pixels in self.shown.pictures():
            board.add_image(f"{self.shown.batch}/{name}", pixels, 0, dataformats="HWC")
        board.add_text("tags", ", ".join(self.shown.tags), 0)

    def row(self, row: Row) -> None:
        """Write the row at its step."""
        self.last = int(row["step"])
        self.logger.log_metrics({name: value for name, value in row.items() if name != "step"}, self.last)
        self.logger.experiment.flush()

    def end(self, ending: Ending) -> None:
        """Write the table of hypotheses, or the reconstructions, and the config beside the final numbers."""
        board = self.logger.experiment
        if ending.transcripts:
            table = [COLUMNS, *(tuple(map(str, row)) for row in ending.transcripts)]
            board.add_text("hypotheses", piped(table), self.last)
        for name, pixels in ending.reconstructions:
            board.add_image(f"reconstructions/{name}", pixels, self.last, dataformats="HWC")
        self.logger.log_hyperparams(self.shown.config, dict(ending.numbers), self.last)

    def close(self, failed: bool) -> None:
        """Close the file, and remove those that it replaces."""
        self.logger.experiment.close()
        for path in self.broken_off:
            path.unlink(missing_ok=True)
