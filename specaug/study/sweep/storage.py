"""Where studies are kept: SQLite on one host, PostgreSQL on many, through Optuna's relational storage."""

import contextlib
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from sqlalchemy.engine import URL, make_url

from specaug.errors import UserError, installing
from specaug.study.nearest import hint

STORAGE = "SPECAUG_STORAGE"  # the variable that names the storage where no option does
BEAT, GRACE = 20, 60  # seconds between two signs of life, and after which a worker is taken for dead
PATIENT = 60  # seconds that SQLite waits for another's writing
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "lustre", "gpfs", "beegfs", "ceph", "fuse.sshfs")
FILE = "study.db"  # a study's own, where it is kept in SQLite
SECRET = re.compile("pass|pwd|secret|token|odbc_connect", re.IGNORECASE)  # what in a URL's query is not shown


def default_storage(folder: Path) -> str:
    """The URL of a study's own SQLite file."""
    return f"sqlite:///{folder.resolve() / FILE}"


def open_storage(url: str, beat: int = BEAT, grace: int = GRACE, looking_for: str = "") -> RDBStorage:
    """The storage at a URL, with heartbeats; what goes stale is put back by the one who finds it.

    A SQLite file is made, unless a study is named that is only looked for. Raises UserError naming the URL, without
    its password, where it cannot be reached.
    """
    at = require_url(url)
    file = Path(at.database) if at.get_backend_name() == "sqlite" and at.database else None
    if file and looking_for and not file.is_file():
        raise UserError(f"no study {looking_for!r}: {file} is not there{near(looking_for, file)}")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)  # heartbeats are one
    with reaching(url):
        options: dict[str, Any] = {"pool_pre_ping": True}
        if at.get_backend_name() == "sqlite":
            options = {"connect_args": {"timeout": PATIENT}}
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
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


def require_url(url: str) -> URL:
    """The parts of a storage's URL. Raises UserError, without its password, where it is none."""
    at = parse(url)
    if at is None:
        expected = "sqlite:///FILE or postgresql://me@host/NAME, with %40 for an @ in the password"
        raise UserError(f"{hidden(url)}: not the URL of a storage; expected {expected}")
    return at


def near(study: str, file: Path) -> str:
    """The nearest of the studies that have a file of their own beside one that is not there."""
    there = [path.parent.name for path in file.parent.parent.glob(f"*/{FILE}")] if file.name == FILE else []
    return hint(study, sorted(there)) if there else ""


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
            f"{hidden(url)}: its driver is not installed; expected it (for PostgreSQL {installing('cluster')})"
        ) from None


def hidden(url: str) -> str:
    """The URL without its passwords."""
    at = parse(url)
    if at is None:
        return "the storage"  # whatever it is, it may hold a password
    shown = {key: "***" if SECRET.search(key) else value for key, value in at.query.items()}
    return at.set(query=shown).render_as_string(hide_password=True).replace("%2A%2A%2A", "***")


def passwords(url: str) -> Iterator[str]:
    """The passwords in a URL."""
    at = parse(url)
    for key, value in at.query.items() if at else ():
        if SECRET.search(key):
            yield from (value,) if isinstance(value, str) else value
    if at and at.password:
        yield str(at.password)


def first_line(error: BaseException, url: str) -> str:
    """The first line of what the database says, without the password."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0].replace(url, hidden(url))
    for secret in filter(None, passwords(url)):
        line = line.replace(secret, "***")
    return line


def parse(url: str) -> URL | None:
    """The URL in its parts; None where it is none, or where a bare @ makes half a password look like a host."""
    try:
        at = make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        return None
    return None if "@" in (at.host or "") else at


def caution(url: str, mounts: Path = Path("/proc/self/mounts")) -> str:
    """What whoever opens a storage is to know of what it risks; empty where it risks nothing."""
    kind = network_disk(url, mounts)
    risk = f"lies on a network disk ({kind}), where SQLite may lose writes when two hosts write at once"
    expected = "expected one host, or --storage postgresql://..."
    return f"warning: {hidden(url)} {risk}; {expected}" if kind else ""


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
