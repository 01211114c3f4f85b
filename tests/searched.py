"""Finished sweeps without any training: what the trials found is a formula."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import RDBStorage

from specaug.speech.corpora.options import Manifests, Spoken
from specaug.speech.options import Text
from specaug.study.recipe import Recipe
from specaug.study.sweep.book import Plan, opened
from specaug.study.sweep.objective import POLICY, RUNS, labelled, suggester
from specaug.study.sweep.options import Axis, Confirm, Sweep
from specaug.study.sweep.slots import FAILURE, SLOT
from specaug.study.sweep.space import policy_at, suggested

SPACE = {
    "W": Axis(low=0, high=80, step=40),
    "m_F": Axis(low=0, high=3),
    "F": Axis(low=3, high=27, step=3, when="m_F > 0"),
    "m_T": Axis(low=0, high=6),
    "T": Axis(low=10, high=100, step=10, when="m_T > 0"),
    "p": Axis(choices=(0.1, 0.2, 0.5, 1.0), when="m_T > 0"),
}


def plan_of(trials: int = 24, synthetic: bool = True, classes: str | None = None, **more: Any) -> Plan:
    """A sweep over six symbols."""
    corpus = Spoken() if synthetic else Manifests(train="a", dev="b", test=("c",), title="Read speech")
    given: dict[str, Any] = {"space": SPACE, "sampler": "random", "confirm": Confirm(top=1), **more}
    return Plan(
        "widths",
        Recipe(corpus=corpus, text=Text(classes=classes)),
        Sweep(experiment="a.yaml", trials=trials, **given),
    )


def rate(point: Mapping[str, Any]) -> float:
    """An error rate to which frequency masks matter most, and warping not at all."""
    return 0.4 - 0.05 * point["m_F"] + 0.02 * (point.get("p", 0.5) - 0.5) ** 2


def searched(
    folder: Path,
    plan: Plan,
    rate: Callable[[Mapping[str, Any]], float] = rate,
    failing: tuple[int, ...] = (),
    pruned: tuple[int, ...] = (),
    until: int | None = None,
    label: str = "",
    noise: float = 0.01,
) -> optuna.Study:
    """The study of a plan, as its workers would leave it; none of the slots from `until` on is touched."""
    url = f"sqlite:///{folder / 'study.db'}"
    study, _ = opened(plan, RDBStorage(url), url)
    random = np.random.default_rng(0)
    assert plan.sweep is not None
    for slot in range(plan.trials if until is None else until):
        trial = study.ask()
        assert trial.user_attrs[SLOT] == slot
        point = suggested(plan.sweep, suggester(trial))
        errors = round(1000 * rate(point) + 1000 * noise * random.standard_normal())
        if slot in failing:
            trial.set_user_attr(FAILURE, {"kind": "bug", "why": "<b>KeyError</b>: 1 & 2"})
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        choice = labelled(policy_at(plan.sweep, point, (), 80), plan.sweep.space, point)
        trial.set_user_attr(POLICY, label or choice.label)
        trial.set_user_attr(RUNS, [facts(slot, seed, errors) for seed in plan.sweep.seeds])
        if slot in pruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, errors / 1000)
    return study


def facts(slot: int, seed: int, errors: int) -> dict[str, Any]:
    """What a study remembers of a run."""
    curve = [[1, 0.9], [2, errors / 1000 + 0.1], [3, errors / 1000]]
    wrong = [errors, 1000]
    return {
        "run": f"{slot:04x}{seed:04x}ffff",
        "seed": seed,
        "fold": 0,
        "wer": wrong,
        "cer": wrong,
        "map": [errors / 1000, 1],
        "masked": 0.25,
        "seconds": 61.5,
        "curve": curve,
    }
