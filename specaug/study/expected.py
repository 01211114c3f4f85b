"""What a policy is expected to hide in the training utterances of a corpus."""

from specaug.augment.coverage import Coverage
from specaug.speech.corpus import TRAIN
from specaug.speech.prepare import Prepared
from specaug.study.recipe import Recipe


def expected(recipe: Recipe, data: Prepared) -> Coverage | None:
    """What the policy of a run hides on average, by calculation; None where there is no closed form."""
    return recipe.policy.policy().coverage(data.parts[TRAIN].frames, recipe.features.mel)


def hides(share: Coverage | None) -> str:
    """The expected share hidden, in words."""
    if share is None:
        return "; no closed form for what it hides"
    rest = f"{share.frames:.1%} of the frames, {share.channels:.1%} of the channels"
    return f"; hides {share.cells:.1%} of the cells ({rest}) on average"
