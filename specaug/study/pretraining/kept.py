"""The encoder's weights as a file: `encoder.safetensors`, with the resolved recipe in its header."""

import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from specaug.errors import UserError
from specaug.speech.corpora.options import CorpusOptions
from specaug.speech.options import Features
from specaug.study.load import plain, validated_as
from specaug.study.places import replaced
from specaug.study.pretraining.recipe import Pretraining

KEPT = "encoder.safetensors"
# One key alone: safetensors writes several in any order, and the file's hash would be another
HEADER = "recipe"
PLAIN = (int, float, str, bool)
SIZES = {
    "mel": "mel channels",
    "t": "frames of a patch (t)",
    "f": "channels of a patch (f)",
    "width": "width",
    "depth": "depth",
    "heads": "heads",
    "slope": "slope",
}
HEARD = {"window": "s", "shift": "s", "lowest": "Hz", "highest": "Hz", "floor": "dB"}


@dataclass(frozen=True)
class Kept:
    """What such a file holds."""

    where: str  # it is, as messages say it
    weights: Mapping[str, Tensor]
    shape: Mapping[str, int | float]  # SIZES that its recipe says, and mel; empty without one
    heard: Mapping[str, float | None]  # HEARD, of its features, that it says
    corpus: CorpusOptions | None  # that it was pretrained on; None where that is not known
    digest: str  # SHA-256 of the file


def keep(encoder: nn.Module, recipe: Pretraining, rate: int | None, path: Path) -> None:
    """Write the weights under a temporary name, and rename the file: it is whole or it is not there.

    `rate` is that of what it was pretrained on, in Hz; None where that were features.
    """
    weights = {
        name: tensor.detach().cpu().contiguous().clone() for name, tensor in encoder.state_dict().items()
    }
    header = json.dumps(plain(written_out(recipe, encoder, rate)), sort_keys=True)
    replaced(path, save(weights, {HEADER: header}))


def written_out(recipe: Pretraining, encoder: nn.Module, rate: int | None) -> Pretraining:
    """The recipe with the encoder's own defaults beside the arguments that it gives, and where its topmost channel ends."""
    parameters = inspect.signature(type(encoder)).parameters.values()
    usual = {p.name: p.default for p in parameters if isinstance(p.default, PLAIN)}
    arguments = {**usual, **recipe.network.arguments}
    features = recipe.features
    heard = features if rate is None else replace(features, highest=features.up_to(rate))
    return replace(recipe, features=heard, network=replace(recipe.network, arguments=arguments))


def heard_by(features: Features) -> dict[str, float | None]:
    """What makes features what they are, beside the number of channels."""
    return {name: getattr(features, name) for name in HEARD}


def opened(path: Path) -> Kept:
    """What the file holds. Raises UserError where it cannot be read, or is none of these."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"network.init: {path}: {error.strerror}; expected the {KEPT} of a pretraining"
        ) from None
    try:
        weights = load(content)
    except SafetensorError as error:
        first = (str(error).splitlines() or [""])[0]
        raise UserError(
            f"network.init: {path}: no safetensors ({first}); expected the {KEPT} of a pretraining"
        ) from None
    shape, heard, corpus = said_in(content)
    return Kept(f"network.init: {path}", weights, shape, heard, corpus, hashlib.sha256(content).hexdigest())


def said_in(
    content: bytes,
) -> tuple[dict[str, int | float], dict[str, float | None], CorpusOptions | None]:
    """The encoder's sizes and what it was pretrained on, as the header says; nothing where it is another's file."""
    size = int.from_bytes(content[:8], "little")
    header: Any = json.loads(content[8 : 8 + size]).get("__metadata__", {}).get(HEADER, "{}")
    try:
        recipe = json.loads(header)
        features = recipe["features"]
        given = {"slope": 0.0, "mel": features["mel"], **recipe["network"]["arguments"]}
    except (ValueError, LookupError, TypeError):
        return {}, {}, None
    shape = {name: given[name] for name in SIZES if isinstance(given.get(name), int | float)}
    heard = {name: features[name] for name in HEARD if name in features}
    return shape, heard, corpus_in(recipe)


def corpus_in(recipe: Any) -> CorpusOptions | None:
    """The corpus that a header names; None where it names none that is known today."""
    try:
        return validated_as(Pretraining, {"corpus": recipe["corpus"]}, HEADER).corpus
    except (UserError, LookupError):
        return None
