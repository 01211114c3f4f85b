import subprocess
import sys

import pytest

import specaug

FINDER = """
import sys
from importlib.machinery import PathFinder

class Absent:  # finds all that the others find, but these
    OTHERS = list(sys.meta_path)
    NAMES = {
        "beartype", "filelock", "jiwer", "lhotse", "lightning", "matplotlib", "numba", "numpy", "optuna", "pandas",
        "pydantic", "pytorch_lightning", "rich", "safetensors", "scipy", "soundfile", "torchaudio",
        "torchmetrics", "wandb", "yaml",
    }

    find_distributions = staticmethod(PathFinder.find_distributions)

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.NAMES:
            return None
        specs = (other.find_spec(name, path, target) for other in self.OTHERS)
        return next((spec for spec in specs if spec), None)

sys.meta_path[:] = [Absent()]
"""


def run(root, program: str) -> str:
    command = [sys.executable, "-W", "ignore", "-c", FINDER + program]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def test_the_transform_runs_where_nothing_but_torch_can_be_imported(root):
    program = """
import specaug
from specaug import LD, SpecAugment
import torch
try:
    import numpy
except ModuleNotFoundError:
    print("no numpy")
features = torch.ones(2, 50, 80)
print((SpecAugment(LD, seed=0)(features, torch.tensor([50, 30])) == 0).any().item())
"""
    assert run(root, program) == "no numpy\nTrue\n"


def test_the_package_alone_imports_neither_torch_nor_jaxtyping(root):
    program = """
import specaug
specaug.LD.scaled(0.5)
print(sorted({"torch", "jaxtyping"} & sys.modules.keys()))
"""
    assert run(root, program) == "[]\n"


@pytest.mark.parametrize("name", specaug.__all__)
def test_every_public_name_is_there(name):
    assert getattr(specaug, name) is not None


@pytest.mark.parametrize("name", ["SpecAugment", "Draws", "draw", "make_keys", "apply"])
def test_a_name_that_is_imported_late_is_the_one_that_is_asked_for(name):
    assert getattr(specaug, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'specaug' has no attribute 'Specaugment'"):
        specaug.Specaugment  # noqa: B018 - to ask is the test
