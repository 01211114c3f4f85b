from dataclasses import replace

import pytest

from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.run import Run
from specaug.study.screen import EVERY, Screen
from specaug.training.callbacks import Progress


@pytest.fixture
def run(tiny):
    return Run("tiny", load(tiny / "experiments" / "tiny.yaml", ["policy=LD"]).run(), Places.of(tiny))


def at(step: int, wer: float | None = None) -> Progress:
    return Progress(step=step, steps=100, epoch=2, epochs=4, loss=1.5, wer=wer)


def said(capsys) -> list[str]:
    kept = capsys.readouterr()
    assert kept.out == ""  # results alone go there
    return kept.err.splitlines()


def test_without_a_terminal_a_line_comes_now_and_then(run, capsys):
    with Screen(2) as screen:
        screen.progress(run, at(10))
        screen.told -= EVERY
        screen.progress(run, at(25, 0.5))
        screen.progress(run, at(26, 0.5))
    (line,) = said(capsys)
    assert line.startswith("[0 of 2 runs done, 0:0")
    assert line.endswith("left] LD x 0.1, seed 0: epoch 2 of 4, loss 1.500, dev WER 50.0 %")


def test_the_time_left_is_the_time_spent_times_what_is_left_by_what_is_done(run, capsys):
    with Screen(2) as screen:
        screen.started -= 100
        screen.told -= EVERY
        screen.progress(run, at(50))  # a quarter of all
    assert "0 of 2 runs done, 5:00 left" in said(capsys)[0]


def test_what_comes_before_a_run_is_told_and_is_no_part_of_it(run, capsys):
    with Screen(2) as screen:
        screen.progress(run, at(50))
        screen.told -= EVERY
        screen.progress(run, replace(at(50), stage="pretraining"))
        screen.told -= EVERY
        screen.progress(run, replace(at(0), stage="pretraining, by another process", epoch=0, epochs=0))
    pretraining, waiting = said(capsys)
    assert pretraining.startswith("[0 of 2 runs done, ? left] ")
    assert pretraining.endswith("LD x 0.1, seed 0: pretraining, epoch 2 of 4, loss 1.500")
    assert waiting.endswith("LD x 0.1, seed 0: pretraining, by another process")


def test_runs_are_counted_as_they_end(run, capsys):
    with Screen(0) as screen:
        screen.begin(5, 3)
        screen.ended(run, None)
        screen.ended(run, "why")
    assert said(capsys) == [
        "5 runs, 3 of them finished before",
        "LD x 0.1, seed 0: finished (1 of 2)",
        "LD x 0.1, seed 0: failed (2 of 2)",
    ]


def test_what_is_loaded_is_told_when_it_is_there(capsys):
    with Screen(1) as screen:
        for done in range(1, 4):
            screen.loading("features", done, 3)
    assert said(capsys) == ["features: 3 of 3"]


def test_brackets_are_text_and_no_markup(capsys):
    with Screen(1) as screen:
        screen.say("[red]policy[/red]")
    assert said(capsys) == ["[red]policy[/red]"]
