import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import optuna
import pytest

from specaug.errors import UserError
from specaug.study.ablation import Experiment, Failed, ready
from specaug.study.choice import PolicyChoice
from specaug.study.load import load
from specaug.study.loggers import OFFLINE
from specaug.study.places import Places
from specaug.study.results import RESULT
from specaug.study.run import Run
from specaug.study.screen import Screen
from specaug.study.sweep.book import Plan, listing, opened, remembered
from specaug.study.sweep.conduct import Desk, Swept, conduct, confirm_runs, make_through_a_study
from specaug.study.sweep.objective import POLICY, Listed
from specaug.study.sweep.options import Axis, Confirm, Sweep
from specaug.study.sweep.slots import CONFIRM, SLOT, stop
from specaug.study.sweep.status import told
from specaug.study.sweep.storage import STORAGE, default_storage, open_storage
from specaug.study.sweep.worker import Attempt, work

SWEEP = Sweep(
    experiment="tiny.yaml",
    space={"W": Axis(low=1, high=8)},
    trials=2,
    first=(),
    sampler="random",
    confirm=Confirm(top=1, seeds=(5,), policies=(PolicyChoice(name="None"),)),
)
SEARCH, CONFIRMING = "search", "confirm"  # stages; the second has a run of None and one of the best

Event = Callable[[optuna.Study, int], None]  # what happens at a slot of a study, or after its workers


def nothing(study: optuna.Study, slot: int) -> None:
    """Happens."""


@dataclass
class Bench:
    """A sweep whose one worker is in this process, and finishes its runs without training."""

    laboratory: Path
    runs: Path
    at: Event = nothing
    left: Event = nothing
    stages: list[str] = field(default_factory=list)  # that had workers

    def __post_init__(self) -> None:
        self.url = default_storage(self.runs / "s")
        self.places = Places.of(self.laboratory, None, self.runs)
        self.storage = open_storage(self.url)
        self.plan = Plan("s", load(self.laboratory / "experiments" / "tiny.yaml"), SWEEP)
        self.desk = Desk(self.places, self.url, [], self.launched, Screen(0), beat=20, grace=60)

    def made(self) -> tuple[list[Run], list[Failed]]:
        """The runs of the experiment, made through a study, and those that failed."""
        recipe = self.plan.recipe
        runs = ready("tiny", recipe, self.places, self.desk.screen)
        return runs, make_through_a_study(Experiment("tiny", recipe, runs), self.desk)

    def launched(self, command: list[str], logs: Path, look: Callable[[], None]) -> None:
        """What a launcher does."""
        assert command[:2] == ["sweep", "worker"]
        assert logs == self.runs / command[2] / "workers"
        self.stages.append(command[2])
        study, plan = remembered(command[2], self.storage, os.environ[STORAGE])

        def objective(trial: optuna.Trial, attempt: Attempt) -> float:
            slot = trial.user_attrs[SLOT]
            value = float(trial.suggest_int("W", 1, 8)) if plan.sweep else 0.5
            trial.set_user_attr(POLICY, f"W={value:.0f}" if plan.sweep else f"run {slot}")
            self.at(study, slot)
            attempt.looked = -60.0
            attempt.look()
            if plan.sweep is None:
                folder = Listed(plan, self.places, OFFLINE).runs[slot].folder
                folder.mkdir(parents=True)
                (folder / RESULT).touch()
            return value

        work(study, self.url, objective)
        self.left(study, -1)
        look()

    def conducted(self, at: Event = nothing, left: Event = nothing) -> Swept:
        """What the sweep comes to with these events."""
        self.at, self.left = at, left
        return conduct(self.plan, self.desk)

    @property
    def study(self) -> optuna.Study:
        """The search."""
        return remembered("s", self.storage, self.url)[0]

    def reported(self) -> list[Path]:
        """The runs from which `sweep report` names a winner."""
        return confirm_runs(*remembered("s", self.storage, self.url), self.places)

    def status(self) -> list[str]:
        """What `sweep status` says."""
        return told(self.study, self.plan, self.url, "text").splitlines()


@pytest.fixture
def bench(tiny, tmp_path, monkeypatch) -> Bench:
    for name in (STORAGE, "SPECAUG_DATA", "SPECAUG_CACHE", "SPECAUG_RUNS"):
        monkeypatch.delenv(name, raising=False)
    return Bench(tiny, tmp_path)


def stage_of(study: optuna.Study) -> str:
    return SEARCH if study.study_name == "s" else CONFIRMING


def stopping(stage: str, at: int) -> Event:
    """Somebody says `sweep stop s` while a stage is at a slot."""

    def event(study: optuna.Study, slot: int) -> None:
        if (stage_of(study), slot) == (stage, at):
            stop(optuna.load_study(study_name="s", storage=study._storage))

    return event


def failing(stage: str, *at: int) -> Event:
    """Some slots of a stage fail."""

    def event(study: optuna.Study, slot: int) -> None:
        if stage_of(study) == stage and slot in at:
            raise KeyError("Q")

    return event


def test_a_sweep_searches_then_confirms_the_best_and_names_no_failure(bench):
    swept = bench.conducted()
    stage = swept.study.user_attrs[CONFIRM]
    assert bench.stages == ["s", stage]
    assert len(swept.confirmed) == 2
    assert not swept.failed
    _, plan = remembered(stage, bench.storage, bench.url)
    best = min(trial.value for trial in swept.study.trials)
    assert [choice.label for choice in plan.recipe.policies[1:]] == [f"W={best:.0f}"]
    assert STORAGE not in os.environ


@pytest.mark.parametrize("at", [0, 1])
def test_a_search_that_is_stopped_confirms_nothing_and_the_same_command_goes_on(bench, capfd, at):
    swept = bench.conducted(stopping(SEARCH, at))
    assert CONFIRM not in swept.study.user_attrs
    assert not swept.confirmed
    assert not swept.failed
    assert bench.stages == ["s"]
    assert f"s: stopped at {at} of 2; the same command goes on" in capfd.readouterr().err
    assert len(bench.conducted().confirmed) == 2


def test_a_search_that_is_stopped_after_its_last_trial_confirms_nothing(bench, capfd):
    assert not bench.conducted(left=stopping(SEARCH, -1)).confirmed
    assert bench.stages == ["s"]
    assert "s: stopped before its best are confirmed; the same command goes on" in capfd.readouterr().err


def test_whoever_stops_a_search_stops_its_confirm_stage(bench, capfd):
    swept = bench.conducted(stopping(CONFIRMING, 1))
    assert f"{bench.stages[1]}: stopped at 1 of 2; the same command goes on" in capfd.readouterr().err
    assert not swept.confirmed  # half of it would name a winner
    assert len(bench.conducted().confirmed) == 2


def test_a_report_names_a_winner_from_a_confirm_stage_that_is_over_and_from_no_other(bench):
    bench.conducted(stopping(CONFIRMING, 1))
    assert list((bench.runs / "s-confirm").glob(f"*/{RESULT}"))
    assert not bench.reported()
    confirmed = bench.conducted().confirmed
    assert bench.reported() == confirmed


def test_a_report_leaves_out_a_confirm_stage_whose_search_goes_on(bench):
    bench.conducted()
    assert bench.reported()
    bench.plan = replace(bench.plan, sweep=replace(SWEEP, trials=3))
    bench.conducted(stopping(SEARCH, 2))
    assert not bench.reported()


def test_a_report_leaves_out_a_confirm_stage_of_what_was_asked_for_before(bench):
    bench.conducted()
    changed = replace(SWEEP, confirm=replace(SWEEP.confirm, seeds=(5, 6)))
    opened(replace(bench.plan, sweep=changed), bench.storage, bench.url)  # and killed before it confirms
    assert not bench.reported()


def test_slots_of_the_confirm_stage_that_fail_have_a_line_with_policy_and_reason(bench):
    swept = bench.conducted(failing(CONFIRMING, 1))
    assert swept.failed == [f"{bench.stages[1]}: trial 1 (run 1) failed (bug): KeyError: 'Q'"]
    assert len(swept.confirmed) == 1
    assert bench.reported() == swept.confirmed


def test_slots_of_the_search_that_fail_have_one_too_and_hinder_nothing(bench):
    swept = bench.conducted(failing(SEARCH, 1))
    (line,) = swept.failed
    assert line.startswith("s: trial 1 (W=")
    assert line.endswith(") failed (bug): KeyError: 'Q'")
    assert len(swept.confirmed) == 2


def test_where_all_trials_fail_the_first_reason_is_said(bench):
    with pytest.raises(UserError, match=r"^study s: all 2 trials failed; the first \(bug\): KeyError: 'Q'$"):
        bench.conducted(failing(SEARCH, 0, 1))


def test_runs_of_an_experiment_that_fail_are_named_with_their_reason(bench):
    bench.at = failing(CONFIRMING, 2)
    runs, failed = bench.made()
    assert [run.finished for run in runs] == [True, True, False, True]
    assert [(one.run, one.why) for one in failed] == [(runs[2], "KeyError: 'Q'")]


def test_runs_of_an_experiment_that_failed_are_made_when_the_same_command_is_given_again(bench):
    bench.at = failing(CONFIRMING, 2)
    bench.made()
    bench.at = nothing
    for result in (bench.runs / "tiny").glob(f"*/{RESULT}"):
        result.unlink()  # which says nothing of the data that are looked at again
    runs, failed = bench.made()
    assert [run.finished for run in runs] == [False, False, True, False]
    assert not failed


def test_a_run_that_failed_and_was_finished_by_another_is_no_failure(bench):
    folder = Listed(listing("tiny", bench.plan.recipe), bench.places, OFFLINE).runs[2].folder

    def finishing(*_: object) -> None:
        folder.mkdir()
        (folder / RESULT).touch()

    bench.at, bench.left = failing(CONFIRMING, 2), finishing
    _, failed = bench.made()
    assert not failed


def test_trials_of_a_search_that_failed_stay_so(bench):
    failed = bench.conducted(failing(SEARCH, 1)).failed
    assert bench.conducted().failed == failed


def test_status_tells_how_far_the_confirm_stage_is_once_the_search_is_over(bench):
    seen: list[list[str]] = []
    bench.conducted(lambda study, slot: seen.append(bench.status()) if slot == 1 else None)
    searching, confirming = seen
    assert searching[1] == "2 trials: 1 finished, 1 under way, 0 waiting, 0 failed"
    assert searching[3].startswith("  under way at ")
    assert len(searching) == 4
    assert confirming[1] == "2 trials: 2 finished, 0 under way, 0 waiting, 0 failed"
    assert confirming[4] == f"confirm stage {bench.stages[1]}"
    assert confirming[5] == "2 runs: 1 finished, 1 under way, 0 waiting, 0 failed"
