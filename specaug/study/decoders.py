"""The ways of decoding that a recipe lists, ready to be used: language models are made here, once, or opened."""

import hashlib
import importlib
import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from specaug.errors import UserError, installing
from specaug.speech.corpus import DEV, TRAIN
from specaug.speech.kinds import Tell
from specaug.speech.once import make_once
from specaug.speech.prepare import Prepared
from specaug.study.networks import constructed
from specaug.study.places import Places
from specaug.study.recipe import Network, Recipe, digest
from specaug.training.decoding import LanguageModel
from specaug.training.fit import Decoder
from specaug.training.language import perplexity_of, trained_language

VERSION = 1  # of how a language model is trained: another one gets another folder
WEIGHTS, MEASURED = "language.pt", "dev.json"
NGRAMS = "models.ngrams"


def require_decodings(recipe: Recipe, network: nn.Module) -> None:
    """Raise UserError where the network does not know what a decoding would tell it."""
    known = inspect.signature(network.transcribe).parameters  # type: ignore[arg-type]
    for decoding in recipe.decodings:
        told = {name for candidate in decoding.candidates() for name in candidate}
        missing = sorted((told | ({"lm"} if decoding.lm else set())) - set(known))
        if missing:
            name = type(network).__name__
            raise UserError(f"decoding {decoding.label}: {name}.transcribe has no {', '.join(missing)}")


def decoders(
    recipe: Recipe,
    data: Prepared,
    places: Places,
    tell: Tell = lambda *_: None,
    say: Callable[[str], None] = lambda what: None,
) -> list[Decoder]:
    """Each decoding of the recipe with what it tells the network. Raises UserError where a language model does not fit.

    `say` is told how perplexed a new language model is.
    """
    found = []
    for decoding in recipe.decodings:
        lm: dict[str, Any] = {}
        facts: dict[str, float] = {}
        if decoding.lm is not None:
            lm["lm"], facts = opened(decoding.lm, data, places, tell, say)
        found.append(Decoder(decoding.label, [{**one, **lm} for one in decoding.candidates()], facts))
    return found


def opened(
    options: LanguageModel, data: Prepared, places: Places, tell: Tell, say: Callable[[str], None]
) -> tuple[Any, dict[str, float]]:
    """The language model: n-grams from their file, or a network from the cache, trained where it is not there.

    Beside it what is known of it: a network's perplexity on the transcripts of dev, per label.
    """
    if options.ngrams:
        return ngrams(places.data / options.ngrams, data), {}
    torch.manual_seed(options.seed)
    wanted = Network(path=options.path, arguments=options.arguments)
    network = constructed(wanted, ("loss", "start"), places.laboratory, vocab=data.units.size)
    sentences = [*data.parts[TRAIN].labels, *further(options, data, places.data)]
    facts = json.dumps([VERSION, asdict(options), data.units.tokens, sentences])
    folder = places.cache / f"language-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"
    checkpoint = folder.with_suffix(".ckpt")  # not in the folder, which is there when all of it is

    def write(partial: Path) -> None:
        trained_language(
            network, sentences, options, checkpoint, lambda done, of: tell("language model", done, of)
        )
        torch.save(network.state_dict(), partial / WEIGHTS)

    make_once(folder, WEIGHTS, write)
    checkpoint.unlink(missing_ok=True)
    network.load_state_dict(torch.load(folder / WEIGHTS, weights_only=True))
    return network.eval(), {"perplexity": perplexity(network, options, data, folder, say)}


def perplexity(
    network: nn.Module, options: LanguageModel, data: Prepared, folder: Path, say: Callable[[str], None]
) -> float:
    """How perplexed a language model is by the transcripts of dev, measured once and kept beside its `folder`."""
    heard = data.parts[DEV].labels
    kept = folder.with_name(f"{folder.name}-{digest(heard)}")

    def write(partial: Path) -> None:
        value = perplexity_of(network, heard, options.batch)
        say(f"language model: perplexity {value:.4g} a label on {DEV}")
        (partial / MEASURED).write_text(json.dumps({"perplexity": value}), encoding="utf-8")

    make_once(kept, MEASURED, write)
    return float(json.loads((kept / MEASURED).read_text(encoding="utf-8"))["perplexity"])


def further(options: LanguageModel, data: Prepared, folder: Path) -> Sequence[list[int]]:
    """The sentences of the file of further text, in labels. Raises UserError naming a line that cannot be written."""
    if not options.text:
        return []
    path, sentences = folder / options.text, []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as text ({error}); expected sentences, one a line") from None
    for number, line in enumerate(lines, 1):
        try:
            sentences += [data.units.encode(" ".join(line.split()))] if line.strip() else []
        except ValueError as error:
            raise UserError(f"{path}:{number}: {error}") from None
    return sentences


def ngrams(path: Path, data: Prepared) -> Any:
    """The n-grams of a file, over the units of the recipe."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected n-grams (ARPA or KenLM's form)")
    try:
        return importlib.import_module(NGRAMS).NGrams(str(path), list(data.units.tokens))
    except ModuleNotFoundError as error:
        how = f"is not installed ({installing('lm')}; it takes cmake and a C++ compiler)"
        reason = how if error.name == "kenlm" else "is not there"
        raise UserError(f"{error.name} {reason}; expected it for n-grams") from None
    except (OSError, ValueError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise UserError(f"{path}: no language model of this recipe's labels: {first}") from None
