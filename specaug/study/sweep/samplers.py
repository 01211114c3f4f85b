"""Which of Optuna's samplers and pruners a sweep means, with every argument written out."""

from collections.abc import Callable, Sequence
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, HyperbandPruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from specaug.study.sweep.options import Sweep
from specaug.study.sweep.slots import SLOT

SMOOTH = 200  # trials up to which a Gaussian process is the better model, and fast enough
STARTUP = 10  # trials before the first suggestion that has learned something
FLOOR = 25  # percent of the training, before which Hyperband ends nothing: heavier masks start slower


def sampler_name(sweep: Sweep) -> str:
    """The sampler that is meant: a Gaussian process, or TPE for long sweeps and where symbols depend on others."""
    if sweep.sampler != "auto":
        return sweep.sampler
    conditional = any(axis.when for axis in sweep.space.values())
    return "tpe" if conditional or sweep.trials > SMOOTH else "gp"


class BySlot(BaseSampler):
    """A sampler whose numbers depend on the slot alone, beside what was found so far.

    Workers that ask at the same time know the same; with one seed for all of them they would try the same.
    """

    def __init__(self, make: Callable[[int], BaseSampler]) -> None:
        self.make = make
        self.of: dict[int, BaseSampler] = {}  # trials that are asked for

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """A fresh sampler for the trial's slot."""
        self.of[trial.number] = self.make(int(trial.user_attrs.get(SLOT, trial.number)))
        self.of[trial.number].before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The symbols that are drawn together."""
        return self.of[trial.number].infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Those symbols."""
        return self.of[trial.number].sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A symbol by itself."""
        return self.of[trial.number].sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """The trial is over."""
        self.of.pop(trial.number).after_trial(study, trial, state, values)


def sampler_of(sweep: Sweep | None) -> BaseSampler:
    """The sampler of a search; where nothing is searched one that is never asked."""
    if sweep is None:
        return RandomSampler(seed=0)
    name, start = sampler_name(sweep), sweep.seed * 1_000_003

    def make(slot: int) -> BaseSampler:
        seed = (start + slot) % 2**31
        if name == "gp":
            return GPSampler(seed=seed, n_startup_trials=STARTUP, deterministic_objective=False)
        if name == "tpe":
            return TPESampler(
                seed=seed, n_startup_trials=STARTUP, multivariate=True, group=True, constant_liar=True
            )
        return RandomSampler(seed=seed)  # what is not designed beforehand

    return BySlot(make)


def pruner_of(sweep: Sweep | None) -> BasePruner:
    """The pruner: none (Optuna's own default prunes), or Hyperband with a floor; steps are percent of the training."""
    if sweep is None or sweep.pruner == "none":
        return NopPruner()
    return HyperbandPruner(min_resource=FLOOR, max_resource=100)
