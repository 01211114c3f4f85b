"""What the tests of training share: a corpus of tones, a network of one layer, a job that takes a second."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from lightning.pytorch.loggers import Logger
from torch import Tensor, nn

from specaug.augment.policy import NONE, Policy
from specaug.speech.audio import write_audio
from specaug.speech.corpus import Corpus
from specaug.speech.manifest import Utterance
from specaug.speech.options import Features, Text
from specaug.speech.prepare import Prepared, prepare
from specaug.speech.text import Alphabet
from specaug.training.fit import Job
from specaug.training.options import Training
from specaug.training.schedule import Schedule

RATE, MEL = 8000, 16
TONES = {" ": 300.0, "a": 700.0, "b": 1300.0, "c": 2200.0, "d": 3400.0}  # Hz
ALPHABET = Alphabet("".join(TONES))
SUNG, SILENT = 0.04, 0.04  # seconds of a character, and after it
TEXTS = {
    "train": ["ab", "cab dad", "bad", "a dab", "cc d"],  # five: a batch of two is left with one
    "dev": ["dad", "a cab b"],
    "test": ["abc"],
}


def sung(text: str) -> np.ndarray:
    """One tone for each character, with silence between."""
    time = np.arange(round(SUNG * RATE)) / RATE
    silence = np.zeros(round(SILENT * RATE))
    pieces = [piece for c in text for piece in (0.5 * np.sin(2 * np.pi * TONES[c] * time), silence)]
    return np.concatenate([silence, *pieces]).astype(np.float32)


def tones(folder: Path, texts: Mapping[str, Sequence[str]] = TEXTS) -> Prepared:
    """A corpus of tones, ready for training."""
    parts: dict[str, list[Utterance]] = {}
    for part, lines in texts.items():
        parts[part] = []
        for number, text in enumerate(lines):
            path, wave = folder / f"{part}-{number}.wav", sung(text)
            write_audio(path, wave, RATE)
            seconds = len(wave) / RATE
            u = Utterance(id=path.stem, text=text, speaker="organ", duration=seconds, audio=path)
            parts[part].append(u)
    corpus = Corpus("tones", "tones", True, parts)
    text = Text(alphabet=ALPHABET.characters)
    return prepare(corpus, Features(mel=MEL), text, lambda frames: frames, folder / "cache")


@dataclass
class Seen:
    """One batch as the network got it for its loss."""

    training: bool
    features: Tensor
    lengths: list[int]
    targets: list[list[int]]


class OneLayer(nn.Module):
    """CTC over one linear layer behind dropout; keeps what it saw, and can fail at a step."""

    def __init__(self, seed: int = 0, dropout: float = 0.1, fails_at: int | None = None) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.layer = nn.Linear(MEL, ALPHABET.size)
        chance = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.layer.weight.copy_(0.1 * torch.randn(self.layer.weight.shape, generator=chance))
            self.layer.bias.zero_()
        self.fails_at = fails_at
        self.failure: BaseException = OSError("the power went out")
        self.seen: list[Seen] = []

    def loss(self, features: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        self.seen.append(Seen(self.training, features.clone(), lengths.tolist(), targets.tolist()))
        if self.training and len(self.steps) - 1 == self.fails_at:
            raise self.failure
        scores = self.layer(self.dropout(features)).log_softmax(-1).transpose(0, 1)
        total = F.ctc_loss(scores, targets, lengths, target_lengths, 0, reduction="sum")
        return total / target_lengths.sum()

    def transcribe(self, features: Tensor, lengths: Tensor) -> list[list[int]]:
        best = self.layer(features).argmax(dim=-1).tolist()
        paths = [path[:n] for path, n in zip(best, lengths.tolist(), strict=True)]
        return [[label for label, _ in groupby(path) if label] for path in paths]

    @property
    def steps(self) -> list[Seen]:
        """What was seen in training."""
        return [seen for seen in self.seen if seen.training]


class Scripted(OneLayer):
    """Writes references of one "a" rightly or wrongly, as `script` says for each epoch of `batches` steps."""

    def __init__(self, script: Sequence[bool], batches: int) -> None:
        super().__init__()
        self.script, self.batches = script, batches
        self.done = nn.Parameter(torch.zeros(()), requires_grad=False)

    def loss(self, *batch: Any) -> Tensor:
        if self.training:
            self.done += 1
        return super().loss(*batch)

    def transcribe(self, features: Tensor, lengths: Tensor) -> list[list[int]]:
        right = self.script[int(self.done) // self.batches - 1]
        return [ALPHABET.encode("a" if right else "b")] * len(lengths)


def quiet_trainer(epochs: int, *callbacks: L.Callback) -> L.Trainer:
    """A trainer that writes nothing."""
    return L.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=list(callbacks),
        logger=False,
        num_sanity_val_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


@dataclass(kw_only=True)
class Plan:
    """What a job is made of, with fitting defaults: four epochs of three batches."""

    folder: Path
    prepared: Prepared
    network: nn.Module = field(default_factory=OneLayer)
    policy: Policy = NONE
    seed: int = 0
    steps: int = 12
    loggers: Sequence[Logger] = ()
    report: Callable[[Any], None] = lambda progress: None
    options: Mapping[str, Any] = field(default_factory=dict)

    def job(self) -> Job:
        """The job; its folder is there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        schedule = Schedule(s_r=2, s_i=self.steps // 2, s_f=self.steps)
        options = Training(**{"batch": 2, "peak": 0.05, "schedule": schedule, **self.options})
        return Job(
            network=self.network,
            prepared=self.prepared,
            policy=self.policy,
            seed=self.seed,
            options=options,
            folder=self.folder,
            loggers=self.loggers,
            report=self.report,
        )
