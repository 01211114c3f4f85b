import multiprocessing
import re
import warnings
from multiprocessing.synchronize import Barrier
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from specaug.errors import UserError
from specaug.study.sweep.slots import SLOT, fill
from specaug.study.sweep.storage import (
    caution,
    default_storage,
    first_line,
    hidden,
    network_disk,
    open_storage,
)

MOUNTS = """/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/me/local ext4 rw 0 0
server:/all /home/me/local/far nfs rw 0 0
/dev/vdc /home/me ext4 rw 0 0
"""


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        pytest.param(
            "postgresql://me:s3cret@127.0.0.1:9/x",
            r"^postgresql://me:\*\*\*@127.0.0.1:9/x: cannot be reached \(",
            id="nobody",
        ),
        pytest.param("sqlite:////proc/nowhere/x.db", "^/proc/nowhere: ", id="no folder"),
        pytest.param(
            "postgresql://me@127.0.0.1:9/x?password=s3cret",
            r"^postgresql://me@127.0.0.1:9/x\?password=\*\*\*: cannot be reached \(",
            id="nobody, a password behind the question mark",
        ),
        pytest.param("me:s3cret@host", r"^the storage: not the URL of a storage; expected", id="no URL"),
        pytest.param(
            "postgresql://me:s3cret@host:port/x", r"^the storage: not the URL of a storage", id="no port"
        ),
        pytest.param(
            "postgresql://me:my@s3cret@host/x", r"^the storage: not the URL .*%40 for an @", id="a bare @"
        ),
        pytest.param(
            "nosuchsql://me:s3cret@host/x", r"^nosuchsql://me:\*\*\*@host/x: cannot be reached", id="no such"
        ),
        pytest.param(
            "oracle://me:s3cret@host/x", r"^oracle://me:\*\*\*@host/x: .* is not installed", id="no driver"
        ),
    ],
)
def test_a_storage_that_cannot_be_reached_is_named_without_its_password(url, complaint):
    with pytest.raises((UserError, OSError)) as raised:
        open_storage(url)
    said = (
        str(raised.value)
        if isinstance(raised.value, UserError)
        else f"{raised.value.filename}: {raised.value.strerror}"
    )
    assert re.search(complaint, said), said
    assert "s3cret" not in said
    assert "\n" not in said


def test_a_password_in_what_a_database_says_is_hidden():
    url = "postgresql://me:s3cret@host/x"
    assert first_line(ValueError(f"bad {url}\nmore"), url) == f"bad {hidden(url)}"
    assert first_line(ValueError("password s3cret is wrong"), url) == "password *** is wrong"
    assert first_line(ValueError(""), url) == "ValueError"
    behind = "postgresql://me@host/x?password=s3%20cret&sslpassword=k3y&a=b"
    assert hidden(behind) == "postgresql://me@host/x?a=b&password=***&sslpassword=***"
    assert first_line(ValueError("s3 cret or k3y is wrong"), behind) == "*** or *** is wrong"


@pytest.mark.parametrize(
    "url", ["sqlite:////a/study.db", "postgresql+psycopg://me@host:5432/x?application_name=a", "sqlite://"]
)
def test_a_url_without_a_password_is_shown_as_it_is(url):
    assert hidden(url) == url


def take(url: str, taken: str, together: Barrier) -> None:
    """Take trials until none is left, and write down which; no one begins before all can."""
    study = optuna.load_study(study_name="s", storage=open_storage(url))
    together.wait(240)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            trial = study.ask()
            if SLOT in trial.user_attrs:
                with Path(taken).open("a") as file:
                    file.write(f"{trial.user_attrs[SLOT]}\n")


def test_sqlite_gives_no_trial_to_two_workers(tmp_path):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    fill(optuna.create_study(study_name="s", storage=open_storage(url)), [{} for _ in range(40)])
    spawn = multiprocessing.get_context("spawn")
    together = spawn.Barrier(3)
    workers = [spawn.Process(target=take, args=(url, str(tmp_path / f"{n}.txt"), together)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(270)
    taken = [line for path in tmp_path.glob("*.txt") for line in path.read_text().splitlines()]
    assert sorted(map(int, taken)) == list(range(40))


def test_a_study_has_a_file_of_its_own_and_its_folder_is_made(tmp_path):
    open_storage(default_storage(tmp_path / "runs" / "s"))
    assert (tmp_path / "runs" / "s" / "study.db").is_file()


def test_who_only_looks_makes_no_file_and_is_told_the_nearest_study(tmp_path):
    open_storage(default_storage(tmp_path / "runs" / "spoken-widths"))
    (tmp_path / "runs" / "spoken-wide").mkdir()
    wanted = tmp_path / "runs" / "spoken-widht"
    with pytest.raises(UserError, match=r"^no study 'spoken-widht': .*; did you mean 'spoken-widths'\?$"):
        open_storage(default_storage(wanted), looking_for="spoken-widht")
    with pytest.raises(UserError, match=r"^no study 'x': .*/nowhere\.db is not there$"):
        open_storage(f"sqlite:///{tmp_path / 'nowhere.db'}", looking_for="x")
    assert not wanted.exists()
    assert not list(tmp_path.glob("*.db"))
    open_storage(default_storage(tmp_path / "runs" / "spoken-widths"), looking_for="spoken-widths")


def test_sqlite_on_a_network_disk_is_warned_of_and_nothing_else(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    said = caution("sqlite:////home/you/study.db", mounts)
    assert re.match(
        r"warning: sqlite:////home/you/study\.db lies on a network disk \(nfs4\), where SQLite", said
    )
    assert "expected one host, or --storage postgresql://" in said
    assert not caution("sqlite:////tmp/study.db", mounts)
    assert not caution("postgresql://me:s3cret@host/x", mounts)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("sqlite:////home/you/study.db", "nfs4"),
        ("sqlite:////home/me/local/far/study.db", "nfs"),
        ("sqlite:////home/me/study.db", ""),
        ("sqlite:////home/me/local/study.db", ""),
        ("sqlite:////homework/study.db", ""),
        ("sqlite:////tmp/study.db", ""),
        ("postgresql://host/x", ""),
    ],
)
def test_a_network_disk_is_found_by_the_nearest_mount(tmp_path, url, kind):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert network_disk(url, mounts) == kind
