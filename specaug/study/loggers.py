"""Where the curves of a run are shown besides its folder; no part of what the run is."""

from dataclasses import dataclass
from importlib.util import find_spec

from specaug.errors import UserError

LOGGERS = ("none", "wandb", "tensorboard", "trackio")  # all but the first are the names of packages


@dataclass(frozen=True)
class Logs:
    """One of LOGGERS, and whether W&B is told while the run trains."""

    to: str = "wandb"
    online: bool = False

    def check(self) -> "Logs":
        """Itself; raises UserError where the package is missing, or cannot do what is asked."""
        if self.to not in LOGGERS:
            raise UserError(f"--logger is {self.to}; expected one of {', '.join(LOGGERS)}")
        if self.online and self.to != "wandb":
            raise UserError(f"--online is for W&B; expected --logger wandb, not {self.to}")
        if self.to != "none":
            needed(self.to, f"--logger {self.to}")
        return self

    @property
    def words(self) -> list[str]:
        """The options that say the same to another `specaug`."""
        return ["--logger", self.to, *(["--online"] if self.online else [])]


OFFLINE = Logs()  # W&B, in the run's own folder


def needed(package: str, what: str) -> None:
    """Raise UserError where a package that `what` needs is not installed."""
    if find_spec(package.replace("-", "_")) is None:
        raise UserError(f"{what} needs the package {package}; expected it installed (pip install {package})")
