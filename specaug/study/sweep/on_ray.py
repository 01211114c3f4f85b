"""Workers as tasks of a Ray cluster, which Ray moves elsewhere when a node is lost, and which are replaced when they die.

A task starts the worker's command as a process of its own, so that a worker is the same everywhere. The nodes share the
folders of data and runs; what is not finished when a node is lost goes stale in the study and is taken up by others.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from specaug.errors import UserError, installing
from specaug.study.sweep.launch import EVERY, GRACE, OWN, PROGRAM, put_back
from specaug.study.sweep.patience import Patience

PASSED_ON = ("SPECAUG_", "WANDB_", "HF_")  # the beginnings of the variables that workers are told
WITH_ITS_TASK = (  # on a lost node nobody else would end the worker: the system sends it SIGINT (PR_SET_PDEATHSIG)
    "import ctypes, sys; sys.platform == 'linux' and ctypes.CDLL(None).prctl(1, 2); "
)

Ended = tuple[int, float]  # a worker's exit status, and the seconds that it lived


def on_ray(
    command: Sequence[str],
    workers: int,
    folder: Path,
    look: Callable[[], None] = lambda: None,
    *,
    cpus: int = 1,
    gpus: float = 0.0,
) -> None:
    """Run so many workers on a Ray cluster until all of them say that nothing is left; `look` is called meanwhile.

    `cpus` and `gpus` are each worker's; a share of a GPU, as 0.25, where four are to share one. The cluster is the one that RAY_ADDRESS names,
    or that this machine is a node of; without one it is this machine. Raises UserError, with the last line of its
    log, where workers die as soon as they start.
    """
    ray = imported()
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with connected(ray, workers * cpus, gpus):
        task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=-1, runtime_env=importing())(served)
        variables = told()

        def hire(place: int) -> Any:
            return task.remote(list(command), str(log_of(folder, place)), str(Path.cwd()), variables)

        team = {hire(place): place for place in range(workers)}
        patience = Patience()
        try:
            while team:
                for ref in ray.wait(list(team), timeout=EVERY)[0]:
                    place = team.pop(ref)
                    status, lived = ended(ray, ref)
                    if status:
                        patience.died(status, lived, log_of(folder, place))
                        team[hire(place)] = place
                look()
        finally:
            dismiss(ray, list(team))
            look()


def imported() -> Any:
    """Ray; raises UserError where it is not installed."""
    os.environ.setdefault(
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0"
    )  # a task without a GPU is told of none by us
    try:
        import ray
    except ImportError:
        raise UserError(f"ray is not installed; expected it ({installing('ray')})") from None
    return ray


@contextmanager
def connected(ray: Any, cpus: int, gpus: float) -> Iterator[None]:
    """While it lasts, this process speaks to a cluster; left alone where somebody has connected it before."""
    if ray.is_initialized():
        yield
        return
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    address = os.environ.get("RAY_ADDRESS", "")
    try:
        try:
            ray.init(address=address or "auto", **quiet)
        except ConnectionError:
            if address:
                raise
            os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # it listens on this machine alone
            ray.init(num_cpus=cpus, include_dashboard=False, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"RAY_ADDRESS is {address!r}: {first}; expected a Ray cluster that answers") from None
    try:
        enough(ray, gpus)
        yield
    finally:
        ray.shutdown()


def enough(ray: Any, gpus: float) -> None:
    """Raise UserError where no worker would ever start."""
    there = ray.cluster_resources().get("GPU", 0.0)
    if gpus > there:
        raise UserError(
            f"a worker asks for {gpus:g} GPUs and the cluster has {there:g}; expected at most that"
        )


def importing() -> dict[str, Any]:
    """Where a task's process finds this package. Ray writes such variables into its logs: nothing secret is told here."""
    path = os.environ.get("PYTHONPATH")
    return {"env_vars": {"PYTHONPATH": path}} if path else {}


def told() -> dict[str, str]:
    """The environment variables that workers on other machines need; they may hold passwords."""
    return {
        name: value for name, value in os.environ.items() if name.startswith(PASSED_ON) and name not in OWN
    }


def log_of(folder: Path, place: int) -> Path:
    """Where a worker writes what it says."""
    return folder / f"worker-{place}.log"


def ended(ray: Any, ref: Any) -> Ended:
    """How a worker ended; where Ray has lost it for good, as a death that may have been nobody's fault."""
    try:
        status, lived = ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause if isinstance(getattr(error, "cause", None), UserError) else None
        last = (str(error).strip().splitlines() or [""])[-1]
        raise UserError(str(cause) if cause else f"a worker on Ray cannot start: {last}") from None
    except ray.exceptions.RayError:
        return 1, 0.0
    return status, lived


def served(command: list[str], log: str, where: str, variables: dict[str, str]) -> Ended:
    """What a task does: one worker, from its start to its end; it ends with the task, however that ends."""
    started = time.monotonic()
    if not (Path(where).is_dir() and Path(log).parent.is_dir()):
        raise UserError(
            f"{socket.gethostname()}: no folder {where} or {Path(log).parent}; expected a shared disk"
        )
    process = started_in(where, command, Path(log), variables)
    try:
        while process.poll() is None:
            time.sleep(EVERY)
    finally:
        put_back([process])
    return process.returncode, time.monotonic() - started


def started_in(
    where: str, command: Sequence[str], log: Path, variables: dict[str, str]
) -> subprocess.Popen[bytes]:
    """A worker of one thread in a session of its own, which imports what its task has imported."""
    paths = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    environment = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-c", WITH_ITS_TASK + PROGRAM, *command],
            cwd=where,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, **variables, **environment},
            start_new_session=True,
        )


def dismiss(ray: Any, team: list[Any]) -> None:
    """Cancel the tasks, and wait until their workers have put their slots back."""
    for ref in team:
        ray.cancel(ref, force=False)
    if team:
        ray.wait(team, num_returns=len(team), timeout=GRACE + EVERY)
