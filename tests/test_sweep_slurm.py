import re
import subprocess
import time
from pathlib import Path

import chaos
import pytest
from servers import postgres, slurm

from specaug.study.sweep.on_slurm import Wanted, on_slurm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def said(*words: str) -> list[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.splitlines()


def job_of(process: int) -> str:
    """The job that the process belongs to: a task of an array."""
    lines = Path(f"/proc/{process}/environ").read_text().split("\0")
    told = dict(line.split("=", 1) for line in lines if line)
    return f"{told['SLURM_ARRAY_JOB_ID']}_{told['SLURM_ARRAY_TASK_ID']}"


def hit(process: int, limit: float = 60.0) -> bool:
    """Whether a stopped process was sent a signal, in time: SLURM passes one on when it likes."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            told = Path(f"/proc/{process}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True
        if "State:\tZ" in told or re.search(r"ShdPnd:\s*0*[1-9a-f]", told):
            return True
        time.sleep(0.05)
    return False


def test_a_sweep_whose_jobs_are_sent_back_and_killed_comes_to_what_an_undisturbed_one_comes_to(
    tiny, tmp_path, monkeypatch
):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    plan, logs = chaos.planned(tiny, "trials=12"), tmp_path / "words"  # or it is done before both have struck
    strikes = [("--signal=USR2",), ("--signal=KILL",)]
    struck: list[str] = []
    with postgres() as server, slurm(), chaos.begun_at(plan, server.url) as study:

        def look() -> None:
            if struck:  # or it would wait for two minutes before it starts again
                said("scontrol", "update", f"JobId={struck[0]}", "StartTime=now")
            if not strikes or len(chaos.at_work(study)) < 3 - len(struck):
                return
            with chaos.held(study) as at:
                fresh = {job_of(process): process for process in at.values()}
                for job in sorted(set(fresh) - set(struck))[:1]:
                    struck.append(job)
                    said("scancel", *strikes.pop(0), job)
                    assert hit(fresh[job])

        words = chaos.command(plan, server.url, tiny, tmp_path / "runs")
        on_slurm(words, 3, logs, look, wanted=Wanted(partition="bench", minutes=30))
        found = chaos.finished_once(study, tmp_path / "runs" / plan.name)
        assert not strikes
        assert chaos.deaths(study) >= 2
    (sent_back,) = (logs / "slurm").glob(f"{struck[0]}_0_log.err")
    assert "DUE TO JOB REQUEUE" in sent_back.read_text()
    assert found == chaos.undisturbed(plan, tiny, tmp_path / "plain")
