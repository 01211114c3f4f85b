from dataclasses import replace

import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from searched import plan_of

from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.run import Run
from specaug.study.screen import EVERY, Screen
from specaug.study.sweep.book import listing, opened
from specaug.study.sweep.progress import Follower
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


def test_the_work_of_others_is_told_without_empty_ends_and_not_twice_alike(capsys):
    with Screen(0) as screen:
        for left, rows in (("?", []), ("?", []), ("?", [("a", "run 0 starts", 0.0)]), ("1:00", [])):
            screen.told -= EVERY
            screen.overview("0 of 6 runs", 0.0, left, rows)
    assert said(capsys) == [
        "[0 of 6 runs, ? left]",
        "[0 of 6 runs, ? left] run 0 starts",
        "[0 of 6 runs, 1:00 left]",
    ]


@pytest.mark.parametrize(("searches", "one"), [(True, "trial"), (False, "run")])
def test_a_search_is_told_in_trials_and_its_confirm_stage_in_runs(tmp_path, capsys, searches, one):
    plan = plan_of(3)
    plan = plan if searches else listing("confirm", replace(plan.recipe, seeds=(0,)))
    url = f"sqlite:///{tmp_path / 'study.db'}"
    study, _ = opened(plan, RDBStorage(url), url)
    capsys.readouterr()
    with Screen(0) as screen:
        follow = Follower(study, screen, url)
        for step in range(2):
            follow.looked, screen.told = follow.looked - 2 * EVERY, screen.told - EVERY
            if step == 1:
                study.tell(study.ask(), state=TrialState.PRUNED)
                study.ask()
            follow()
    begun, over, now = said(capsys)
    assert (begun, over) == (f"[0 of 3 {one}s, ? left]", f"{one} 0: pruned")
    assert now.startswith(f"[1 of 3 {one}s, 0:0")
    assert now.endswith(f" left] {one} 1 starts")
