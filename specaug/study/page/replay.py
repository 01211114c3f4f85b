"""The policy that a finished run had in force at the start of each epoch, from its recipe and its curves."""

from collections.abc import Callable

from specaug.augment.policy import Policy
from specaug.study.page.curves import WER, read_curves
from specaug.study.recipe import Recipe
from specaug.study.results import Result
from specaug.training.strength import Loop, weakened


def policy_at(recipe: Recipe, result: Result) -> Callable[[int], Policy]:
    """The policy by epoch, counted from 0; a closed loop hears again the dev WERs that it heard in training."""
    policy, strength = recipe.policy.policy(), recipe.policy.strength
    if strength.constant:
        return lambda epoch: policy
    steps = result.steps // max(1, result.epochs)
    rates = read_curves(result.folder)[WER]

    def at(epoch: int) -> Policy:
        loop = Loop(strength.rise, strength.patience)
        for when in sorted(rates):
            if strength.start <= when * steps and when <= epoch:  # the curves count from 1
                loop.heard(rates[when])
        return weakened(policy, strength.at(epoch * steps, epoch, loop.level), strength.of)

    return at
