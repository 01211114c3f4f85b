"""What the README shows is what the project does."""

import re
from pathlib import Path

import pytest
import torch

from specaug.cli import parser
from specaug.study.load import load

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def test_the_example_of_the_transform_runs_and_masks_something():
    names: dict[str, torch.Tensor] = {}
    exec(blocks("python")[0], names)
    assert names["masked"].shape == names["features"].shape
    assert (names["masked"] == 0).any()
    assert torch.equal(names["masked"][7, 500:], names["features"][7, 500:])


def test_the_recipe_loads_and_is_no_other_than_the_one_it_is_taken_from(tmp_path):
    (tmp_path / "recipe.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    shown, kept = load(tmp_path / "recipe.yaml"), load(ROOT / "experiments" / "fsdd.yaml")
    for key in ("corpus", "network", "scale", "policies", "seeds", "folds"):
        assert getattr(shown, key) == getattr(kept, key)


@pytest.mark.parametrize("line", [line for block in blocks("sh") for line in block.splitlines()])
def test_every_command_is_one_that_exists(line):
    command, *words = line.split("#")[0].split()
    if command == "make":
        assert re.search(
            rf"^{words[0]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE
        )
    elif command == "specaug":
        parser().parse_known_args(words)
    else:
        assert command == "git"


def test_it_has_at_most_two_hundred_lines():
    assert len(TEXT.splitlines()) <= 200
