"""The benchmark of the transform on a device, on the host and small; where there is a GPU, on it."""

import pytest
import torch

from benchmarks import transform


def rows(capsys, *words):
    transform.main([*words, "--shape", "8", "400", "80", "--calls", "3", "--tsv"])
    first, *table = capsys.readouterr().out.splitlines()
    header, *rows = (line.split("\t") for line in table)
    return first, [dict(zip(header, row, strict=True)) for row in rows]


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_a_device_is_measured_beside_a_copy_on_it(device, capsys):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    first, (copy, masked, drawn) = rows(capsys, "--device", device)
    card = torch.cuda.get_device_name() if device == "cuda" else "the host"
    assert first == f"# {card}, 8 x 400 x 80, float32"
    assert [copy["call"], copy["share"]] == ["copy", "1.00"]
    assert masked["call"].startswith("LD, ")
    assert drawn["call"] == masked["call"] + ", drawn before"
    for row in (copy, masked, drawn):
        moved = 2 * 4 * 8 * 400 * 80 / 1e6  # megabytes, and so gigabytes of a millisecond
        assert float(row["GB/s"]) == pytest.approx(moved / float(row["ms in a row"]), rel=0.05, abs=0.1)
        assert float(row["share"]) == pytest.approx(float(row["GB/s"]) / float(copy["GB/s"]), abs=0.05)


def test_a_call_is_timed_as_one_of_those_in_a_row(monkeypatch):
    now, called = iter([1.0, 2.0]), []
    monkeypatch.setattr(transform.time, "perf_counter", lambda: next(now))
    assert transform.elapsed(lambda: called.append(0), torch.device("cpu"), 4) == 250.0
    assert len(called) == 4


def test_masks_by_mean_take_part_in_every_engine(monkeypatch):
    monkeypatch.setattr(transform, "BATCH", 2)
    monkeypatch.setenv(transform.OVERRIDE, "")  # the calls set it
    features = torch.full((2, 200, 80), 3.0)
    calls = transform.ours(features, torch.tensor([200, 150]))
    by_mean = {name: torch.allclose(call(), features) for name, call in calls.items()}
    assert by_mean == {name: "by mean" in name for name in calls}
    assert len(by_mean) == 2 * sum(by_mean.values())
