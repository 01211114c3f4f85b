"""What the finished trials of a sweep say, worked out once for the page and whatever else shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna

from specaug.errors import UserError
from specaug.speech.corpora.options import Spoken
from specaug.study.sweep import figures
from specaug.study.sweep.book import Plan
from specaug.study.sweep.diagnosis import Agreement, agreements
from specaug.study.sweep.importance import Importance, importances
from specaug.study.sweep.metric import Metric
from specaug.study.sweep.options import Sweep
from specaug.study.sweep.progress import Standing, standing
from specaug.study.sweep.response import Coder, Curve, curves
from specaug.study.sweep.space import first_point

FEWEST = 8  # finished trials from which a surface can be learned
MOST = 150  # of which it is learned, so that it takes seconds


@dataclass(frozen=True)
class Findings:
    """What the finished trials of a search say."""

    name: str
    plan: Plan
    sweep: Sweep
    now: Standing
    first: Mapping[int, str]  # what was queued by name, by slot
    important: Sequence[Importance]  # none where trials are too few
    curves: Sequence[Curve]
    agreements: Sequence[Agreement]

    @property
    def metric(self) -> Metric:
        """What was minimised."""
        return self.now.metric

    @property
    def synthetic(self) -> bool:
        """Whether no human being spoke."""
        corpus = self.plan.recipe.corpus
        return isinstance(corpus, Spoken) or bool(getattr(corpus, "synthetic", False))

    @property
    def corpus(self) -> str:
        """What was recognised, as far as the recipe says it."""
        corpus = self.plan.recipe.corpus
        title = str(getattr(corpus, "title", "") or corpus.name)
        return f"{title} (synthetic speech)" if self.synthetic else title


def findings(study: optuna.Study, plan: Plan) -> Findings:
    """What a study found so far; raises UserError where no trial is finished, or where nothing is searched."""
    if plan.sweep is None:
        raise UserError(f"study {plan.name} makes the runs of an experiment; expected one that searches")
    now = standing(study)
    if not now.finished:
        raise UserError(
            f"study {plan.name}: none of its {len(now.slots)} trials is finished; expected at least one "
            f"(`specaug sweep status {plan.name}` says how far it is, and what failed)"
        )
    coder = Coder.of(plan.sweep)
    trials = sorted(now.finished, key=lambda trial: trial.number)
    some = [trials[place] for place in np.linspace(0, len(trials) - 1, min(MOST, len(trials))).astype(int)]
    points = [trial.params for trial in some]
    values = np.array([now.metric.percent(trial.value or 0.0) for trial in some])
    enough = len(trials) >= FEWEST
    return Findings(
        name=plan.name,
        plan=plan,
        sweep=plan.sweep,
        now=now,
        first=queued_by_name(plan, now),
        important=importances(coder, points, values) if enough else [],
        curves=curves(coder, points, values) if enough else [],
        agreements=agreements(now.finished),
    )


def queued_by_name(plan: Plan, now: Standing) -> dict[int, str]:
    """The names of the first policies, by the slot in which they were queued."""
    if plan.sweep is None:
        return {}
    names: dict[int, str] = {}
    for choice in plan.sweep.first:
        scaled = plan.recipe.scaled(choice)
        point = first_point(plan.sweep, plan.recipe, scaled)
        for slot in now.slots[: len(plan.sweep.first)]:
            if slot.trials[0].system_attrs.get("fixed_params") == point:
                names.setdefault(slot.number, scaled.title())
    return names


def drawn(found: Findings) -> dict[str, Any]:
    """The figures of a search, by what they show."""
    trials = found.now.finished
    shown = {"history": figures.history(trials, found.first, found.metric)}
    if found.important:
        shown["importance"] = figures.importance(found.important)
    for curve in found.curves:
        axis = found.sweep.space[curve.symbol]
        shown[f"response to {curve.symbol}"] = figures.response(curve, axis, trials, found.metric)
    if found.agreements:
        shown["pruning"] = figures.pruning(found.agreements)
    return shown
