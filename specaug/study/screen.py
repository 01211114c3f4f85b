"""Progress on the screen: bars with the time left on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import rich.progress
from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:  # it imports Lightning, and the screen is wanted before that
    from specaug.training.callbacks import Progress

EARLY = 0.005  # the share of the work before which nothing can be said of the rest
EVERY = 10.0  # seconds between two lines where there is no terminal


@runtime_checkable  # tests check it wherever it stands in a signature
class Run(Protocol):
    """What is under way, of any kind."""

    @property
    def name(self) -> str:
        """Its name for people."""
        ...


class Screen:
    """What standard error shows of `runs` runs; results never go there."""

    def __init__(self, runs: int) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.bars = rich.progress.Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.runs, self.done = runs, 0
        self.shares: dict[str, float] = {}  # of the runs under way
        self.tasks: dict[str, TaskID] = {}
        self.started = self.told = time.monotonic()
        self.last = ""  # what was said of the work of others

    def __enter__(self) -> "Screen":
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def begin(self, runs: int, finished: int) -> None:
        """Training starts: so many runs are wanted, and so many of them are there."""
        self.runs, self.done = runs - finished, 0
        self.started = time.monotonic()
        self.say(f"{runs} runs, {finished} of them finished before")

    def say(self, what: str) -> None:
        """One line that stays."""
        self.console.print(what, markup=False, soft_wrap=True)

    def loading(self, what: str, done: int, total: int) -> None:
        """Data being made."""
        self._bar(what, f"{what}", done / max(1, total), done >= total)
        if not self.console.is_terminal and (done >= total or self._due()):
            self.say(f"{what}: {done} of {total}")

    def progress(self, run: Run, at: "Progress") -> None:
        """A run under way."""
        loss = f", loss {at.loss:.3f}" if at.epochs else ""
        what, share = f"{run.name}: {at.place}{loss}{at.dev}", at.step / max(1, at.steps)
        self.shares[run.name] = 0.0 if at.stage else share  # what comes before is no part of the run
        self._bar(run.name, what, share)
        self._all()
        if not self.console.is_terminal and self._due():
            self.say(f"[{self.done} of {self.runs} runs done, {self._left()} left] {what}")

    def ended(self, run: Run, failed: object) -> None:
        """A run that is finished, or failed."""
        self.done += 1
        self.shares.pop(run.name, None)
        self._bar(run.name, run.name, 1.0, over=True)
        self._all()
        self.say(f"{run.name}: {'failed' if failed else 'finished'} ({self.done} of {self.runs})")

    def overview(self, what: str, share: float, left: str, rows: Sequence[tuple[str, str, float]]) -> None:
        """Work of others: all of it, and a line for each of them (its name, where it is, how far)."""
        here = {"all", *(name for name, *_ in rows)}
        for gone in set(self.tasks) - here:
            self._bar(gone, "", 1.0, over=True)
        for name, where, part in rows:
            self._bar(name, where, part)
        self._bar("all", f"{what}, {left} left", share)
        line = " ".join(filter(None, (f"[{what}, {left} left]", "; ".join(where for _, where, _ in rows))))
        if not self.console.is_terminal and line != self.last and self._due():
            self.last = line
            self.say(line)

    def _bar(self, key: str, what: str, share: float, over: bool = False) -> None:
        if over:
            if key in self.tasks:
                self.bars.remove_task(self.tasks.pop(key))
            return
        if key not in self.tasks:
            self.tasks[key] = self.bars.add_task(what, total=1.0)
        self.bars.update(self.tasks[key], description=what, completed=share)

    def _all(self) -> None:
        if self.runs > 1:
            share = (self.done + sum(self.shares.values())) / self.runs
            self._bar("all", f"{self.done} of {self.runs} runs", share)

    def _due(self) -> bool:
        due = time.monotonic() - self.told >= EVERY
        self.told = time.monotonic() if due else self.told
        return due

    def _left(self) -> str:
        share = (self.done + sum(self.shares.values())) / max(1, self.runs)
        if share < EARLY:
            return "?"
        seconds = round((time.monotonic() - self.started) * (1 - share) / max(share, 1e-6))
        return f"{seconds // 60}:{seconds % 60:02d}"
