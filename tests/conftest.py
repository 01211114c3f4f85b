"""What every test has: one thread, no network, repeatable hypothesis; and the real recordings, where they lie."""

import json
import os
import re
import shutil
import socket
import sqlite3.dbapi2
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from beartype import BeartypeConf
from beartype.claw import beartype_packages
from hypothesis import settings
from jaxtyping import install_import_hook

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")


def with_shapes() -> list[str]:
    """The modules whose signatures say shapes, or name what is imported for a type checker alone."""
    files = (file for folder in ("specaug", "models") for file in (ROOT / folder).rglob("[!_]*.py"))
    said = (file for file in files if re.search("from jaxtyping|TYPE_CHECKING", file.read_text()))
    return sorted(".".join(file.relative_to(ROOT).with_suffix("").parts) for file in said)


# Every call in a test is checked against its signature. Where that says shapes these are held against each other, which
# takes ten times as long. Two modules refuse values of a wrong type themselves, as tests see.
install_import_hook(with_shapes(), "beartype.beartype")
CAREFUL = ("specaug.augment.operations", "specaug.speech.manifest")
beartype_packages(
    ("specaug", "models"), conf=BeartypeConf(claw_is_pep526=False, claw_skip_package_names=CAREFUL)
)

os.environ["WANDB_MODE"] = "offline"  # before anything imports wandb
os.environ.pop("WANDB_API_KEY", None)
torch.set_num_threads(1)
settings.register_profile("ci", derandomize=True, max_examples=50, deadline=None)
settings.load_profile("ci")


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """A connection to anywhere but this machine fails, at once and by name."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(LOOPBACK):
            raise OSError(f"tests use no network; this one asked for {address[0]}")
        connect(self, address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_waiting_for_the_disk() -> Iterator[None]:
    """What a test writes is there for the next one without being forced onto the disk: no test loses power."""
    connect = sqlite3.dbapi2.connect

    def at_ease(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.execute("PRAGMA synchronous = OFF").close()
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        patch.setattr(sqlite3.dbapi2, "connect", at_ease)
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def fsdd_source() -> Path:
    """The data folder (SPECAUG_DATA, or data/ in the checkout) that holds the digit recordings."""
    data = Path(os.environ.get("SPECAUG_DATA") or ROOT / "data")
    recordings = data / "free-spoken-digit-dataset" / "recordings"
    if not recordings.is_dir():
        pytest.skip(f"{recordings}: no such folder")
    return data


TONES = {  # part: transcripts; each letter is spoken as a tone of its own
    "train": ["ab", "ba", "a b", "b a", "abc", "cab"],
    "dev": ["bc", "c a"],
    "test": ["ac", "b c"],
}
TINY = """corpus: {name: manifests, train: data/train.jsonl, dev: data/dev.jsonl, test: [data/test.jsonl]}
features: {mel: 32}
network: {path: models.bilstm.BiLSTMCTC, arguments: {width: 8, depth: 1}}
training: {batch: 2, peak: 1e-2, schedule: {s_r: 2, s_i: 6, s_f: 12}}
scale: 0.1
policies: [None, LD]
seeds: [0, 1]
"""


def speak(path: Path, text: str, rate: int = 8000) -> float:
    """Write 0.2 s of tone for each letter, and return the seconds."""
    time = np.arange(rate // 5) / rate
    tones = [0.3 * np.sin(2 * np.pi * 400 * (ord(c) - 95) * time) * (c != " ") for c in text]
    wave = np.concatenate([*tones, np.zeros(rate // 10)])
    soundfile.write(path, wave, rate)
    return len(wave) / rate


def lay_out(folder: Path) -> Path:
    """A laboratory with a copy of models/, a corpus of ten utterances and a recipe of four epochs."""
    shutil.copytree(ROOT / "models", folder / "models", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("data", "experiments"):
        (folder / name).mkdir()
    (folder / "experiments" / "tiny.yaml").write_text(TINY)
    for part, texts in TONES.items():
        rows = [
            {
                "id": f"{part}-{place}",
                "audio_filepath": f"{part}-{place}.wav",
                "duration": speak(folder / "data" / f"{part}-{place}.wav", text),
                "text": text,
                "speaker": f"{part}-speaker",
            }
            for place, text in enumerate(texts)
        ]
        (folder / "data" / f"{part}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A laboratory that tests share; they write their runs elsewhere."""
    return lay_out(tmp_path_factory.mktemp("tiny") / "laboratory")


@pytest.fixture
def laboratory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A laboratory of a test's own, without W&B."""
    monkeypatch.setenv("WANDB_MODE", "disabled")
    for name in ("SPECAUG_DATA", "SPECAUG_CACHE", "SPECAUG_RUNS"):
        monkeypatch.delenv(name, raising=False)
    return lay_out(tmp_path / "laboratory")


@pytest.fixture(scope="session", autouse=True)
def _hints_of_today() -> Iterator[None]:
    """Hints are remembered by how they print (beartype), and one laboratory's `models` print as another's before them."""
    from beartype._cache.cacheclear import clear_caches

    from specaug.study import laboratory

    forget = laboratory._forget_models

    def forget_all() -> None:
        forget()
        clear_caches()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(laboratory, "_forget_models", forget_all)
        yield


@pytest.fixture(scope="session")
def tone_corpus(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A corpus of tones (Prepared), five utterances to train on."""
    from standins import tones  # here, so that what it imports is imported with its shapes checked

    return tones(tmp_path_factory.mktemp("tones"))


@pytest.fixture(scope="session")
def records() -> Callable[[Path], list[dict[str, Any]]]:
    """What a W&B folder holds, record by record, as W&B's own reader tells it."""

    def inspect(folder: Path) -> list[dict[str, Any]]:
        command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return inspect
