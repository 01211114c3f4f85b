import pytest
from filelock import FileLock

from specaug.study.attempts import LOCK, attempts, begin, discard, held, settle
from specaug.study.results import RESULT
from specaug.training.files import BEST, CURVES, LAST


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "LD-seed-0-0123456789ab"


def trained(folder, text: str, age: float) -> None:
    import os

    folder.mkdir(parents=True, exist_ok=True)
    for name in (LAST, BEST, CURVES):
        (folder / name).write_text(f"{name} {text}")
        os.utime(folder / name, (1e9 - age, 1e9 - age))


def test_an_attempt_goes_on_where_the_furthest_other_one_was(folder):
    trained(folder, "old", 20)
    trained(folder.with_name(f"{folder.name}.try-1"), "far", 5)
    trained(folder.with_name(f"{folder.name}.try-2"), "near", 9)
    trained(folder.with_name("LD-seed-0-ffffffffffff"), "another run", 1)
    own = begin(folder, "try-3")
    assert own == folder.with_name(f"{folder.name}.try-3")
    assert {name: (own / name).read_text() for name in (LAST, BEST, CURVES)} == {
        name: f"{name} far" for name in (LAST, BEST, CURVES)
    }


def test_an_attempt_that_has_a_checkpoint_goes_on_from_its_own(folder):
    trained(folder.with_name(f"{folder.name}.try-1"), "far", 5)
    trained(folder.with_name(f"{folder.name}.try-2"), "own", 9)
    assert (begin(folder, "try-2") / LAST).read_text() == f"{LAST} own"


def test_the_first_attempt_starts_from_nothing(folder):
    assert not list(begin(folder, "try-0").iterdir())


def finished(folder, text: str):
    folder.mkdir(parents=True)
    (folder / RESULT).write_text(text)
    return folder


def test_the_first_attempt_to_finish_becomes_the_run(folder):
    first = finished(folder.with_name(f"{folder.name}.try-1"), "first")
    second = finished(folder.with_name(f"{folder.name}.try-2"), "second")
    settle(first, folder)
    settle(second, folder)
    assert (folder / RESULT).read_text() == "first"
    assert attempts(folder) == []


def test_an_attempt_that_somebody_is_at_stays(folder):
    busy = folder.with_name(f"{folder.name}.try-1")
    busy.mkdir(parents=True)
    with FileLock(busy / LOCK):
        settle(finished(folder.with_name(f"{folder.name}.try-2"), "done"), folder)
        assert attempts(folder) == [busy]
    discard(busy)
    assert attempts(folder) == []


def test_of_two_attempts_the_second_goes_even_where_it_was_cut_off(folder):
    def cut_off() -> None:
        with held(folder, "try-1") as own:
            (own / LAST).touch()
            finished(folder, "first")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    assert attempts(folder) == []
    assert (folder / RESULT).read_text() == "first"


def test_an_attempt_that_was_cut_off_stays_until_the_run_is_finished(folder):
    with pytest.raises(KeyboardInterrupt), held(folder, "try-1") as own:
        raise KeyboardInterrupt
    assert attempts(folder) == [own]


@pytest.mark.parametrize("finishes", [True, False])
def test_whoever_is_at_a_run_without_an_attempt_is_left_to_finish_it(folder, monkeypatch, finishes):
    trained(folder, "begun", 0)
    lock = FileLock(folder / LOCK)

    def leave(_: float) -> None:
        if finishes:
            (folder / RESULT).write_text("trained")
        lock.release()

    monkeypatch.setattr("time.sleep", leave)
    with lock:
        settle(finished(folder.with_name(f"{folder.name}.try-0"), "done"), folder)
    assert (folder / RESULT).read_text() == ("trained" if finishes else "done")
    assert attempts(folder) == []


def test_what_was_begun_without_an_attempt_gives_way(folder):
    trained(folder, "begun", 0)
    settle(finished(folder.with_name(f"{folder.name}.try-0"), "done"), folder)
    assert (folder / RESULT).read_text() == "done"
    assert not (folder / LAST).exists()
