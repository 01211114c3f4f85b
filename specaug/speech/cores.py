"""How many CPU cores there are for us, and work for all of them."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AHEAD = 4  # results that wait for each core

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """The cores that this process may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def on_all_cores(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None
) -> Generator[Result, None, None]:
    """What `work` makes of each item, in the order of the items, with a thread for each core, or so many `workers`.

    No more are begun than a few ahead of those that were taken, so that memory does not grow with the items. The first
    error in that order is raised where its result would be. Close it where not all results are taken.
    """
    workers, begun = workers or cores(), deque[Future[Result]]()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            begun.append(pool.submit(work, item))
            if len(begun) > AHEAD * workers:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
