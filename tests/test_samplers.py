from dataclasses import replace

import optuna
import pytest
from searched import plan_of, searched

from specaug.study.sweep.objective import again, fresh, suggester
from specaug.study.sweep.options import Axis
from specaug.study.sweep.samplers import SMOOTH, sampler_name, sampler_of
from specaug.study.sweep.slots import SLOT, requeue, slots
from specaug.study.sweep.space import suggested

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
WIDE = {"F": Axis(low=0, high=80), "T": Axis(low=0, high=400)}
SAMPLERS = ("gp", "tpe")


def asked(study, plan, count):
    """So many trials, of which none is finished before the last has started."""
    study.sampler = sampler_of(plan.sweep)
    trials = [study.ask() for _ in range(count)]
    return trials, [suggested(plan.sweep, suggester(trial)) for trial in trials]


@pytest.fixture(params=SAMPLERS)
def begun(request, tmp_path):
    """A search whose sampler has learned something: 12 of 24 trials are finished."""
    plan = plan_of(24, space=WIDE, sampler=request.param, first=())
    return searched(tmp_path, plan, rate=lambda point: 0.1 + point["F"] / 800, until=12), plan


def test_workers_that_ask_at_the_same_time_do_not_try_the_same(begun):
    study, plan = begun
    points = asked(study, plan, 4)[1]
    assert len({tuple(point.items()) for point in points}) == 4


def test_workers_that_begin_together_do_not_try_the_same(tmp_path):
    plan = plan_of(24, space=WIDE, sampler="tpe", first=())
    points = asked(searched(tmp_path, plan, until=0), plan, 6)[1]
    assert len({tuple(point.items()) for point in points}) == 6


def test_a_slot_draws_the_same_whoever_asks_and_when(tmp_path):
    """Before anything is learned, the numbers depend on the sweep's seed and the slot alone."""
    plan = plan_of(24, space=WIDE, sampler="tpe", first=())
    drawn = []
    for place, one_by_one in enumerate((False, True)):
        (tmp_path / str(place)).mkdir()
        study = searched(tmp_path / str(place), plan, until=0)
        sizes = (1, 1, 1) if one_by_one else (3,)
        drawn.append([point for size in sizes for point in asked(study, plan, size)[1]])
    assert drawn[0] == drawn[1]


def test_another_seed_of_the_sweep_draws_others(tmp_path):
    plan = plan_of(24, space=WIDE, sampler="tpe", first=())
    other = replace(plan, sweep=replace(plan.sweep, seed=1))
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    first = asked(searched(tmp_path / "a", plan, until=0), plan, 2)[1]
    assert asked(searched(tmp_path / "b", other, until=0), other, 2)[1] != first


@pytest.mark.parametrize(
    ("trials", "when", "name"),
    [(SMOOTH, "", "gp"), (SMOOTH + 1, "", "tpe"), (20, "F > 0", "tpe")],
)
def test_a_gaussian_process_searches_what_is_short_and_unconditional(trials, when, name):
    space = {"F": Axis(low=0, high=8), "T": Axis(low=0, high=8, when=when)}
    assert sampler_name(plan_of(trials, space=space, sampler="auto").sweep) == name


def test_a_point_that_was_tried_before_gets_fresh_seeds(tmp_path):
    plan = plan_of(6, first=(), space={"F": Axis(low=0, high=1)}, sampler="random")
    study = searched(tmp_path, plan, rate=lambda _: 0.2, until=0)
    trials, points = asked(study, plan, 6)
    counts = [again(study, trial) for trial in trials]
    assert counts == [points[:place].count(point) for place, point in enumerate(points)]
    assert max(counts) > 0
    seeds = [tuple(fresh((0, 1), count)) for count in counts]
    assert len({(tuple(point.items()), own) for point, own in zip(points, seeds, strict=True)}) == 6
    assert seeds[0] == (0, 1)


def test_a_trial_that_starts_again_keeps_its_seeds(tmp_path):
    plan = plan_of(3, first=(), space={"F": Axis(low=0, high=1), "T": Axis(low=0, high=1)}, sampler="tpe")
    study = searched(tmp_path, plan, rate=lambda _: 0.2, until=0)
    trials, _ = asked(study, plan, 1)
    trials[0].set_user_attr("again", 2)
    study.tell(trials[0], state=optuna.trial.TrialState.FAIL)
    requeue(study, study.get_trials()[trials[0].number])
    later = next(trial for trial in iter(study.ask, None) if trial.user_attrs[SLOT] == 0)
    assert again(study, later) == 2
    assert slots(study)[0].running.number == later.number
