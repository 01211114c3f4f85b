import stat
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from specaug.speech.once import make_once


def writing(text: str):
    def write(partial: Path) -> None:
        (partial / "index").write_text(text)

    return write


def failing(partial: Path) -> None:
    (partial / "half").touch()
    raise ArithmeticError


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_folder_is_made_with_its_parents_and_others_may_read_it(tmp_path):
    make_once(tmp_path / "cache" / "a", "index", writing("one"))
    assert names(tmp_path / "cache") == {"a", "a.lock"}
    assert names(tmp_path / "cache" / "a") == {"index"}
    assert stat.S_IMODE((tmp_path / "cache" / "a").stat().st_mode) == 0o755


def test_what_is_there_is_not_made_again_and_needs_no_lock(tmp_path):
    make_once(tmp_path / "a", "index", writing("one"))
    (tmp_path / "a.lock").unlink()
    make_once(tmp_path / "a", "index", writing("two"))
    assert (tmp_path / "a" / "index").read_text() == "one"
    assert names(tmp_path) == {"a"}


def test_who_comes_second_waits_and_finds_it_made(tmp_path):
    """The lock is held, another thread waits for it, and meanwhile the folder appears."""
    second = threading.Thread(target=make_once, args=(tmp_path / "a", "index", writing("second")))
    with FileLock(tmp_path / "a.lock"):
        second.start()
        second.join(0.2)
        assert names(tmp_path) == {"a.lock"}
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "index").write_text("first")
    second.join()
    assert (tmp_path / "a" / "index").read_text() == "first"


def test_what_fails_leaves_nothing(tmp_path):
    with pytest.raises(ArithmeticError):
        make_once(tmp_path / "a", "index", failing)
    assert names(tmp_path) == {"a.lock"}


def test_what_a_killed_one_left_is_removed_and_nothing_of_others(tmp_path):
    for name in (".a.killed", ".ab.other", ".notes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "half").touch()
    make_once(tmp_path / "a", "index", writing("one"))
    assert names(tmp_path) == {"a", "a.lock", ".ab.other", ".notes"}
