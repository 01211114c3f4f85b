"""Pretrainings alone: kept as results, and looked at in a page, without a run that begins with one."""

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pages import outline
from test_results import change, write_run

from specaug import cli
from specaug.errors import UserError
from specaug.speech.corpora.options import Fsdd
from specaug.study.load import as_yaml
from specaug.study.page.report import Wanted, report
from specaug.study.places import Places
from specaug.study.pretraining.recipe import Hidden, Objective, Pretraining
from specaug.study.pretraining.results import find_pretrainings, read_any, read_pretraining
from specaug.study.recipe import run_id
from specaug.study.tables import document
from specaug.study.tables.document import keep_run

PICTURE = b"\x89PNG, of four utterances"
MEASURES = ("loss", "retrieval")
TITLE = "Tones </script><b>"
SMALL = {"curves.csv", "recipe.yaml", "reconstructions.png", "result.json"}


def pretrained(runs: Path, seed: int = 0, share: float = 0.75, fold: int = 0, name: str = "tiny") -> Path:
    """The folder of a finished run of pretraining, as one leaves it; on dev its loss is 8 + seed after one epoch, then half."""
    recipe = Pretraining(
        corpus=Fsdd(fold=fold),
        hidden=Hidden(share=share),
        objective=Objective(path="models.ssast.SSAST"),
        seed=seed,
    )
    folder = runs / name / f"fold-{fold}-seed-{seed}-{run_id(recipe)}"
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(as_yaml(recipe))
    rows = [[epoch, *(told / epoch for told in (10.0, 0.2, 8.0 + seed, 0.4))] for epoch in (1, 2)]
    header = "epoch,train/loss,train/retrieval,dev/loss,dev/retrieval"
    (folder / "curves.csv").write_text(
        "".join(f"{line}\n" for line in [header, *(",".join(map(str, row)) for row in rows)])
    )
    (folder / "reconstructions.png").write_bytes(PICTURE + bytes([seed]))
    for weights in ("encoder.safetensors", "last.ckpt", "best.ckpt"):
        (folder / weights).write_bytes(b"weights")
    result = {
        "run": run_id(recipe),
        "experiment": name,
        "seed": seed,
        "fold": fold,
        "corpus": {"name": "fsdd", "title": TITLE, "synthetic": False},
        "network": {"path": "models.ast.AST", "arguments": {}, "parameters": 487584},
        "objective": {"path": "models.ssast.SSAST", "arguments": {}, "parameters": 537344},
        "hidden": {"share": share},
        "choose": "loss",
        "kept": "best",
        "final": {"epoch": 2, "loss": 9.5, "retrieval": 0.125},
        "best": {"epoch": 1, "loss": (8.0 + seed) / 2, "retrieval": 0.25},
    }
    (folder / "result.json").write_text(json.dumps(result))
    return folder


@pytest.fixture
def runs(tmp_path) -> Path:
    """The folder of three seeds, of which the last one is not finished."""
    folder = tmp_path / "runs" / "pretraining"
    for seed in (0, 1):
        pretrained(folder, seed)
    (pretrained(folder, 2) / "result.json").unlink()
    return folder / "tiny"


def page(runs: Path, *more: Path, baseline: str | None = None) -> str:
    out = runs.parent / "page.html"
    return report([runs, *more], out, Places.of(runs, None, runs), Wanted(baseline, 0, 0)).read_text()


def told(runs: Path, *words: str) -> int:
    return cli.main([words[0], str(runs), *words[1:]])


def test_what_was_measured_is_kept_and_no_weights(runs, tmp_path, capsys):
    assert told(runs, "keep", str(tmp_path / "kept")) == 0
    folders = sorted(path for path in runs.iterdir() if (path / "result.json").is_file())
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "kept" / one.name) for one in folders]
    assert len(folders) == 2
    for folder, names in zip(folders, (SMALL, SMALL - {"reconstructions.png"}), strict=True):  # by seed
        kept = tmp_path / "kept" / folder.name
        assert {path.name for path in kept.iterdir()} == names
        assert all((kept / name).read_bytes() == (folder / name).read_bytes() for name in names)


def test_of_each_pretraining_one_picture_is_kept(runs, tmp_path):
    for seed, share, fold in ((10, 0.25, 0), (3, 0.25, 0), (3, 0.25, 1), (4, 0.25, 0)):
        pretrained(runs.parent, seed=seed, share=share, fold=fold)
    assert told(runs, "keep", str(tmp_path / "kept")) == 0
    kept = sorted(path.parent.name[:13] for path in tmp_path.glob("kept/*/reconstructions.png"))
    assert kept == ["fold-0-seed-0", "fold-0-seed-3"]


def test_kept_pretrainings_give_the_page_of_the_runs_themselves(runs, tmp_path):
    assert told(runs, "keep", str(tmp_path / "kept")) == 0
    shutil.rmtree(next(runs.glob("*-seed-2-*")))
    assert page(tmp_path / "kept") == page(runs)


def test_a_large_picture_is_not_kept(runs, tmp_path, monkeypatch):
    size = len(PICTURE) + 1
    for largest, kept in ((size, SMALL), (size - 1, SMALL - {"reconstructions.png"})):
        monkeypatch.setattr(document, "PICTURE", largest)
        folder = keep_run(next(runs.glob("*-seed-0-*")), tmp_path / str(largest))
        assert {path.name for path in folder.iterdir()} == kept


def test_runs_of_both_kinds_are_kept_each_in_its_own_manner(runs, tmp_path):
    write_run(runs / "LD-0", label="LD")
    assert told(runs, "keep", str(tmp_path / "kept")) == 0
    assert "hypotheses.jsonl.xz" in {path.name for path in (tmp_path / "kept" / "LD-0").iterdir()}
    assert len(list((tmp_path / "kept").iterdir())) == 3


def without(field: str) -> Any:
    def edit(folder: Path) -> None:
        facts = json.loads((folder / "result.json").read_text())
        del facts[field]
        (folder / "result.json").write_text(json.dumps(facts))

    return edit


def put(*path: str, value: Any) -> Any:
    return lambda folder: change(folder / "result.json", path, value)


DAMAGED = [
    pytest.param(without("best"), "result.json: field best is missing", id="no best"),
    pytest.param(without("kept"), "result.json: field kept is missing", id="no choice"),
    pytest.param(put("kept", value="first"), "kept is 'first'; expected last or best", id="choice"),
    pytest.param(put("best", "loss", value="low"), "best.loss is 'low'; expected a number", id="text"),
    pytest.param(put("final", value={"epoch": 1}), "field final.loss is missing", id="no loss"),
    pytest.param(put("final", value={"loss": 1.0}), "field final.epoch is missing", id="no epoch"),
    pytest.param(put("best", "retrieval", value=[1]), "best.retrieval is [1]; expected a number", id="list"),
    pytest.param(put("seed", value=5), "recipe.yaml: seed is 1; expected 5 as in result.json", id="seed"),
    pytest.param(put("fold", value=2), "corpus.fold is 0; expected 2 as in result.json", id="fold"),
    pytest.param(
        put("objective", "path", value="models.ssast.Generative"),
        "objective.path is 'models.ssast.SSAST'; expected 'models.ssast.Generative' as in",
        id="objective",
    ),
    pytest.param(
        lambda folder: (folder / "recipe.yaml").unlink(), "recipe.yaml: no such file", id="no recipe"
    ),
    pytest.param(
        lambda folder: (folder / "result.json").write_text("{"), "result.json: not JSON", id="no JSON"
    ),
]


@pytest.mark.parametrize(("edit", "message"), DAMAGED)
def test_where_one_is_damaged_nothing_is_kept_and_no_page_is_made(runs, tmp_path, capsys, edit, message):
    edit(next(runs.glob("*-seed-1-*")))
    assert told(runs, "keep", str(tmp_path / "kept")) == 2
    assert told(runs, "report", "--out", str(tmp_path / "page.html")) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert all(line.startswith("specaug: ") and message in line for line in said)
    assert not (tmp_path / "kept").exists()
    assert not (tmp_path / "page.html").exists()


def test_a_page_has_the_measures_of_the_checkpoint_that_is_kept_seed_by_seed(runs):
    change(next(runs.glob("*-seed-1-*")) / "result.json", ["kept"], "last")
    found = outline(page(runs))
    assert found.texts("h1") == [TITLE]
    assert found.texts("h2") == ["Pretraining"]
    cells = found.texts("th") + found.texts("td")
    first, last = ["0", "1", "4.0000", "0.2500"], ["1", "2", "9.5000", "0.1250"]
    rows = [["pretraining", "seed", "epoch", *MEASURES], *(["tiny(SSAST)", *row] for row in (first, last))]
    assert cells == [cell for row in rows for cell in row]
    (line, *_) = found.texts("p")
    assert line.endswith("2 seeds · 2 runs · SSAST with AST, 487,584 parameters")
    (unfinished,) = found.texts("li")
    assert unfinished == f"Unfinished, not counted: {next(runs.glob('*-seed-2-*'))}"


def figures(found: Any) -> list[dict[str, Any]]:
    return [json.loads(text) for text in found.texts("script", type="application/json")]


def test_a_page_has_the_curves_of_every_measure_over_seeds(runs):
    found = outline(page(runs))
    drawn = [("loss", [10.0, 5.0], [8.5, 4.25]), ("retrieval", [0.2, 0.1], [0.4, 0.2])]
    for figure, (measure, train, dev) in zip(figures(found), drawn, strict=True):
        assert figure["layout"]["yaxis"]["title"]["text"] == measure
        assert {one["name"]: one["y"] for one in figure["data"] if "name" in one} == {
            "train": train,
            "dev": dev,
        }
    assert found.texts("h3") == ["tiny(SSAST)"]


def test_a_page_has_the_picture_of_the_first_seed_and_none_where_none_was_kept(runs):
    pictures = [base64.b64encode(PICTURE + bytes([seed])).decode() for seed in (0, 1)]
    assert [picture in page(runs) for picture in pictures] == [True, False]
    for path in runs.glob("*/reconstructions.png"):
        path.unlink()
    assert "<img" not in page(runs)


def test_without_curves_there_is_the_table_alone(runs):
    for path in runs.glob("*/curves.csv"):
        path.unlink()
    found = outline(page(runs))
    assert figures(found) == found.texts("h3") == []
    assert len(found.texts("p")) == 2  # what was pretrained, and what the measures are
    assert "4.0000" in found.texts("td")


def test_pretrainings_of_one_name_are_told_apart_by_what_they_hide_and_not_by_seed_or_fold(runs):
    pretrained(runs.parent, seed=0, share=0.25)
    pretrained(runs.parent, seed=0, fold=1)
    found = outline(page(runs))
    names = [text for text in found.texts("td") if text.startswith("tiny")]
    assert names == ["tiny(SSAST, share=0.25)", *["tiny(SSAST, share=0.75)"] * 3]
    assert found.texts("h3") == ["tiny(SSAST, share=0.25)", "tiny(SSAST, share=0.75)"]
    drawn = [{one["name"]: one["y"] for one in figure["data"] if "name" in one} for figure in figures(found)]
    assert [one["dev"] for one in drawn[::2]] == [[8.0, 4.0], [8.5, 4.25]]


def test_several_experiments_share_a_page(runs):
    pretrained(runs.parent, name="other")
    names = [text for text in outline(page(runs.parent)).texts("td") if text.endswith("(SSAST)")]
    assert names == ["other(SSAST)", "tiny(SSAST)", "tiny(SSAST)"]


def test_one_run_in_two_folders_is_told(runs, tmp_path):
    folder = next(runs.glob("*-seed-0-*"))
    copy = keep_run(folder, tmp_path / "kept")
    told = f"pretraining tiny, seed 0, fold 0 is also in {copy}; expected each once"
    with pytest.raises(UserError, match=f"^{folder}: {told}$"):
        find_pretrainings([runs, tmp_path / "kept"])


def test_a_baseline_is_refused_where_there_is_no_policy(runs):
    with pytest.raises(UserError, match=r"^--baseline is 'LD' with pretrainings alone; expected none"):
        page(runs, baseline="LD")


@pytest.mark.parametrize("verb", ["compare", "report"])
def test_beside_runs_that_recognise_something_they_are_refused(runs, capsys, verb):
    write_run(runs / "LD-0", label="LD")
    assert told(runs, verb) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.endswith("a run of pretraining, which recognises nothing; expected runs that start from it")


def test_they_are_compared_with_nothing(runs, tmp_path, capsys):
    assert told(runs, "compare") == 2
    (tmp_path / "results.md").write_text(f"<!-- table: {runs} -->\n<!-- end -->\n")
    assert told(tmp_path / "results.md", "tables") == 2
    for said in capsys.readouterr().err.splitlines():
        assert said.endswith(
            "a run of pretraining, which recognises nothing; expected runs that start from it"
        )


def test_where_none_is_finished_there_is_nothing_to_keep_or_to_see(runs, capsys):
    for path in runs.glob("*/result.json"):
        path.unlink()
    assert told(runs, "keep", str(runs / "kept")) == told(runs, "report") == 2
    for said in capsys.readouterr().err.splitlines():
        assert said == f"specaug: {runs}: no finished run; expected folders with result.json"


def test_a_result_of_either_kind_is_read_as_what_it_is(runs, tmp_path):
    folder = next(runs.glob("*-seed-1-*"))
    assert read_any(folder) == read_pretraining(folder)
    assert read_any(write_run(tmp_path / "LD-0", label="LD")).label == "LD"
    assert (read_any(folder).experiment, read_any(folder).heading) == ("tiny", TITLE)
    change(folder / "result.json", ["corpus", "synthetic"], True)
    assert read_any(folder).heading == f"{TITLE} (synthetic speech)"
