"""The section of a page that tells what runs began with, on folders as runs leave them."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from pages import outline
from test_results import SOME, write_run

from specaug.study.comparing.reading import read_runs
from specaug.study.page.pretrainings import pretrainings

NETWORK = {"path": "models.toy.Toy", "arguments": {}, "parameters": 7}
FINAL, BEST = {"epoch": 9, "loss": 0.5, "retrieval": 0.25}, {"epoch": 4, "loss": 0.125, "retrieval": 0.75}


def begun(runs: Path, name: str, seed: int, fold: int, own: str) -> None:
    """A run, of one fold, that began with the pretraining in a folder that is called by this name and id."""
    told = {**NETWORK, "pretraining": {"name": name, "run": own}}
    folder = write_run(runs / name / f"None-{seed}-{fold}", SOME, seed=seed, fold=fold, network=told)
    content = {"objective": {"path": f"models.ssast.{name.capitalize()}"}}
    recipe = json.loads((folder / "recipe.yaml").read_text())
    recipe["corpus"] = {"name": "fsdd", "fold": fold}
    recipe["network"] = {"pretraining": {"recipe": name, "content": content}}
    (folder / "recipe.yaml").write_text(json.dumps(recipe))


def made(runs: Path, name: str, seed: int, fold: int | None, own: str, **changes: Any) -> None:
    """A pretraining, whose picture is its own folder's name."""
    folder = runs / "pretraining" / name / f"{'' if fold is None else f'fold-{fold}-'}seed-{seed}-{own}"
    folder.mkdir(parents=True)
    told = {"seed": seed, "fold": fold or 0, "kept": "last", "final": FINAL, "best": BEST, **changes}
    (folder / "result.json").write_text(json.dumps(told))
    (folder / "reconstructions.png").write_bytes(folder.name.encode())


def section(runs: Path) -> tuple[list[list[str]], list[tuple[str, str]]]:
    """The rows of its table, and each caption with the folder whose picture it is of."""
    page = "".join(pretrainings(read_runs([runs]).entries))
    rows = [re.findall(r"<t[hd][^>]*>([^<]*)<", row) for row in re.findall(r"<tr>(.*?)</tr>", page)]
    pictures = [base64.b64decode(each).decode() for each in re.findall(r"base64,([^\"]*)", page)]
    captions = [text.partition(":")[0] for text in outline(page).texts("figcaption")]
    return rows, list(zip(captions, pictures, strict=True))


@pytest.mark.parametrize(
    ("kept", "row"),
    [
        ("last", ["tiny(Tiny)", "0", "9", "0.5000", "0.2500"]),
        ("best", ["tiny(Tiny)", "0", "4", "0.1250", "0.7500"]),
    ],
)
def test_a_row_is_of_the_checkpoint_that_is_kept(tmp_path, kept, row):
    begun(tmp_path, "tiny", 0, 0, "0" * 12)
    made(tmp_path, "tiny", 0, None, "0" * 12, kept=kept)
    rows, pictures = section(tmp_path)
    assert rows == [["pretraining", "seed", "epoch", "loss", "retrieval"], row]
    assert pictures == [("tiny(Tiny), seed 0", f"seed-0-{'0' * 12}")]


def test_folds_that_each_made_their_own_are_told_apart_and_the_picture_is_of_the_first(tmp_path):
    for seed, fold in ((10, 0), (9, 2), (10, 2), (9, 0)):  # which stand in another order by their names
        own = f"{seed:02}{fold}aaaaaaaaa"
        begun(tmp_path, "tiny", seed, fold, own)
        made(tmp_path, "tiny", seed, fold, own, final={"epoch": 10 * fold + seed, "loss": 0.5})
    rows, pictures = section(tmp_path)
    assert rows[0] == ["pretraining", "fold", "seed", "epoch", "loss"]
    assert [row[1:4] for row in rows[1:]] == [
        ["0", "9", "9"],
        ["0", "10", "10"],
        ["2", "9", "29"],
        ["2", "10", "30"],
    ]
    assert pictures == [("tiny(Tiny), fold 0, seed 9", "fold-0-seed-9-090aaaaaaaaa")]


def test_no_fold_is_told_of_a_pretraining_that_all_folds_share(tmp_path):
    for seed in (0, 1):
        for fold in (0, 1):
            begun(tmp_path, "tiny", seed, fold, f"{seed}" * 12)
        made(tmp_path, "tiny", seed, 2, f"{seed}" * 12)  # of another corpus, of which it is fold 2
    rows, pictures = section(tmp_path)
    assert [row[:2] for row in rows] == [["pretraining", "seed"], ["tiny(Tiny)", "0"], ["tiny(Tiny)", "1"]]
    assert pictures == [("tiny(Tiny), seed 0", f"fold-2-seed-0-{'0' * 12}")]


def test_each_name_has_its_picture_and_of_what_one_has_not_a_dash_is_told(tmp_path):
    for fold in (0, 1):
        begun(tmp_path, "tiny", 0, fold, f"{fold}" * 12)
        begun(tmp_path, "also", 0, fold, "2" * 12)
        made(tmp_path, "tiny", 0, fold, f"{fold}" * 12)
    made(tmp_path, "also", 0, None, "2" * 12, final={"epoch": 5, "loss": 2.0})
    rows, pictures = section(tmp_path)
    assert rows == [
        ["pretraining", "fold", "seed", "epoch", "loss", "retrieval"],
        ["also(Also)", "-", "0", "5", "2.0000", "-"],
        ["tiny(Tiny)", "0", "0", "9", "0.5000", "0.2500"],
        ["tiny(Tiny)", "1", "0", "9", "0.5000", "0.2500"],
    ]
    assert [caption for caption, _ in pictures] == ["also(Also), seed 0", "tiny(Tiny), fold 0, seed 0"]


def test_nothing_is_told_of_what_is_not_at_hand(tmp_path):
    begun(tmp_path, "tiny", 0, 0, "0" * 12)
    made(tmp_path, "tiny", 0, None, "1" * 12)
    assert pretrainings(read_runs([tmp_path]).entries) == []
