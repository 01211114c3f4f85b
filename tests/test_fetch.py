import os
import subprocess
from pathlib import Path

import pytest

from specaug.errors import UserError
from specaug.speech.corpora.fetch import fetch_fsdd

IDENTITY = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]


def repository(folder: Path, file: str) -> str:
    """The address of a new git repository with two commits, the second of which adds `file`."""
    for name in ("README", file):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        for command in (["init", "--quiet"], ["add", "."], [*IDENTITY, "commit", "--quiet", "-m", name]):
            subprocess.run(["git", *command], cwd=folder, check=True)
    return folder.as_uri()


def test_the_recordings_are_fetched_without_the_history(tmp_path):
    source = repository(tmp_path / "source", "recordings/0_theo_0.wav")
    folder = fetch_fsdd(tmp_path / "data", source)
    assert folder == tmp_path / "data" / "free-spoken-digit-dataset"
    assert (folder / "recordings" / "0_theo_0.wav").read_text() == "recordings/0_theo_0.wav"
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["free-spoken-digit-dataset"]
    command = ["git", "rev-list", "--count", "HEAD"]
    counted = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert counted.stdout == "1\n"


def test_what_is_there_is_not_fetched_again(tmp_path):
    recordings = tmp_path / "free-spoken-digit-dataset" / "recordings"
    recordings.mkdir(parents=True)
    assert fetch_fsdd(tmp_path, "file:///nowhere") == recordings.parent


def one_line(data: Path, source: str) -> str:
    with pytest.raises(UserError) as caught:
        fetch_fsdd(data, source)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{source}: cannot be fetched (")
    return str(caught.value)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda path: None, "does not appear to be a git repository", id="no such folder"),
        pytest.param(Path.mkdir, "does not appear to be a git repository", id="no repository"),
        pytest.param(lambda path: repository(path, "x.wav"), "no folder recordings/", id="other repository"),
    ],
)
def test_a_source_that_fails_is_one_line_and_leaves_nothing(tmp_path, make, words):
    make(tmp_path / "source")
    assert words in one_line(tmp_path / "data", (tmp_path / "source").as_uri())
    assert list((tmp_path / "data").iterdir()) == []


def test_a_folder_without_recordings_is_in_the_way_and_is_left_as_it_was(tmp_path):
    source = repository(tmp_path / "source", "recordings/0_theo_0.wav")
    mine = tmp_path / "data" / "free-spoken-digit-dataset" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert "is in the way" in one_line(tmp_path / "data", source)
    assert [path.name for path in mine.parent.parent.iterdir()] == ["free-spoken-digit-dataset"]
    assert mine.read_text() == "mine"


def test_a_machine_without_git_is_told_so(tmp_path, monkeypatch):
    source = repository(tmp_path / "source", "recordings/0_theo_0.wav")
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    assert "git" in one_line(tmp_path / "data", source).removeprefix(source)
    assert list((tmp_path / "data").iterdir()) == []
