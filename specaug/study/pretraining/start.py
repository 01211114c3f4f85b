"""What ordinary runs take from a pretraining: `network.init` and `network.freeze` (decisions D92, D93)."""

import copy
from pathlib import Path

from torch import nn

from specaug.errors import UserError
from specaug.speech.corpora.heard import at_fault
from specaug.speech.corpora.options import CorpusOptions, Folded
from specaug.speech.options import Features
from specaug.study.places import replaced
from specaug.study.pretraining.kept import HEARD, SIZES, Kept, heard_by, opened
from specaug.study.recipe import Network
from specaug.training.checkpoints import differing
from specaug.training.files import LAST

STARTED = "init.sha256"  # the file beside the recipe that says which weights a run was begun with


def start_from(options: Network, network: nn.Module, features: Features, laboratory: Path) -> Kept | None:
    """Load the encoder's weights into a network that is built, and freeze it, where the recipe says so; what was loaded.

    A frozen encoder has no gradients, and is in evaluation mode: no dropout. Lightning leaves that as it is.
    Raises UserError, before anything is loaded, where the file is none, or of another encoder, and says what differs.
    """
    if not options.init and options.freeze == "none":
        return None
    encoder = getattr(network, "encoder", None)
    if not isinstance(encoder, nn.Module):
        key, value = ("init", options.init) if options.init else ("freeze", options.freeze)
        raise UserError(
            f"network.{key} is {value}; expected a network that has an encoder, and {options.path} has none"
        )
    kept = opened(laboratory / options.init) if options.init else None
    if kept:
        fill(encoder, kept, features)
    if options.freeze == "encoder":
        encoder.requires_grad_(False).eval()
    return kept


def fill(encoder: nn.Module, kept: Kept, features: Features) -> None:
    """Load the weights, or none of them; an error says where they are of."""
    wanted = sizes(encoder)
    others = [
        f"{SIZES[name]} {held}, expected {wanted[name]}"
        for name, held in kept.shape.items()
        if wanted.get(name, held) != held
    ]
    trial = copy.deepcopy(encoder)
    load = getattr(trial, "load_pretrained", trial.load_state_dict)  # AST fits its positions
    try:
        load(dict(kept.weights))
    except RuntimeError:
        others = others or [differing(encoder.state_dict(), kept.weights)]
    if others:
        raise UserError(f"{kept.where}: of another encoder: {'; '.join(others)}")
    require_heard(kept, features, None)
    encoder.load_state_dict(trial.state_dict())


def require_heard(kept: Kept, features: Features, rate: int | None) -> None:
    """Raise UserError where an encoder was pretrained on features of another kind: what it learned is of other frames or bands.

    `rate` is that of the recordings in Hz, None where it is not known; the highest frequency is then compared if both say it.
    """
    wanted, heard = heard_by(features), dict(kept.heard)
    wanted["highest"] = features.highest if rate is None else features.up_to(rate)
    if None in (wanted["highest"], heard.get("highest")):
        heard.pop("highest", None)
    others = [
        f"{name} is {_told(wanted[name], unit)}; expected {_told(value, unit)}"
        for name, unit in HEARD.items()
        if (value := heard.get(name, wanted[name])) != wanted[name]
    ]
    if others:
        raise UserError(f"{kept.where}: pretrained on other features: features.{', features.'.join(others)}")


def require_unheard(where: str, heard: CorpusOptions | None, corpus: CorpusOptions) -> None:
    """Raise UserError where what an encoder was pretrained on may hold what a run tests (decision D180)."""
    if heard is None or not (faults := at_fault(heard, corpus)):
        return
    instead = "network.pretraining, of this split: each fold makes its own"
    if not isinstance(heard, Folded):
        instead = "a pretraining on train and dev of this corpus"
    raise UserError(f"{where}: pretrained on what is tested here: {', '.join(faults)}, or {instead}")


def _told(value: float | None, unit: str) -> str:
    return "null" if value is None else f"{value:g} {unit}"


def sizes(encoder: nn.Module) -> dict[str, int | float]:
    """The sizes of an encoder that it tells, and its slope."""
    cut = getattr(encoder, "cut", None)
    told = {name: getattr(cut, name, None) for name in ("mel", "t", "f")}
    told |= {name: getattr(encoder, name, None) for name in ("width", "depth", "slope")}
    heads = {module.heads for module in encoder.modules() if hasattr(module, "heads")}
    told["heads"] = heads.pop() if len(heads) == 1 else None
    return {name: size for name, size in told.items() if isinstance(size, int | float)}


def same_start(folder: Path, options: Network, laboratory: Path) -> None:
    """Write beside the recipe which weights a run starts from.

    Raises UserError where a checkpoint is there that was begun with others: the file has changed since.
    """
    if not options.init:
        return
    path, file = laboratory / options.init, folder / STARTED
    digest = opened(path).digest
    if (folder / LAST).is_file() and file.is_file() and file.read_text(encoding="utf-8") != digest:
        raise UserError(
            f"{folder}: begun with other weights than {path} holds now; expected the same, or the folder deleted, "
            "to train anew"
        )
    replaced(file, digest)


def start_of(folder: Path) -> dict[str, str]:
    """What a result says of that; nothing where a run started from chance."""
    file = folder / STARTED
    return {"init_sha256": file.read_text(encoding="utf-8")} if file.is_file() else {}
