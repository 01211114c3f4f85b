"""Workers as an array of SLURM jobs, through submitit.

When a job's time is up, or somebody with more right needs its node, SLURM sends SIGUSR2 first: the worker puts its slot
back at once, and the job is queued again. What ends without a word (a lost node, SIGKILL) goes stale in the study, is
taken up by others, and its job is replaced. So nothing depends on the signal; it saves the wait for the last heartbeat.
"""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from specaug.errors import UserError, installing
from specaug.study.sweep.launch import EVERY, GRACE, put_back, start
from specaug.study.sweep.patience import Patience

MINUTES = 240  # of a job before it makes room and is queued again
POLL = 5.0  # seconds between two questions to SLURM, which may serve many
SETTLE = 30.0  # seconds that a network disk may take to show the result of a job that has left the queue
ALWAYS = 10_000  # times that a job may be queued again


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What each worker asks SLURM for."""

    partition: str = ""
    minutes: int = MINUTES
    cpus: int = 1
    gpus: int = 0
    memory: str = ""  # as SLURM writes it: 8G

    @property
    def parameters(self) -> dict[str, Any]:
        """The same in submitit's words."""
        asked = {
            "slurm_partition": self.partition,
            "slurm_mem": self.memory,
            "gpus_per_node": self.gpus,
            "slurm_time": self.minutes,
            "slurm_job_name": "specaug",
            "cpus_per_task": self.cpus,
        }
        return {name: value for name, value in asked.items() if value}


class Serve:
    """What a job does: one worker, from its start to its end."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.command, self.log = list(command), log
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> tuple[int, float]:
        """Its exit status, and the seconds that it lived."""
        started = time.monotonic()
        with self.log.open("ab") as out:
            before = signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # SLURM sends it to the worker, too
            self.process = start(self.command, out)
            signal.signal(signal.SIGUSR2, before)
        try:
            while self.process.poll() is None:  # wait() would hold a lock that checkpoint() needs
                time.sleep(EVERY)
        finally:
            self.put_back()
        return self.process.returncode, time.monotonic() - started

    def put_back(self) -> None:
        """End the worker as by Ctrl-C, so that its slot is queued again."""
        if self.process is not None:
            put_back([self.process])

    def checkpoint(self) -> Any:
        """What the job does when it is started again; called by submitit at SIGUSR2."""
        import submitit

        self.put_back()
        return submitit.helpers.DelayedSubmission(Serve(self.command, self.log))


@dataclass
class Hired:
    """A job, and since when SLURM says that it runs."""

    job: Any
    serve: Serve
    running: float | None = None
    gone: float | None = None

    @property
    def lived(self) -> float:
        """Seconds since it was first seen at work."""
        return 0.0 if self.running is None else time.monotonic() - self.running


@dataclass
class Team:
    """The jobs that have not yet said that nothing is left."""

    executor: Any
    hired: list[Hired] = field(default_factory=list)
    patience: Patience = field(default_factory=Patience)
    over: bool = False  # somebody has said that nothing is left

    def hire(self, serves: Sequence[Serve]) -> None:
        """Submit an array with a job for each."""
        import submitit

        try:
            with self.executor.batch():
                jobs = [self.executor.submit(serve) for serve in serves]
        except (submitit.core.utils.FailedJobError, OSError, RuntimeError) as error:
            said = [line for line in str(error).splitlines() if "sbatch" in line] or str(error).splitlines()
            raise UserError(f"SLURM takes no jobs: {said[0]}") from None
        self.hired += [Hired(job, serve) for job, serve in zip(jobs, serves, strict=True)]

    def check(self) -> None:
        """Let those go who have ended well, replace those who died, and call off those who would come too late."""
        states = queued([one.job.job_id for one in self.hired])
        if states is None:
            return
        replaced = []
        for one in list(self.hired):
            ended = self.ended(one, states.get(one.job.job_id))
            if ended is None:
                continue
            self.hired.remove(one)
            status, lived = ended
            self.over = self.over or not status
            if status:
                self.patience.died(status, lived, one.serve.log)
                replaced.append(one.serve)
        if replaced:
            self.hire(replaced)
        if self.over:
            late = [one for one in self.hired if states.get(one.job.job_id) == "PENDING"]
            self.call_off(late)

    def ended(self, one: Hired, state: str | None) -> tuple[int, float] | None:
        """How a job ended, if it has: what it says itself, or that it has left the queue without a word."""
        if one.job.paths.result_pickle.is_file():
            error = one.job.exception()
            return one.job.result() if error is None else (1, one.lived)
        if state is not None:
            one.gone = None
            if state == "RUNNING" and one.running is None:
                one.running = time.monotonic()
            return None
        one.gone = one.gone or time.monotonic()
        return (1, one.lived) if time.monotonic() - one.gone > SETTLE else None

    def call_off(self, late: Sequence[Hired]) -> None:
        """Take jobs that have not started from the queue, where they might wait for hours."""
        if late:
            called("scancel", "--state=PENDING", *(one.job.job_id for one in late))
        self.hired = [one for one in self.hired if one not in late]

    def dismiss(self) -> None:
        """End the jobs as by Ctrl-C, so that their slots are queued again; then by force."""
        names = [one.job.job_id for one in self.hired]
        if not names:
            return
        called("scancel", "--signal=INT", "--state=RUNNING", *names)
        called("scancel", "--state=PENDING", *names)
        end = time.monotonic() + GRACE + EVERY
        while queued(names) and time.monotonic() < end:
            time.sleep(EVERY)
        called("scancel", *names)


def on_slurm(
    command: Sequence[str],
    workers: int,
    folder: Path,
    look: Callable[[], None] = lambda: None,
    *,
    wanted: Wanted = Wanted(),
) -> None:
    """Run so many workers as SLURM jobs until all of them say that nothing is left; `look` is called meanwhile.

    Raises UserError where SLURM takes no jobs and, with the last line of its log, where workers die as soon as they
    start. The jobs read and write the same folders as this machine.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    team = Team(executor_in(folder / "slurm", wanted))
    asked = 0.0
    try:
        team.hire([Serve(command, folder / f"worker-{place}.log") for place in range(workers)])
        while team.hired:
            if time.monotonic() - asked > POLL:
                team.check()
                asked = time.monotonic()
            look()
            time.sleep(EVERY)
    finally:
        team.dismiss()
        look()


def executor_in(folder: Path, wanted: Wanted) -> Any:
    """What submits jobs and keeps their words in a folder; raises UserError where none can be submitted."""
    try:
        import submitit
    except ImportError:
        raise UserError(f"submitit is not installed; expected it ({installing('cluster')})") from None
    if not all(shutil.which(program) for program in ("sbatch", "srun", "squeue", "scancel")):
        raise UserError("no sbatch on the PATH; expected a machine from which SLURM takes jobs")
    executor = submitit.AutoExecutor(folder=folder, cluster="slurm", slurm_max_num_timeout=ALWAYS)
    executor.update_parameters(**wanted.parameters)
    return executor


def queued(names: Sequence[str]) -> dict[str, str] | None:
    """The state of each job that waits or runs; None where SLURM does not answer."""
    arrays = sorted({name.partition("_")[0] for name in names})
    said = called("squeue", "--noheader", "--array", "--format=%i %T", "--jobs", ",".join(arrays))
    if said.returncode and "Invalid job id" not in said.stderr:  # it has forgotten them all
        return None
    return dict(line.split(maxsplit=1) for line in said.stdout.splitlines() if line.strip())


def called(*words: str) -> subprocess.CompletedProcess[str]:
    """What one of SLURM's programs says."""
    return subprocess.run(words, capture_output=True, text=True, check=False)
