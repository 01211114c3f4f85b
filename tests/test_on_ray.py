import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from fifos import pipe_in, read, writer

from specaug.errors import UserError
from specaug.study.sweep.on_ray import enough, importing, on_ray, served, told


def test_a_machine_without_ray_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"ray is not installed; expected it \(pip install -e '\.\[ray\]' in"):
        on_ray(["init", "there"], 1, tmp_path)


def test_workers_elsewhere_are_told_what_concerns_them(monkeypatch):
    for name in ("SPECAUG_DATA", "PYTHONPATH", "WANDB_MODE", "WANDB_SERVICE", "RAY_ADDRESS", "HOME"):
        monkeypatch.setenv(name, f"the {name}")
    there = told()
    assert there["SPECAUG_DATA"] == "the SPECAUG_DATA"
    assert "WANDB_MODE" in there
    assert not {"WANDB_SERVICE", "RAY_ADDRESS", "HOME"} & there.keys()
    assert importing() == {"env_vars": {"PYTHONPATH": "the PYTHONPATH"}}
    monkeypatch.delenv("PYTHONPATH")
    assert not importing()


@pytest.mark.parametrize(("asked", "there"), [(0.5, {"CPU": 8.0}), (2.0, {"GPU": 1.0})])
def test_more_gpus_than_the_cluster_has_are_refused(asked, there):
    cluster = SimpleNamespace(cluster_resources=lambda: there)
    with pytest.raises(UserError, match=f"a worker asks for {asked:g} GPUs and the cluster has"):
        enough(cluster, asked)
    enough(cluster, 0.0)


def test_a_task_is_its_worker_from_start_to_end(tmp_path):
    status, seconds = served(["init", "laboratory"], str(tmp_path / "log"), str(tmp_path), {})
    assert status == 0
    assert seconds > 0
    assert (tmp_path / "laboratory" / "models").is_dir()


def test_a_worker_has_the_variables_that_its_task_was_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "default")  # of the task's own process
    log = tmp_path / "log"
    assert served(["init", "there"], str(log), str(tmp_path), {"PYTHONWARNINGS": "loudly"})[0] == 0
    assert "'loudly'" in log.read_text()  # Python itself says that it knows no such action


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_no_file_of_ray_holds_what_workers_are_told(tmp_path, monkeypatch):
    ray = pytest.importorskip("ray", reason="no ray (pip install -e '.[ray]')")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # it listens on this machine alone
    monkeypatch.setenv("SPECAUG_STORAGE", "postgresql://me:s3cret@127.0.0.1:9/x")
    monkeypatch.setenv("WANDB_API_KEY", "k3y" * 14)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "seen"))
    with tempfile.TemporaryDirectory() as folder:  # a short name: Ray's sockets lie there
        ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, _temp_dir=folder)
        with pytest.raises(UserError, match=r"postgresql://me:\*\*\*@127\.0\.0\.1:9/x: cannot be reached"):
            on_ray(["sweep", "worker", "s"], 1, tmp_path)
        ray.shutdown()
        written = [path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()]
    assert any(str(tmp_path / "seen").encode() in text for text in written)  # it does write down variables
    assert not any(b"s3cret" in text or b"k3yk3y" in text for text in written)


def test_a_node_that_does_not_share_the_disk_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no folder .*elsewhere or .*; expected a shared disk"):
        served(["init", "there"], str(tmp_path / "log"), str(tmp_path / "elsewhere"), {})


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_worker_ends_with_its_task_however_that_ends(tmp_path):
    pipe, log = pipe_in(tmp_path), tmp_path / "log"
    words = ["train", str(pipe)]
    program = f"from specaug.study.sweep.on_ray import served; served({words!r}, {str(log)!r}, {str(tmp_path)!r}, {{}})"
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
