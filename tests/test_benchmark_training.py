"""The benchmark of a training step: that it times what training calls."""

import sys

import pytest
import torch

from benchmarks import training


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .train_dataloader. does not have many workers")
def test_the_share_of_augmentation_is_that_of_drawing_and_applying(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["training.py", "--rounds", "1", "--utterances", "32"])
    threads = torch.get_num_threads()
    try:
        training.main()
    finally:
        torch.set_num_threads(threads)
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    share = {row[0]: float(row[3].rstrip("%")) for row in rows[1:]}
    assert share["bare loop"] == 0
    assert 0 <= share["ours, None"] < share["ours, LD"] < 100


def test_both_halves_of_the_callback_are_timed(monkeypatch):
    now = iter(range(0, 100, 3))
    monkeypatch.setattr(training.time, "process_time", lambda: next(now))
    monkeypatch.setattr(training.Augment, "drawn", lambda *_: None)
    monkeypatch.setattr(training.Augment, "applied", lambda *_: "masked")
    timed = training.Timed(training.LD)
    timed.seconds = training.Timed.seconds = 0.0
    assert timed.drawn("batch", None) is None
    assert training.Timed.seconds == 3
    assert timed.applied("batch", None) == "masked"
    assert training.Timed.seconds == 6
