"""Which run of an ablation is made next, and which are left to another process that is at them."""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence

from specaug.study.attempts import POLL, free
from specaug.study.pretraining.first import pretraining_of
from specaug.study.run import Run
from specaug.training.callbacks import Progress

ELSEWHERE = Progress(0, 1, 0, 0, math.nan, None, stage="another process is at it")


class Turns:
    """The runs that are still to be made; those that another process is at come last, should it not finish them."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.waiting = deque(runs)
        self.elsewhere: list[Run] = []
        self.looked = -math.inf

    def __bool__(self) -> bool:
        return bool(self.waiting or self.elsewhere)

    def next(self, busy: Sequence[Run]) -> Run | None:
        """The run to make now, beside those that are under way; None where there is none that nobody is at."""
        while self.waiting:
            run = picked(self.waiting, busy)
            if free(run.folder):
                return run
            self.elsewhere.append(run)
        return None

    def look(self, progress: Callable[[Run, Progress], None], ended: Callable[[Run, None], None]) -> None:
        """Once a second, tell of the runs that another process is at; take back those that it has left unfinished."""
        if time.monotonic() - self.looked < POLL:
            return
        self.looked, seen, self.elsewhere = time.monotonic(), self.elsewhere, []
        for run in seen:
            if run.finished:
                ended(run, None)
            elif free(run.folder):
                self.waiting.append(run)
            else:
                self.elsewhere.append(run)
                progress(run, ELSEWHERE)


def picked(waiting: deque[Run], busy: Sequence[Run]) -> Run:
    """The run that comes next: the first that need not wait for a pretraining that another makes, if there is one."""
    before = [pretraining_of(run.recipe, run.places) for run in busy]
    made = {one.id for one in before if one and not one.finished}
    for run in waiting if made else ():
        wanted = pretraining_of(run.recipe, run.places)
        if wanted is None or wanted.id not in made:
            waiting.remove(run)
            return run
    return waiting.popleft()
