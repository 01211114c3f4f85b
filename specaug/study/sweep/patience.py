"""When a launcher stops replacing its workers: what dies as soon as it starts would die for ever."""

from dataclasses import dataclass
from pathlib import Path

from specaug.errors import UserError

QUICK, MOST = (
    20.0,
    5,
)  # seconds below which a worker has died at its start; after so many in a row no more are started
MISTAKE = 2  # the exit status of a user's mistake, which another worker would make again


@dataclass
class Patience:
    """How many workers in a row have died at their start."""

    quick: int = 0

    def died(self, status: int, lived: float, log: Path) -> None:
        """Take note of a death after so many seconds; raises UserError where a replacement would die as well."""
        self.quick = self.quick + 1 if lived < QUICK else 0
        if self.quick >= MOST or status == MISTAKE:
            said = last_line(log) if log.is_file() else "no word"
            raise UserError(f"{log}: workers die at their start ({said})")


def last_line(log: Path) -> str:
    """The last line of a log."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "no word"
