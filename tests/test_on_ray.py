import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from fifos import pipe_in, read, writer

from specaug.errors import UserError
from specaug.study.sweep.on_ray import enough, on_ray, served, told


def test_a_machine_without_ray_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"ray is not installed; expected it \(pip install specaug\[ray\]\)"):
        on_ray(["init", "there"], 1, tmp_path)


def test_workers_elsewhere_are_told_what_concerns_them(monkeypatch):
    for name in ("SPECAUG_DATA", "PYTHONPATH", "WANDB_MODE", "WANDB_SERVICE", "RAY_ADDRESS", "HOME"):
        monkeypatch.setenv(name, f"the {name}")
    there = told()
    assert there["SPECAUG_DATA"] == "the SPECAUG_DATA"
    assert {"PYTHONPATH", "WANDB_MODE"} <= there.keys()
    assert not {"WANDB_SERVICE", "RAY_ADDRESS", "HOME"} & there.keys()


@pytest.mark.parametrize(("asked", "there"), [(0.5, {"CPU": 8.0}), (2.0, {"GPU": 1.0})])
def test_more_gpus_than_the_cluster_has_are_refused(asked, there):
    cluster = SimpleNamespace(cluster_resources=lambda: there)
    with pytest.raises(UserError, match=f"a worker asks for {asked:g} GPUs and the cluster has"):
        enough(cluster, asked)
    enough(cluster, 0.0)


def test_a_task_is_its_worker_from_start_to_end(tmp_path):
    status, seconds = served(["init", "laboratory"], str(tmp_path / "log"), str(tmp_path))
    assert status == 0
    assert seconds > 0
    assert (tmp_path / "laboratory" / "models").is_dir()


def test_a_node_that_does_not_share_the_disk_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no folder .*elsewhere or .*; expected a shared disk"):
        served(["init", "there"], str(tmp_path / "log"), str(tmp_path / "elsewhere"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_worker_ends_with_its_task_however_that_ends(tmp_path):
    pipe, log = pipe_in(tmp_path), tmp_path / "log"
    words = ["train", str(pipe)]
    program = (
        f"from specaug.study.sweep.on_ray import served; served({words!r}, {str(log)!r}, {str(tmp_path)!r})"
    )
    task = subprocess.Popen([sys.executable, "-c", program])
    held = writer(pipe)
    task.send_signal(signal.SIGKILL)
    task.wait()
    end = time.monotonic() + 30
    while "interrupted" not in log.read_text() and time.monotonic() < end:
        time.sleep(0.05)
    assert "interrupted" in log.read_text()
    os.close(held)
    assert not read(pipe)
