"""Where studies are kept: SQLite on one host, PostgreSQL on many, through Optuna's relational storage."""

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from sqlalchemy.engine import URL, make_url

from specaug.errors import UserError

STORAGE = "SPECAUG_STORAGE"  # the variable that names the storage where no option does
BEAT, GRACE = 20, 60  # seconds between two signs of life, and after which a worker is taken for dead
PATIENT = 60  # seconds that SQLite waits for another's writing
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "lustre", "gpfs", "beegfs", "ceph", "fuse.sshfs")


def default_storage(folder: Path) -> str:
    """The URL of a study's own SQLite file."""
    return f"sqlite:///{folder.resolve() / 'study.db'}"


def open_storage(url: str, beat: int = BEAT, grace: int = GRACE) -> RDBStorage:
    """The storage at a URL, with heartbeats; what goes stale is put back by the one who finds it.

    Raises UserError naming the URL, without its password, where it cannot be reached.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)  # heartbeats are one
    with reaching(url):
        at = make_url(url)
        options: dict[str, Any] = {"pool_pre_ping": True}
        if at.get_backend_name() == "sqlite":
            options = {"connect_args": {"timeout": PATIENT}}
            if at.database:
                Path(at.database).parent.mkdir(parents=True, exist_ok=True)
        from specaug.study.sweep.slots import requeue

        storage = RDBStorage(
            url,
            engine_kwargs=options,
            heartbeat_interval=beat,
            grace_period=grace,
            heartbeat_stale_trial_callback=requeue,
        )
        if at.get_backend_name() == "sqlite":
            one_at_a_time(storage.engine)
        return storage


def one_at_a_time(engine: sqlalchemy.Engine) -> None:
    """Have SQLite lock before it reads: it knows no SELECT ... FOR UPDATE, and would give one trial to two workers."""

    def by_hand(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    def locked(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    sqlalchemy.event.listen(engine, "connect", by_hand)
    sqlalchemy.event.listen(engine, "begin", locked)
    engine.dispose()  # connections that were made before


@contextlib.contextmanager
def reaching(url: str) -> Iterator[None]:
    """While it lasts, what a database complains of is a UserError that names it."""
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        cause = error.__cause__ or error
        raise UserError(f"{hidden(url)}: cannot be reached ({first_line(cause, url)})") from None
    except ImportError:
        raise UserError(
            f"{hidden(url)}: its driver is not installed; expected it (for PostgreSQL pip install specaug[cluster])"
        ) from None


def hidden(url: str) -> str:
    """The URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return "the storage"  # whatever it is, it may hold a password


def first_line(error: BaseException, url: str) -> str:
    """The first line of what the database says, without the password."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    password = parsed.password if (parsed := parse(url)) else None
    return line.replace(url, hidden(url)).replace(str(password), "***") if password else line


def parse(url: str) -> URL | None:
    """The URL in its parts; None where it is none."""
    try:
        return make_url(url)
    except sqlalchemy.exc.ArgumentError:
        return None


def network_disk(url: str, mounts: Path = Path("/proc/self/mounts")) -> str:
    """The type of the network disk on which a SQLite file lies; empty where it lies on none."""
    at = parse(url)
    if at is None or at.get_backend_name() != "sqlite" or not at.database or not mounts.is_file():
        return ""
    there = os.path.realpath(at.database)
    found = ("", "")
    for line in mounts.read_text().splitlines():
        _, point, kind, *_ = line.split()
        inside = there == point or there.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(found[0]):
            found = point, kind
    return found[1] if found[1] in NETWORK else ""
