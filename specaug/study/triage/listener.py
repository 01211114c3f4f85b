"""The network of a finished run, from its checkpoint, and when it heard the words of a transcript."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from specaug.errors import UserError
from specaug.speech.manifest import Utterance
from specaug.speech.options import Features
from specaug.speech.prepare import compute
from specaug.speech.text import Alphabet
from specaug.study.laboratory import on_path
from specaug.study.networks import build
from specaug.study.recipe import Recipe
from specaug.training.align import Span, word_spans
from specaug.training.checkpoints import weights_of
from specaug.training.contract import Emitting
from specaug.training.files import BEST, LAST


@dataclass(frozen=True)
class Heard:
    """An utterance as a CTC network hears it."""

    log_probs: Float[Tensor, "frames vocab"]
    step: float  # seconds a frame
    alphabet: Alphabet

    def spans(self, text: str) -> list[Span] | None:
        """When each word of `text` was spoken; None where it does not fit the utterance."""
        return word_spans(self.log_probs, text, self.alphabet, self.step)


@dataclass(frozen=True)
class Listener:
    """A trained network that tells log-probabilities."""

    network: Emitting
    features: Features
    alphabet: Alphabet

    def hear(self, utterance: Utterance) -> Heard:
        """The utterance by the network; raises UserError where its audio cannot be read.

        The frames that come out share the utterance evenly: a network of strides 2 and 2 makes ceil(n / 4) of
        n frames, so that no time is off by more than one of its frames.
        """
        rows, reading = compute(utterance, self.features)
        if reading.fault:
            raise UserError(f"{utterance.where or utterance.id}: {reading.fault}")
        with torch.inference_mode():
            features = torch.from_numpy(rows)[None]
            log_probs, frames = self.network.emissions(features, torch.tensor([len(rows)]))
        count = int(frames[0])
        return Heard(log_probs[0, :count], self.features.shift * len(rows) / max(1, count), self.alphabet)


def listener(folder: Path, recipe: Recipe, laboratory: Path) -> Listener:
    """The network that a run reported. Raises UserError that says why it can tell no times."""
    path = folder / (BEST if recipe.training.report == "best" else LAST)
    if not path.is_file():
        raise UserError("no checkpoint in the run folders (kept runs have none)")
    if recipe.text.pieces:
        raise UserError("its labels are word pieces; times are told of characters alone")
    alphabet = Alphabet(recipe.text.alphabet)
    with on_path(laboratory):
        network = build(recipe.network, recipe.features.mel, alphabet.size, laboratory)
    if not isinstance(network, Emitting):
        raise UserError(
            f"network {recipe.network.path} has no method 'emissions'; a CTC network may have one"
        )
    network.load_state_dict(weights_of(path, network))
    network.eval()
    return Listener(network, recipe.features, alphabet)
