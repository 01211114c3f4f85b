import os
import pickle
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from ranks import FRAMES, IDS, POLICY, Utterances
from works import failing, leaving, staying, summed

from specaug.augment.apply import apply
from specaug.augment.draws import draw
from specaug.augment.keys import make_keys
from specaug.errors import UserError
from specaug.training.ranks import Died, enough, packed, together


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_masks_depend_on_the_utterance_and_not_on_its_process_worker_or_batch(root, tmp_path, workers):
    command = [sys.executable, str(root / "tests" / "ranks.py"), str(tmp_path), str(workers)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run(command, cwd=root, check=True, capture_output=True, timeout=240, env=environment)
    ranks = [torch.load(tmp_path / f"rank-{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert [len(seen) for seen in ranks] == [12, 12]  # two epochs of six utterances each
    seen = ranks[0] | ranks[1]
    assert set(seen) == {(epoch, name) for epoch in (0, 1) for name in IDS}
    whole = torch.stack([Utterances()[place]["features"] for place in range(12)])
    lengths = torch.tensor(FRAMES)
    for epoch in (0, 1):
        by_hand = apply(whole, lengths, draw(POLICY, lengths, 16, make_keys(3, epoch, IDS)))
        for place, name in enumerate(IDS):
            assert torch.equal(seen[epoch, name], by_hand[place])
    assert not torch.equal(seen[0, IDS[0]], seen[1, IDS[0]])


def running(process: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_ranks_form_a_group_whatever_a_surrounding_job_says_of_itself(monkeypatch):
    for name, value in {"SLURM_PROCID": "3", "WORLD_SIZE": "9", "RANK": "5", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    heard: list[str] = []
    assert together(summed, 10.0, 2, heard.append) == (30.0, 1, 2)
    assert sorted(heard) == ["rank 0", "rank 1"]


@pytest.mark.slow
def test_an_error_in_a_rank_is_raised_here_with_its_trace():
    with pytest.raises(FileNotFoundError) as caught:
        together(failing, FileNotFoundError(2, "no such file", "x.pt"), 2, print)
    assert (caught.value.errno, caught.value.filename) == (2, "x.pt")
    (note,) = caught.value.__notes__
    assert note.startswith("in rank 1 of 2:\nTraceback")


@pytest.mark.slow
def test_a_rank_that_leaves_without_a_word_is_told_in_one_line():
    with pytest.raises(Died) as caught:
        together(leaving, 7, 2, print)
    assert str(caught.value) == (
        "rank 1 of 2 died (status 7); the next start continues from the last checkpoint"
    )


@pytest.mark.slow
def test_whatever_ends_the_wait_ends_all_ranks():
    processes: list[int] = []

    def hear(process: int) -> None:
        processes.append(process)
        if len(processes) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        together(staying, None, 2, hear)
    assert not any(map(running, processes))


@pytest.mark.slow
def test_ranks_leave_when_the_process_that_started_them_is_killed(root):
    program = "from works import staying; from specaug.training.ranks import together; import functools\n"
    program += "together(staying, None, 2, functools.partial(print, flush=True))"
    environment = {**os.environ, "PYTHONPATH": f"{root}:{root / 'tests'}"}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        processes = [int(parent.stdout.readline()) for _ in range(2)]
        assert all(map(running, processes))
        parent.kill()
    end = time.monotonic() + 60
    while any(map(running, processes)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(running, processes))


def test_a_memory_mapped_array_is_sent_as_the_file_that_it_shows(tmp_path):
    rows = np.arange(300_000, dtype=np.float32).reshape(-1, 3)
    rows.tofile(tmp_path / "rows")
    mapped = np.memmap(tmp_path / "rows", np.float32, "c", shape=rows.shape)
    parcel = packed({"one": mapped, "other": mapped, "piece": mapped[5:7]})
    assert len(parcel) < 1000
    again = pickle.loads(parcel)  # noqa: S301
    assert isinstance(again["one"], np.memmap)
    assert again["one"] is again["other"]
    assert np.array_equal(again["one"], rows)
    assert np.array_equal(again["piece"], rows[5:7])


def test_what_a_rank_cannot_import_is_refused_in_one_line():
    with pytest.raises(UserError, match=r"a rank cannot be told its work: .*; expected classes that can be"):
        packed(lambda: None)


@pytest.mark.parametrize(("gpus", "fits"), [(0, True), (1, False), (2, False), (3, True), (8, True)])
def test_a_run_asks_for_no_more_gpus_than_there_are_where_there_are_any(monkeypatch, gpus, fits):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    if fits:
        enough(3)
        return
    with pytest.raises(UserError, match=f"devices is 3; expected at most {gpus}, the GPUs of this machine"):
        enough(3)
