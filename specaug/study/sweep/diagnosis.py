"""Whether pruning would be safe here: does the error rate of an early epoch order the trials as the final one does?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from optuna.trial import FrozenTrial
from scipy.stats import kendalltau

from specaug.study.sweep.metric import Metric
from specaug.study.sweep.objective import RUNS

FEWEST = 8  # trials of which anything can be said
SAFE = 0.8  # rank correlation above which few good trials would be pruned
BOOTSTRAPS = 400


@dataclass(frozen=True)
class Agreement:
    """How an epoch orders the trials, compared with the end: Kendall's tau with a 95 % interval."""

    epoch: int
    share: float  # of the epochs
    tau: float
    low: float
    high: float


def agreements(trials: Sequence[FrozenTrial]) -> list[Agreement]:
    """Kendall's tau between the error rate on dev at each measured epoch and the trial's value, over the trials' first runs."""
    curves = [
        (dict(map(tuple, trial.user_attrs[RUNS][0]["curve"])), trial.value)
        for trial in trials
        if trial.user_attrs.get(RUNS)
    ]
    if len(curves) < FEWEST:
        return []
    epochs = sorted(set.intersection(*(set(curve) for curve, _ in curves)))
    final = np.array([value for _, value in curves])
    found = []
    rng = np.random.default_rng(0)
    for epoch in epochs[:-1]:
        early = np.array([curve[epoch] for curve, _ in curves])
        draws = rng.integers(0, len(final), (BOOTSTRAPS, len(final)))
        taus = [tau(early[rows], final[rows]) for rows in draws]
        low, high = np.nanquantile(taus, [0.025, 0.975])
        found.append(Agreement(epoch, epoch / epochs[-1], tau(early, final), float(low), float(high)))
    return found


def tau(early: np.ndarray, final: np.ndarray) -> float:
    """Kendall's tau-b; 0 where one of the two says nothing."""
    value = float(kendalltau(early, final).statistic)
    return 0.0 if math.isnan(value) else value


def said(trials: Sequence[FrozenTrial], metric: Metric) -> list[str]:
    """The diagnosis in words."""
    found = agreements(trials)
    if not found:
        return [
            f"pruning: nothing can be said of fewer than {FEWEST} trials whose {metric.name} is measured more than once"
        ]
    what = metric.name if metric.right else "error rate"
    half = min(found, key=lambda one: abs(one.share - 0.5))
    lines = [
        f"pruning: by epoch {half.epoch} ({half.share:.0%} of the way) the {what} on dev orders the trials as at the end "
        f"with Kendall's tau {half.tau:.2f} [{half.low:.2f}, {half.high:.2f}]"
    ]
    safe = next((one for one in found if one.low >= SAFE), None)
    if safe is None:
        lines.append(
            f"pruning is not safe here: no epoch has tau above {SAFE} for certain; leave pruner: none"
        )
    else:
        lines.append(
            f"pruning is safe from epoch {safe.epoch} on (tau {safe.tau:.2f}, above {SAFE} for certain)"
        )
    return lines
