"""Which of Optuna's samplers and pruners a sweep means, with every argument written out."""

from collections.abc import Callable

from optuna.pruners import BasePruner, HyperbandPruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler

from specaug.study.sweep.options import Sweep

SMOOTH = 200  # trials up to which a Gaussian process is the better model, and fast enough
STARTUP = 10  # trials before the first suggestion that has learned something
FLOOR = 25  # percent of the training, before which Hyperband ends nothing: heavier masks start slower


def sampler_name(sweep: Sweep) -> str:
    """The sampler that is meant: a Gaussian process, or TPE for long sweeps and where symbols depend on others."""
    if sweep.sampler != "auto":
        return sweep.sampler
    conditional = any(axis.when for axis in sweep.space.values())
    return "tpe" if conditional or sweep.trials > SMOOTH else "gp"


def sampler_of(sweep: Sweep | None) -> Callable[[int], BaseSampler]:
    """The sampler, given how many trials are finished: its numbers depend on that and on the seed alone."""
    if sweep is None:
        return lambda finished: RandomSampler(seed=finished)  # nothing is searched
    name = sampler_name(sweep)

    def make(finished: int) -> BaseSampler:
        seed = (sweep.seed * 1_000_003 + finished) % 2**31
        if name == "gp":
            return GPSampler(seed=seed, n_startup_trials=STARTUP, deterministic_objective=False)
        if name == "tpe":
            return TPESampler(
                seed=seed, n_startup_trials=STARTUP, multivariate=True, group=True, constant_liar=True
            )
        return RandomSampler(seed=seed)  # what is not designed beforehand

    return make


def pruner_of(sweep: Sweep | None) -> BasePruner:
    """The pruner: none (Optuna's own default prunes), or Hyperband with a floor; steps are percent of the training."""
    if sweep is None or sweep.pruner == "none":
        return NopPruner()
    return HyperbandPruner(min_resource=FLOOR, max_resource=100)
