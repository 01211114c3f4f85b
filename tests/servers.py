"""Servers of a test's own, from what the machine has installed: PostgreSQL and SLURM. They listen on loopback alone."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

NOBODY = "nobody"  # the server refuses to be root


def installed(program: str) -> str:
    """The path of one of PostgreSQL's programs; the newest, where there are several. Empty where there is none."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda path: path.parts[4])
    return str(debian[-1]) if debian else shutil.which(program) or ""


def driver() -> str:
    """The package with which Python speaks to PostgreSQL; empty where there is none."""
    return next((name for name in ("psycopg", "psycopg2") if find_spec(name)), "")


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
        return f"postgresql+{driver()}://bench:{self.password}@127.0.0.1:{self.port}/postgres"

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
    if not driver():
        pytest.skip("no psycopg (pip install -e '.[cluster]')")
    with TemporaryDirectory(prefix="postgres-") as folder:  # pytest's own are closed to others
        server = Postgres(Path(folder), free_port())
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()


SLURM = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")
NODES = ("here", "there")
SLURM_CONF = """ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SchedulerParameters=sched_interval=2,batch_sched_delay=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PartitionName=bench Nodes=ALL Default=YES MaxTime=60 State=UP
"""
SLURM_NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 State=UNKNOWN\n"


@contextmanager
def slurm() -> Iterator[Path]:
    """The configuration of a SLURM with two nodes on this machine, while the block lasts; skips as above."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    missing = [program for program in SLURM if not shutil.which(program, path=path)]
    if missing:
        pytest.skip(f"no {missing[0]} on the PATH (apt-get install slurm-wlm munge)")
    pytest.importorskip("submitit", reason="no submitit (pip install -e '.[cluster]')")
    with TemporaryDirectory(prefix="slurm-") as folder, pytest.MonkeyPatch.context() as patch:
        there, host = Path(folder), socket.gethostname().partition(".")[0]
        there.chmod(0o755)
        conf = there / "slurm.conf"
        nodes = [SLURM_NODE.format(name=name, host=host, port=free_port()) for name in NODES]
        user = getpass.getuser()
        conf.write_text(
            SLURM_CONF.format(host=host, control=free_port(), user=user, folder=folder) + "".join(nodes)
        )
        (there / "state").mkdir()
        patch.setenv("SLURM_CONF", str(conf))
        patch.setenv("PATH", path)
        daemons = [*munge(there), ["slurmctld", "-D"], *(["slurmd", "-D", "-N", name] for name in NODES)]
        started = [begin(words, there / f"{place}.log") for place, words in enumerate(daemons)]
        try:
            nodes_idle(there)
            yield conf
        finally:
            nothing_left(user)
            for daemon in reversed(started):
                daemon.terminate()
            for daemon in reversed(started):
                daemon.wait(30)


def nothing_left(user: str) -> None:
    """Kill what jobs are left by a test that has failed: they would outlive the daemons."""
    end = time.monotonic() + 20
    while (
        subprocess.run(["squeue", "-h"], capture_output=True, check=False).stdout and time.monotonic() < end
    ):
        subprocess.run(["scancel", "--signal=KILL", "--user", user], capture_output=True, check=False)
        time.sleep(1)


def munge(folder: Path) -> list[list[str]]:
    """The command of the daemon that vouches for users to SLURM."""
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    files = {"socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    places = [f"--{option}={folder}/munge.{name}" for option, name in files.items()]
    return [["munged", "--foreground", "--force", f"--key-file={key}", *places]]


def begin(words: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """A daemon, whose words go to a file."""
    with log.open("ab") as out:
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out)


def nodes_idle(folder: Path) -> None:
    """Wait until both nodes take jobs."""
    end = time.monotonic() + 60
    words = ["sinfo", "--noheader", "--Node", "--format=%T"]
    said = ""
    while time.monotonic() < end:
        said = subprocess.run(words, capture_output=True, text=True, check=False).stdout
        if said.split() == ["idle"] * len(NODES):
            return
        time.sleep(0.5)
    logs = [path.read_text(errors="replace") for path in sorted(folder.glob("*.log"))]
    raise AssertionError(said + "\n".join(logs))
