"""What policies scored in a search: all trials of one together, since a search comes back to what was good."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial

from specaug.study.stats.statistics import LEVEL, MIN_SEEDS, Estimate
from specaug.study.stats.variance import student_quantile
from specaug.study.sweep.metric import Metric
from specaug.study.sweep.objective import POLICY, RUNS


@dataclass(frozen=True)
class Score:
    """One policy's finished trials, each on seeds of its own."""

    policy: str
    metric: Metric
    trials: Sequence[FrozenTrial]

    @property
    def value(self) -> float:
        """The error rate over all its runs: every trial has as many, on the same utterances."""
        return float(np.mean([trial.value for trial in self.trials]))

    @property
    def params(self) -> dict[str, Any]:
        """Its point of the space."""
        return dict(self.trials[0].params)

    @property
    def runs(self) -> list[Mapping[str, Any]]:
        """What is remembered of its runs."""
        return [run for trial in self.trials for run in trial.user_attrs.get(RUNS, [])]

    @property
    def masked(self) -> float | None:
        """The share of the cells that was hidden in its runs; None where nothing is remembered of them."""
        return masked_in(self.runs)

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % by Student's distribution over the seeds, the folds of one pooled; None where they are too few."""
        by_seed: dict[int, list[Sequence[int]]] = {}
        for run in self.runs:
            by_seed.setdefault(run["seed"], []).append(run[self.metric.counts])
        if len(by_seed) < MIN_SEEDS:
            return None
        rates = [sum(e for e, _ in one) / max(1, sum(n for _, n in one)) for one in by_seed.values()]
        error = float(np.std(rates, ddof=1)) / len(rates) ** 0.5
        arm = student_quantile(1 - LEVEL / 2, len(rates) - 1.0) * error
        return max(0.0, self.value - arm), self.value + arm

    def said(self) -> str:
        """The rate in percent, how sure it is, the policy, and what it hid, if anything; what is right in the place of errors has its name."""
        name = f"{self.metric.name} " if self.metric.right else ""
        rate = f"{name}{self.metric.percent(self.value):.2f} %{self.spread()} {self.policy}".rstrip()
        return f"{rate}: {self.masked:.1%} of the cells hidden" if self.masked else rate

    def spread(self) -> str:
        """The interval over the seeds, or how far runs that are too few for one lie apart."""
        if self.interval is not None:
            told = self.metric.measure.rate(Estimate(self.value, *self.interval))
            return f" [{100 * (told.low or 0.0):.1f}, {100 * (told.high or 0.0):.1f}]"
        counts = [run[self.metric.counts] for run in self.runs]
        rates = [self.metric.percent(errors / max(1, total)) for errors, total in counts]
        return f" ({min(rates):.1f} to {max(rates):.1f} by run)" if len(rates) > 1 else ""


def masked_in(runs: Sequence[Mapping[str, Any]]) -> float | None:
    """The share of the cells that was hidden in runs, as they are remembered; None of no run."""
    return sum(run["masked"] for run in runs) / len(runs) if runs else None


def scores(trials: Iterable[FrozenTrial], metric: Metric) -> list[Score]:
    """The policies of finished trials, best first."""
    by_policy: dict[str, list[FrozenTrial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        by_policy.setdefault(trial.user_attrs.get(POLICY, f"trial {trial.number}"), []).append(trial)
    found = [Score(policy, metric, there) for policy, there in by_policy.items()]
    return sorted(found, key=lambda score: (score.value, score.trials[0].number))
