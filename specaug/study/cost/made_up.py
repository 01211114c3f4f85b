"""Utterances that are made up: what is measured on them are sizes and times, and those depend on lengths alone."""

from collections.abc import Callable, Sequence

import numpy as np

from specaug.speech.batching import Batch
from specaug.speech.manifest import Utterance
from specaug.speech.prepare import Part
from specaug.training.data import Share, Utterances

Made = Callable[[Sequence[int]], Part]  # of so many frames an utterance


def made_up(frames: Sequence[int], labels: float, mel: int, vocab: int) -> Part:
    """Noise of so many frames an utterance, with so many labels a frame (at least one each), none of them label 0."""
    chance = np.random.Generator(np.random.Philox(key=0))
    frames = [max(1, n) for n in frames]
    return Part(
        utterances=[
            Utterance(id=str(place), text="", speaker="", duration=float(n)) for place, n in enumerate(frames)
        ],
        labels=[chance.integers(1, max(2, vocab), max(1, round(n * labels))).tolist() for n in frames],
        frames=frames,
        starts=[0, *np.cumsum(frames[:-1]).tolist()],
        rows=chance.standard_normal((sum(frames), mel), dtype=np.float32),
    )


def batch_of(part: Part) -> Batch:
    """All utterances of a part together."""
    return Utterances(part)[Share([*range(len(part.frames))])]
