import subprocess

import chaos
import pytest
from servers import postgres, slurm

from specaug.study.sweep.on_slurm import Wanted, on_slurm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def said(*words: str) -> list[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.splitlines()


def test_a_sweep_whose_jobs_are_sent_back_and_killed_comes_to_what_an_undisturbed_one_comes_to(
    tiny, tmp_path, monkeypatch
):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    plan, logs = chaos.planned(tiny), tmp_path / "words"
    strikes = [("--signal=USR2",), ("--signal=KILL",)]
    struck: list[str] = []
    with postgres() as server, slurm(), chaos.begun_at(plan, server.url) as study:

        def look() -> None:
            if struck:  # or it would wait for two minutes before it starts again
                said("scontrol", "update", f"JobId={struck[0]}", "StartTime=now")
            if not strikes or chaos.at_work(study) < 3 - len(struck):
                return
            fresh = [job for job in said("squeue", "-hr", "-o%i", "-tRUNNING") if job not in struck]
            if fresh:
                struck.append(fresh[0])
                said("scancel", *strikes.pop(0), fresh[0])

        words = chaos.command(plan, server.url, tiny, tmp_path / "runs")
        on_slurm(words, 3, logs, look, wanted=Wanted(partition="bench", minutes=30))
        found = chaos.finished_once(study, tmp_path / "runs" / plan.name)
        assert chaos.deaths(study) >= 2
    (sent_back,) = (logs / "slurm").glob(f"{struck[0]}_0_log.err")
    assert "DUE TO JOB REQUEUE" in sent_back.read_text()
    assert found == chaos.undisturbed(plan, tiny, tmp_path / "plain")
