"""A disk that fills up: one line that names a folder, and nothing half-written."""

import resource
import shutil
from contextlib import contextmanager

import pytest
from test_bad_input import assert_nothing_half_written, complaint, train

from specaug import cli


@contextmanager
def small_files(size: int):
    """No file grows beyond so many bytes, as on a full disk; not for longer than needed, as pytest may write to one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("place", ["nothing", "features", "checkpoint"])
def test_no_space_left(laboratory, capfd, place):
    """Not for a probe; for that, and not for the features; for these, and not for a checkpoint."""
    if place == "checkpoint":
        assert cli.main(["data", "make", str(laboratory / "experiments" / "tiny.yaml")]) == 0
    with small_files(1000 if place == "nothing" else 20_000):
        assert train(laboratory) == 2
    line = complaint(capfd)
    assert "File too large; expected a folder with space" in line.replace("cannot be written (", "").replace(
        ")", ""
    )
    where = {"nothing": "runs", "features": "cache", "checkpoint": "runs/tiny/None-seed-0-"}[place]
    assert line.startswith(f"specaug: {laboratory / where}")
    assert_nothing_half_written(laboratory)


def test_a_run_that_ran_out_of_space_goes_on_when_there_is_some(laboratory, capfd):
    assert train(laboratory, "seed=0") == 0
    whole = next(laboratory.rglob("curves.csv")).read_bytes()
    shutil.rmtree(laboratory / "runs")
    with small_files(20_000):
        assert train(laboratory, "seed=0") == 2
    assert train(laboratory, "seed=0") == 0
    assert next(laboratory.rglob("curves.csv")).read_bytes() == whole
    assert complaint(capfd, last=False)


@pytest.mark.parametrize("folder", ["new/laboratory", "mine"])
def test_a_laboratory_is_laid_out_whole_or_not_at_all(tmp_path, capfd, folder):
    (tmp_path / "mine").mkdir()
    with small_files(1000):
        assert cli.main(["init", str(tmp_path / folder)]) == 2
    assert complaint(capfd) == f"specaug: {tmp_path / folder}: File too large; expected a folder with space"
    assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]
    assert cli.main(["init", str(tmp_path / folder)]) == 0
    assert (tmp_path / folder / "models" / "bilstm.py").is_file()


def test_a_manifest_is_converted_whole_or_not_at_all(laboratory, tmp_path, capfd):
    kaldi, out = tmp_path / "kaldi", tmp_path / "out"
    kaldi.mkdir()
    wav = laboratory / "data" / "train-0.wav"
    for name, line in {"text": "u{} a b", "utt2spk": "u{} ann", "wav.scp": f"u{{}} {wav}"}.items():
        (kaldi / name).write_text("".join(line.format(n) + "\n" for n in range(20)))
    command = ["data", "convert", "kaldi", str(kaldi), str(out / "train.jsonl")]
    with small_files(1000):
        assert cli.main(command) == 2
    assert complaint(capfd) == f"specaug: {out}: File too large; expected a folder with space"
    assert list(out.iterdir()) == []
    assert cli.main(command) == 0
