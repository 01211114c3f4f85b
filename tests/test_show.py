import subprocess
import sys

import pytest
from standins import sung

from specaug import cli
from specaug.augment.policy import NAMED
from specaug.speech.audio import write_audio
from specaug.study.choose import chosen


@pytest.fixture
def song(tmp_path):
    write_audio(tmp_path / "song.wav", sung("ab cab"), 8000)
    return str(tmp_path / "song.wav")


def test_a_picture_is_made_and_named(song, tmp_path, capsys):
    out = str(tmp_path / "a.png")
    assert cli.main(["show", "LD", "scale=0.25", "F=15", "--audio", song, "--out", out]) == 0
    assert capsys.readouterr().out == f"{out}\n"


def test_a_picture_is_of_the_masks_that_training_draws_for_the_id(song, tmp_path):
    def masks(*words: str) -> bytes:
        out = tmp_path / "a.PNG"
        assert cli.main(["show", "LD", "scale=0.25", "F=15", "--audio", song, "--out", str(out), *words]) == 0
        return out.read_bytes()

    plain = masks()
    assert plain == masks("--id", "song")
    assert plain != masks("--id", "another")


def test_the_policies_are_listed_with_what_they_hide(capsys):
    assert cli.main(["show", "--policies", "--lengths", "800,1600", "--format", "tsv"]) == 0
    header, *rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert header == ["policy", "length", "cells %", "frames %", "channels %", "symbols"]
    assert [(row[0], row[1]) for row in rows] == [(name, n) for name in NAMED for n in ("800", "1600")]
    for name, length, cells, frames, channels, symbols in rows:
        hidden = NAMED[name].coverage([int(length)], 80)
        shares = (hidden.cells, hidden.frames, hidden.channels)
        assert [cells, frames, channels] == [f"{100 * share:.1f}" for share in shares]
        assert symbols == str(NAMED[name])


def test_one_policy_is_listed_alone(capsys):
    assert cli.main(["show", "LD", "p=0.2", "--policies", "--lengths", "500"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("LD p=0.2     500")


def test_a_policy_whose_share_has_no_closed_form_is_listed_all_the_same(capsys):
    given = ["show", "LB", "operations=[SpecSub]", "--policies", "--lengths", "500"]
    assert cli.main([*given, "--format", "tsv"]) == 0
    _, row = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert row[1:5] == ["500", "?", "?", "?"]
    assert cli.main(given) == 0
    assert capsys.readouterr().out.endswith("\n? there is no closed form for what is hidden: LB + SpecSub\n")


def test_each_reason_why_a_share_is_not_known_is_told_once_below_the_table(capsys):
    assert cli.main(["show", "--policies", "--lengths", "500,800", "--mel", "20"]) == 0
    *table, note = capsys.readouterr().out.splitlines()
    assert [line.split()[2] == "?" for line in table[1:]] == [
        NAMED[line.split()[0]].channels > 20 for line in table[1:]
    ]
    few = ", ".join(name for name, policy in NAMED.items() if policy.channels > 20)
    assert note == f"? more mel channels are needed than --mel says, 20: {few}"


def test_nothing_is_noted_where_all_is_known(capsys):
    assert cli.main(["show", "--policies", "--lengths", "500"]) == 0
    assert not any(line.startswith("?") for line in capsys.readouterr().out.splitlines())


def test_a_share_is_said_to_be_that_at_full_strength_where_the_strength_changes(song, tmp_path):
    out = tmp_path / "a.svg"
    given = ["show", "LD", "scale=0.25", "strength={end: 5}", "--audio", song, "--out", str(out)]
    assert cli.main(given) == 0
    assert "on average at full strength" in out.read_text()


def test_listing_imports_nothing_slow():
    program = """
import sys
from specaug.cli import main
main(["show", "--policies"])
slow = {"torch", "matplotlib"} & set(sys.modules)
sys.exit(f"imported {slow}" if slow else 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["LX"], "specaug: show: policy: unknown policy 'LX'; did you mean", id="policy"),
        pytest.param(["LD", "G=1"], "unknown key 'policy.G'", id="symbol"),
        pytest.param(["LD", "operations=[SpecSup]"], "did you mean 'SpecSub'", id="operation"),
        pytest.param(["LD", "F=100"], "F is 100; expected at most the 80 mel channels", id="channels"),
        pytest.param(["LD", "--mel", "20"], "needs 27 mel channels; --mel is 20", id="fewer channels"),
        pytest.param(["LD", "--out", "a.bmp"], "expected a name that ends in .png, .svg, .pdf", id="format"),
        pytest.param(["LD", "--animate", "3"], "expected a name that ends in .gif", id="animation"),
        pytest.param(
            ["LD", "--animate", "0", "--out", "a.gif"], "--animate is 0; expected at least 1", id="no epoch"
        ),
        pytest.param(["LD", "--mel", "0"], "--mel is 0; expected at least 1 channel", id="no channel"),
        pytest.param(["LD", "--audio", "none.wav"], "none.wav does not exist", id="audio"),
        pytest.param(["LD", "--audio", "."], "--audio is ., a folder; expected the utterance", id="a folder"),
        pytest.param(
            ["LD", "--out", "none/a.png"], "expected a folder that exists, and none does not", id="no folder"
        ),
        pytest.param(["--policies"], "--policies prints numbers, and --audio is of a picture", id="numbers"),
        pytest.param(
            ["LD", "--lengths", "300"], "and --lengths is of numbers, with --policies", id="picture"
        ),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(song, tmp_path, capsys, arguments, said):
    given = ["show", "--audio", song, "--out", str(tmp_path / "a.png"), *arguments]
    assert cli.main(given) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["song.wav"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "show takes a policy, --audio and --out; or --policies"),
        (
            ["--policies", "--epoch", "3"],
            "--policies prints numbers, and --epoch is of a picture; expected one",
        ),
        (["LD"], "--audio is missing; expected the utterance, as in a.wav (or --policies"),
        (["LD", "--audio", "a.wav"], "--out is missing; expected the picture, as in a.png (or --policies"),
        (["Lb"], "policy: unknown policy 'Lb'; did you mean 'LB'?"),
        (["LB", "--policies", "--mel", "20"], "needs 27 mel channels; --mel is 20"),
        (["LD", "F=-3"], "show: policy: F (FrequencyMask) is -3; expected"),
        (["--policies", "--lengths", "3,x"], "--lengths are 3,x; expected whole numbers of frames"),
        (["--policies", "--lengths", "0"], "--lengths are 0; expected whole numbers of frames"),
        (["--policies", "--lengths", "500", "--mel", "0"], "--mel is 0; expected at least 1 channel"),
    ],
)
def test_what_is_missing_is_named(capsys, arguments, said):
    assert cli.main(["show", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("samples", "status"), [(199, 2), (200, 0)])
def test_an_utterance_shorter_than_a_window_is_named(tmp_path, capsys, samples, status):
    path = tmp_path / "short.wav"
    write_audio(path, sung("ab")[:samples], 8000)  # a window is 200 samples
    assert cli.main(["show", "LB", "--audio", str(path), "--out", str(tmp_path / "a.png")]) == status
    said = f"specaug: --audio is {path}, too short; expected at least 0.025 s\n"
    assert capsys.readouterr().err == (said if status else "")


def test_a_policy_on_the_command_line_is_that_of_a_recipe():
    assert chosen("LB", ["scale=0.5", "m_T=3", "operations=[SpecSub]"]).title() == "LB x 0.5 m_T=3 + SpecSub"
