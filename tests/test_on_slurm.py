import os
import signal
import threading

import pytest
from fifos import pipe_in, writer

from specaug.errors import UserError
from specaug.study.sweep.on_slurm import Serve, Wanted, on_slurm


def test_what_is_not_asked_for_is_left_to_slurm():
    assert Wanted().parameters.keys() == {"slurm_time", "slurm_job_name", "cpus_per_task"}


def test_what_is_asked_for_reaches_slurm():
    asked = Wanted(partition="big", minutes=7, cpus=3, gpus=2, memory="8G").parameters
    assert asked["slurm_partition"] == "big"
    assert asked["slurm_time"] == 7
    assert asked["gpus_per_node"] == 2
    assert asked["slurm_mem"] == "8G"
    assert asked["cpus_per_task"] == 3


def test_submitit_knows_every_word_that_it_is_told():
    submitit = pytest.importorskip("submitit", reason="no submitit (pip install -e '.[cluster]')")
    executor = submitit.AutoExecutor(folder="unused", cluster="debug")
    executor.update_parameters(**Wanted(partition="big", gpus=2, memory="8G").parameters)


def test_a_machine_without_slurm_is_told_so(tmp_path, monkeypatch):
    pytest.importorskip("submitit", reason="no submitit (pip install -e '.[cluster]')")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="no sbatch on the PATH"):
        on_slurm(["init", "there"], 1, tmp_path)


def test_a_job_is_its_worker_from_start_to_end(tmp_path):
    status, seconds = Serve(["init", str(tmp_path / "laboratory")], tmp_path / "log")()
    assert status == 0
    assert seconds > 0
    assert "models" in (tmp_path / "log").read_text()


def test_a_job_says_how_its_worker_failed(tmp_path):
    status, _ = Serve(["train", str(tmp_path / "missing.yaml")], tmp_path / "log")()
    assert status == 2
    assert "no such recipe" in (tmp_path / "log").read_text()


@pytest.mark.timeout(60)
@pytest.mark.slow
def test_a_job_that_makes_room_ends_its_worker_as_by_ctrl_c_and_is_the_same_job_again(tmp_path):
    pytest.importorskip("submitit", reason="no submitit (pip install -e '.[cluster]')")
    pipe = pipe_in(tmp_path)
    serve = Serve(["train", str(pipe)], tmp_path / "log")
    again, held, ended = [], [], []

    def strike() -> None:
        held.append(writer(pipe))
        assert serve.process is not None
        serve.process.send_signal(signal.SIGUSR2)  # as SLURM does
        os.kill(os.getpid(), signal.SIGUSR2)

    def make_room(*_: object) -> None:
        again.append(serve.checkpoint())
        ended.append(serve.process and serve.process.returncode)
        raise SystemExit

    before = signal.signal(signal.SIGUSR2, make_room)
    try:
        thread = threading.Thread(target=strike)
        thread.start()
        with pytest.raises(SystemExit):
            serve()
        thread.join()
    finally:
        os.close(held[0])
        signal.signal(signal.SIGUSR2, before)
    assert ended == [130]  # before SLURM takes the job from its node
    assert "interrupted" in (tmp_path / "log").read_text()
    assert again[0].function.command == serve.command
    assert again[0].function.log == tmp_path / "log"
    assert again[0].function.process is None
