"""A PostgreSQL of a test's own, from whatever the machine has installed; it listens on loopback alone."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

NOBODY = "nobody"  # the server refuses to be root


def installed(program: str) -> str:
    """The path of one of PostgreSQL's programs; the newest, where there are several. Empty where there is none."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda path: path.parts[4])
    return str(debian[-1]) if debian else shutil.which(program) or ""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Postgres:
    """A database server with one database, in a folder."""

    folder: Path
    port: int
    password: str = "hushed"

    @property
    def url(self) -> str:
        """What `--storage` is told."""
        return f"postgresql+psycopg2://bench:{self.password}@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        """Lay out the database."""
        secret = self.folder / "password"
        secret.write_text(self.password)
        for path in (self.folder, secret):
            if not os.getuid():
                shutil.chown(path, NOBODY)
        self.run("initdb", "-U", "bench", "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync")

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = f"-h 127.0.0.1 -p {self.port} -k {self.folder} -c fsync=off"
        log = self.folder / "server.log"
        self.run("pg_ctl", "-w", "-t", "120", "-l", str(log), "-o", options, "start")

    def stop(self, how: str = "immediate") -> None:
        """End the server: `fast` in good order, `immediate` as by a crash."""
        self.run("pg_ctl", "-w", "-m", how, "stop")

    def run(self, program: str, *options: str) -> None:
        """Run one of PostgreSQL's programs on the folder's data."""
        words = [installed(program), "-D", str(self.folder / "data"), *options]
        done = subprocess.run(
            self.as_nobody(words), cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def as_nobody(self, words: Sequence[str]) -> list[str]:
        """A command as somebody who may run the server."""
        return [*words] if os.getuid() else ["runuser", "-u", NOBODY, "--", *words]


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A database server while the block lasts; skips the test, saying why, where none is installed."""
    if not installed("initdb"):
        pytest.skip("no initdb on the PATH or in /usr/lib/postgresql/*/bin (apt-get install postgresql)")
    pytest.importorskip("psycopg2", reason="no psycopg2 (pip install specaug[cluster])")
    with TemporaryDirectory(prefix="postgres-") as folder:  # pytest's own are closed to others
        server = Postgres(Path(folder), free_port())
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()
