import os
import signal
import time
from pathlib import Path

import pytest

from specaug.errors import UserError
from specaug.study.sweep import launch
from specaug.study.sweep.launch import heeding, local, put_back

KILLED_ONCE = """import os, pathlib, signal, sys
print("hired", flush=True)
killed = pathlib.Path(sys.argv[1])
if not killed.exists():
    killed.touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""
WAITING = """import time
try:
    print("at work", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("put back", flush=True)
"""
DEAF = """import signal, sys, time
heard = []
def hear(sign, frame):
    heard.append(sign)
    print("told", flush=True)
    if len(heard) == int(sys.argv[1]):
        raise KeyboardInterrupt
signal.signal(signal.SIGINT, hear)
print("at work", flush=True)
while True:
    time.sleep(60)
"""
ALONE = """import os
print(os.environ["OMP_NUM_THREADS"], os.environ.get("WANDB_SERVICE"), os.getsid(0) == os.getpid())
"""


@pytest.fixture(autouse=True)
def _quick(monkeypatch) -> None:
    monkeypatch.setattr(launch, "EVERY", 0.02)


@pytest.fixture
def program(monkeypatch):
    """Has workers run a program that imports nothing."""
    return lambda text: monkeypatch.setattr(launch, "PROGRAM", text)


def words(folder: Path) -> list[str]:
    """All that workers said."""
    return [line for path in folder.glob("*.log") for line in path.read_text().splitlines()]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_worker_that_is_killed_is_replaced_be_it_the_last_one(tmp_path, program, workers):
    program(KILLED_ONCE)
    local([str(tmp_path / "killed")], workers, tmp_path / "logs")
    assert len(words(tmp_path / "logs")) == workers + 1


def test_workers_that_find_a_mistake_of_the_user_end_all_with_their_last_words(tmp_path):
    with pytest.raises(UserError, match=r"worker-.\.log: workers die at their start \(.*no such recipe"):
        local(["train", str(tmp_path / "missing.yaml")], 2, tmp_path / "logs")


def test_what_dies_at_its_start_is_not_replaced_for_ever(tmp_path, program):
    program("import sys; sys.exit('last words')")
    with pytest.raises(UserError, match=r"workers die at their start \(last words\)"):
        local([], 1, tmp_path)


def test_ctrl_c_reaches_workers_and_they_are_waited_for(tmp_path, program):
    program(WAITING)

    def ctrl_c() -> None:
        if words(tmp_path).count("at work") == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        local([], 2, tmp_path, ctrl_c)
    assert words(tmp_path).count("put back") == 2


@pytest.mark.parametrize(("heard_at", "end"), [(2, -signal.SIGINT), (9, -signal.SIGKILL)])
def test_ctrl_c_that_is_not_heard_is_said_once_more_and_then_by_force(
    tmp_path, program, monkeypatch, heard_at, end
):
    monkeypatch.setattr(launch, "AGAIN", 0.3)
    monkeypatch.setattr(launch, "GRACE", 30.0 if end == -signal.SIGINT else 2.0)
    program(DEAF)
    worker = launch.hire([str(heard_at)], tmp_path, 0).process
    while "at work" not in words(tmp_path):
        time.sleep(0.02)
    put_back([worker])
    # A signal may come before the newline of what was printed last
    assert " ".join(words(tmp_path)).count("told") == 2
    assert worker.returncode == end


def test_a_worker_has_one_thread_and_a_session_of_its_own_and_nothing_of_this_process(
    tmp_path, program, monkeypatch
):
    monkeypatch.setenv("WANDB_SERVICE", "ours")
    program(ALONE)
    local([], 1, tmp_path)
    assert words(tmp_path) == ["1 None True"]


class Finalised:
    """Something during whose finalisation Ctrl-C is pressed, once."""

    pressed = False

    def __del__(self) -> None:
        if not Finalised.pressed:
            Finalised.pressed = True
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_ctrl_c_that_python_drops_is_heard_at_the_next_look(monkeypatch):
    monkeypatch.setattr(Finalised, "pressed", False)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with heeding(lambda: Finalised() and None) as look, pytest.raises(KeyboardInterrupt):
            look()
        with heeding(lambda: None) as look:
            look()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
