"""Which data a run was trained on, and whether they are the same today."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from specaug.errors import UserError
from specaug.speech.prepare import Prepared
from specaug.study.attempts import attempts
from specaug.study.plural import counted
from specaug.study.results import RESULT, read_result
from specaug.training.files import LAST

FINGERPRINT = "fingerprint"  # the file beside the recipe that says which data a run was begun with


def same_data(runs: Iterable[Path], data: Prepared) -> None:
    """Raise UserError where what is there of a run, by its folder, comes from other data (decision D60)."""
    folders = [folder for run in runs for folder in (run, *attempts(run))]
    if others := [folder for folder in folders if trained_on(folder) not in (None, data.fingerprint)]:
        more = f" (and {len(others) - 1} more)" if others[1:] else ""
        raise UserError(
            f"{others[0]}{more}: trained on data that have changed since (fingerprint {trained_on(others[0])}, now "
            f"{data.fingerprint}); expected the same, or the folder deleted, to train anew"
        )


def trained_on(folder: Path) -> str | None:
    """The fingerprint of the data that a result or a checkpoint is of; None without them, or where none was kept."""
    if not any((folder / name).is_file() for name in (RESULT, LAST)):
        return None
    with suppress(FileNotFoundError):
        return (folder / FINGERPRINT).read_text(encoding="utf-8")
    return read_result(folder).fingerprint if (folder / RESULT).is_file() else None


def left_out(data: Prepared) -> str:
    """How many utterances are skipped, and why the first one is."""
    count = len({problem.where for problem in data.skipped})
    return f"skipped {counted(count, 'utterance')}; the first: {data.skipped[0]}"
