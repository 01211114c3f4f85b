"""What a policy is expected to hide: at full strength, and in training."""

from specaug.augment.coverage import Coverage
from specaug.speech.corpus import TRAIN
from specaug.speech.prepare import Prepared
from specaug.study.recipe import Recipe
from specaug.training.strength import Strength

UNKNOWN = "not known beforehand"


def expected(recipe: Recipe, data: Prepared) -> Coverage | None:
    """What the policy of a run hides on average in the training utterances, by calculation.

    None where that is not known beforehand: there is no closed form, or the strength changes in training.
    """
    return at_full_strength(recipe, data) if recipe.policy.strength.constant else None


def at_full_strength(recipe: Recipe, data: Prepared) -> Coverage | None:
    """The same for the policy that is named, whatever its strength; None where there is no closed form."""
    return recipe.policy.policy().coverage(data.parts[TRAIN].frames, recipe.features.mel)


def hides(share: Coverage | None, strength: Strength = Strength()) -> str:  # noqa: B008 (frozen)
    """The share that a policy hides at full strength, in words; they say so where its strength changes."""
    if share is None:
        return "; no closed form for what it hides"
    rest = f"{share.frames:.1%} of the frames, {share.channels:.1%} of the channels"
    when = "" if strength.constant else " at full strength"
    return f"; hides {share.cells:.1%} of the cells ({rest}) on average{when}"
