"""What training, and what decoding after it, will ask of a network, tried before the first step."""

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from specaug.errors import UserError
from specaug.speech.batching import Batch
from specaug.speech.prepare import Part
from specaug.training.contract import answering, scoring
from specaug.training.data import Share, Utterances
from specaug.training.fit import Decoder

MISTAKES = (  # what the code of a network may raise that is not right yet; no shortage of memory
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    RuntimeError,
    TypeError,
    ValueError,
)

FEW = 2  # utterances, of which one is padded
# Frames of which a further transcript is tried: an untrained network writes as many labels as it may
BRIEF = 200


def dry_run(network: nn.Module, part: Part, size: int, classes: int = 0) -> None:
    """A few of the longest utterances through loss, gradient, transcripts, and where there are classes scores.

    On a copy of the network, on the CPU, before every start: whether all fit that are worked on at once is told by what
    few of them need. Raises UserError where it does not keep its contract, or its loss is not finite.
    """
    trial, name = copy.deepcopy(network), f"network {type(network).__name__}"
    asked, batch, scores = answering(trial), longest(part, size), None
    with told_as(name, "its first batch"):
        loss = asked.loss(batch.features, batch.lengths, batch.targets, batch.target_lengths)
        loss.backward()  # type: ignore[no-untyped-call]
        trial.eval()
        with torch.no_grad():
            written = asked.transcribe(batch.features, batch.lengths)
            if classes:
                scores = scoring(trial).scores(batch.features, batch.lengths)
    require_finite(name, loss)
    utterances = len(batch.ids)
    require_all(name, len(written), utterances)
    if scores is not None and scores.shape != (utterances, classes):
        due = f"[{utterances}, {classes}], one for each class and none for label 0"
        raise UserError(f"{name}: scores are {[*scores.shape]}; expected {due}")


def try_decoders(network: nn.Module, part: Part, size: int, decoders: Sequence[Decoder]) -> None:
    """Each way of decoding once, with the candidate that tells most, on the beginnings of the utterances of `dry_run`.

    The time of a beam grows with its width and with the labels that it may write, not with those that are said: two
    seconds are enough to see that it can be asked. Raises UserError where it cannot.
    """
    if not decoders:  # a copy of a large network takes its time
        return
    trial, batch = copy.deepcopy(network).eval(), longest(part, size)
    lengths = batch.lengths.clamp(max=BRIEF)
    lengths[:-1] = lengths[:-1].clamp(max=BRIEF // 2)  # the padding that was cut away
    for decoder in decoders:
        name = f"network {type(network).__name__}: decoding {decoder.label}"
        with told_as(name, "its first batch"), torch.no_grad():
            told = max(decoder.candidates, key=len)
            written = answering(trial).transcribe(batch.features[:, :BRIEF], lengths, **told)
        require_all(name, len(written), len(batch.ids))


def require_all(what: str, written: int, utterances: int) -> None:
    """Raise UserError where there is not one transcript for each utterance."""
    if written != utterances:
        raise UserError(f"{what} transcribes {written} of {utterances} utterances")


@contextmanager
def told_as(what: str, on: str = "a batch") -> Iterator[None]:
    """What is wrong with the code of a network is told in one line, and by its name."""
    try:
        yield
    except MISTAKES as error:
        first = (str(error).splitlines() or [""])[0]
        raise UserError(f"{what} fails on {on}: {type(error).__name__}: {first}") from error


def require_finite(what: str, loss: Tensor) -> None:
    """Raise UserError where the loss of the first batch is none that can be made smaller."""
    if not math.isfinite(value := float(loss.detach())):
        raise UserError(f"{what}: loss of the first batch is {value}; expected a finite one")


def longest(part: Part, size: int) -> Batch:
    """The longest utterances: as many as are worked on at once, and few of them where these are many."""
    places = sorted(range(len(part.frames)), key=lambda place: part.frames[place])
    return Utterances(part)[Share(places[-min(size, FEW) :])]
