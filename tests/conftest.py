"""What every test has: one thread, no network, repeatable hypothesis; and the real recordings, where they lie."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")

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
