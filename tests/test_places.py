import errno
from pathlib import Path

import pytest

from specaug.errors import UserError
from specaug.study.places import Places, space, writable

NAMES = {"data": "SPECAUG_DATA", "cache": "SPECAUG_CACHE", "runs": "SPECAUG_RUNS"}


@pytest.fixture(autouse=True)
def _unset(monkeypatch):
    for name in NAMES.values():
        monkeypatch.delenv(name, raising=False)


def test_everything_lies_in_the_laboratory_where_nothing_else_is_said():
    lab = Path("lab")
    assert Places.of(lab) == Places(lab, lab / "data", lab / "cache", lab / "runs")


@pytest.mark.parametrize("place", NAMES)
def test_a_variable_moves_its_own_place_and_no_other(monkeypatch, place):
    monkeypatch.setenv(NAMES[place], "elsewhere")
    moved, usual = Places.of(Path("lab")), Places.of(Path("lab"))
    assert getattr(moved, place) == Path("elsewhere")
    monkeypatch.delenv(NAMES[place])
    usual = Places.of(Path("lab"))
    assert [name for name in NAMES if getattr(moved, name) != getattr(usual, name)] == [place]


def test_arguments_go_before_variables(monkeypatch):
    for name in NAMES.values():
        monkeypatch.setenv(name, "elsewhere")
    places = Places.of(Path("lab"), data=Path("d"), runs=Path("r"))
    assert (places.data, places.runs) == (Path("d"), Path("r"))


def test_a_folder_that_can_be_written_is_made_and_left_empty(tmp_path):
    assert writable(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_file_in_the_way_of_a_folder_is_named(tmp_path, folder):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=f"{tmp_path / folder}: cannot be written .*expected a folder"):
        writable(tmp_path / folder)
    assert (tmp_path / "file").read_text() == "mine"


def full():
    with space(Path("runs")), Path("/dev/full").open("wb", buffering=0) as file:
        file.write(b"x")


def test_a_full_disk_is_the_users_to_mend():
    with pytest.raises(UserError, match="runs: No space left on device; expected a folder with space"):
        full()


def test_other_errors_of_the_system_are_left_as_they_are():
    with pytest.raises(BrokenPipeError), space(Path("runs")):
        raise BrokenPipeError(errno.EPIPE, "nobody listens")
