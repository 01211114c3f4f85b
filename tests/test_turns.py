"""Runs of an ablation that another process is at."""

import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest
from filelock import FileLock

from specaug.study import attempts, turns
from specaug.study.ablation import ablate
from specaug.study.attempts import LOCK, free
from specaug.study.load import load
from specaug.study.loggers import Logs
from specaug.study.places import Places
from specaug.study.results import RESULT
from specaug.study.run import Run, execute
from specaug.study.turns import ELSEWHERE, Turns
from specaug.training.callbacks import Progress

NOTHING = Logs("none")


def runs_of(lab: Path, runs: Path, seeds: str = "0,1") -> list[Run]:
    recipe = load(lab / "experiments" / "tiny.yaml", ["policies=None", f"seeds={seeds}"])
    return [Run("tiny", run, Places.of(lab, None, runs)) for run in recipe.runs()]


@pytest.fixture
def runs(tiny, tmp_path) -> list[Run]:
    return runs_of(tiny, tmp_path)


def lock(run: Run) -> FileLock:
    """What another process holds while it trains the run."""
    run.folder.mkdir(parents=True, exist_ok=True)
    return FileLock(run.folder / LOCK)


def finish(run: Run) -> None:
    run.folder.mkdir(parents=True, exist_ok=True)
    (run.folder / RESULT).write_text("{}")


def looked(queue: Turns, monkeypatch) -> tuple[list[tuple[Run, Progress]], list[Run]]:
    """What is told at the next look."""
    told, over = [], []
    monkeypatch.setattr(queue, "looked", -1e9)
    queue.look(lambda run, at: told.append((run, at)), lambda run, failed: over.append(run))
    return told, over


def test_runs_that_another_process_is_at_come_after_the_others(runs):
    queue = Turns(runs)
    with lock(runs[0]):
        assert [queue.next([]), queue.next([])] == [runs[1], None]
        assert queue
        assert (list(queue.waiting), queue.elsewhere) == ([], [runs[0]])


def test_what_another_finishes_is_over_and_what_it_leaves_is_next(tiny, tmp_path, monkeypatch):
    queue = Turns(busy := runs_of(tiny, tmp_path, "0,1,2"))
    with ExitStack() as others:
        for run in busy:
            others.enter_context(lock(run))
        assert queue.next([]) is None
        finish(busy[1])
        others.pop_all().close()
    with lock(busy[2]):
        assert looked(queue, monkeypatch) == ([(busy[2], ELSEWHERE)], [busy[1]])
        assert (list(queue.waiting), queue.elsewhere) == ([busy[0]], [busy[2]])
        assert [queue.next([]), queue.next([])] == [busy[0], None]
    assert looked(queue, monkeypatch) == ([], [])
    assert queue.next([]) == busy[2]
    assert not queue


def test_looks_are_some_time_apart(runs, monkeypatch):
    clock, told = [0.0], []
    monkeypatch.setattr(turns.time, "monotonic", lambda: clock[0])
    queue = Turns(runs[:1])
    with lock(runs[0]):
        queue.next([])
        for clock[0] in (0.0, 0.5, 1.5, 2.0, 3.0):
            queue.look(lambda run, at: told.append(clock[0]), lambda run, failed: None)
    assert told == [0.0, 1.5, 3.0]


def test_a_run_is_free_where_nobody_holds_it(runs):
    run = runs[0]
    assert free(run.folder)
    assert not run.folder.exists()
    with lock(run):
        assert not free(run.folder)
    assert free(run.folder)
    with lock(run):  # looking has not kept it
        pass


def test_to_look_whether_a_run_is_free_does_not_fail_the_one_that_begins_it(runs, monkeypatch):
    other = lock(runs[0])
    other.acquire()

    class Lock(FileLock):
        def acquire(self, timeout: float) -> object:
            if timeout > 0:  # whoever looks has looked by then
                other.release()
            return super().acquire(timeout)

    monkeypatch.setattr(attempts, "FileLock", Lock)
    with attempts.held(runs[0].folder, "") as folder:
        assert folder == runs[0].folder


@pytest.mark.slow
@pytest.mark.parametrize("leaves", [False, True], ids=["finished", "left"])
def test_an_ablation_ends_well_where_another_process_is_at_one_of_its_runs(tiny, tmp_path, leaves):
    first, second = runs_of(tiny, tmp_path / "ours")
    (theirs, _) = runs_of(tiny, tmp_path / "theirs")
    execute(theirs, NOTHING)
    heard: list[tuple[Run, str]] = []
    ended: list[tuple[Run, object]] = []
    other = lock(first)
    other.acquire()

    def progress(run: Run, at: Progress) -> None:
        heard.append((run, at.place))
        if run == first and second.finished and other.is_locked:
            if not leaves:
                shutil.copy(theirs.folder / RESULT, first.folder / RESULT)
            other.release()

    failures = ablate([first, second], 2, NOTHING, progress, lambda run, failed: ended.append((run, failed)))
    assert failures == []
    assert ended == [(second, None), (first, None)]
    assert (first, "another process is at it") in heard
    assert first.finished
    assert (first.folder / "curves.csv").is_file() == leaves  # made here, or there
    assert any(run == first and "epoch" in at for run, at in heard) == leaves


@pytest.mark.slow
def test_a_run_that_another_takes_while_a_worker_prepares_it_is_left_to_it(runs, monkeypatch):
    other, asked = lock(runs[0]), []
    other.acquire()

    def seems_free(folder: Path) -> bool:
        asked.append(folder)
        if len(asked) == 2:
            other.release()
        return True

    monkeypatch.setattr(turns, "free", seems_free)
    assert ablate(runs[:1], 1, NOTHING) == []
    assert len(asked) == 3  # before it is begun, after it was found busy, and before it is begun again
    assert runs[0].finished
