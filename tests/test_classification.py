"""Runs of classes from the recipe to the table, and encoders that were pretrained for them."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from classifying import NETWORK, with_classes
from safetensors.torch import save_file

from models.ast import AST
from specaug import cli
from specaug.errors import UserError
from specaug.speech.ranking import mean_average_precision
from specaug.speech.scoring import Errors
from specaug.study.comparing.compare import compare
from specaug.study.cost.corpus import lengths_of
from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.results import read_lines, read_result
from specaug.study.run import Run, check, execute
from specaug.study.views.shown import rates
from specaug.training.callbacks import Progress, read_curves
from specaug.training.fit import Outcome
from specaug.training.scores import Scores, Transcript

FREEZE = "network.freeze=encoder"


@pytest.fixture(autouse=True)
def _without_wandb(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Path:
    return with_classes(tmp_path_factory.mktemp("classes") / "laboratory")


def run_of(lab: Path, runs: Path, *overrides: str) -> Run:
    given = [NETWORK, "text.classes=mood", *overrides]
    return Run("tiny", load(lab / "experiments" / "tiny.yaml", given).run(), Places.of(lab, runs=runs))


@pytest.fixture(scope="module")
def told() -> list[Progress]:
    return []


@pytest.fixture(scope="module")
def finished(lab, tmp_path_factory, told) -> Run:
    run = run_of(lab, tmp_path_factory.mktemp("runs"), "policy=LD", "seed=3")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        patch.setattr("specaug.training.callbacks.Report.INTERVAL", 0.0)
        execute(run, training=told.append)
    return run


def weights(run: Run) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run.folder / "last.ckpt", weights_only=True)["state_dict"]
    return state


def test_every_hypothesis_is_one_class_and_every_reference_is_that_of_the_column(finished):
    rows = read_lines(finished.folder)
    assert {row["reference"] for row in rows} == {row["mood"].replace(" ", "_") for row in rows}
    assert {row["hypothesis"] for row in rows} <= {"so_so", "glad"}
    assert [row["words"] for row in rows] == [1] * 4


def test_the_error_rate_of_a_part_is_what_accuracy_lacks_of_1(finished):
    rows, result = read_lines(finished.folder), read_result(finished.folder)
    assert result.classes == "mood"
    for part, scores in result.parts.items():
        right = [r["reference"] == r["hypothesis"] for r in rows if r["part"] == part]
        assert 1 - scores.wer.errors / scores.wer.total == sum(right) / len(right)


def test_the_map_of_a_part_is_that_of_its_rows(finished):
    result = read_result(finished.folder)
    for part, scores in result.parts.items():
        rows = [row for row in read_lines(finished.folder) if row["part"] == part]
        assert scores.map == pytest.approx(mean_average_precision([row["missed"] for row in rows]))


def test_accuracy_and_map_on_dev_are_measured_after_every_epoch(finished):
    rows = read_curves(finished.folder / "curves.csv")
    assert len(rows) == 4
    assert all(float(row["dev/accuracy"]) == pytest.approx(1 - float(row["dev/wer"])) for row in rows)
    assert all(0 < float(row["dev/map"]) <= 1 for row in rows)


def test_progress_tells_accuracy(finished, told):
    assert finished.finished
    assert told[0].dev == ""
    assert re.fullmatch(r", dev accuracy \d+\.0 %", told[-1].dev)
    assert float(told[-1].dev.split()[-2]) == pytest.approx(100 * (1 - told[-1].wer))
    assert Progress(1, 2, 1, 2, 0.5, 0.25).dev == ", dev WER 25.0 %"
    assert Progress(1, 2, 1, 2, 0.5, 0.25, classes=True).dev == ", dev accuracy 75.0 %"
    measured = [float(row["dev/map"]) for row in read_curves(finished.folder / "curves.csv")]
    assert told[-1].map in [pytest.approx(value, abs=1e-6) for value in measured]
    assert told[0].map is None


def test_a_run_of_transcripts_has_no_map_and_its_rows_miss_nothing_of_it(tiny, tmp_path):
    recipe = load(tiny / "experiments" / "tiny.yaml", ["training.schedule.s_f=9"]).run()
    run = Run("tiny", recipe, Places.of(tiny, runs=tmp_path))
    execute(run)
    assert {part.map for part in read_result(run.folder).parts.values()} == {None}
    assert not any("missed" in row for row in read_lines(run.folder))
    assert "dev/accuracy" not in read_curves(run.folder / "curves.csv")[0]


def test_a_smaller_share_of_labels_is_another_run_on_fewer_utterances(lab, tmp_path):
    few, every = (run_of(lab, tmp_path, f"text.labelled={share}") for share in (0.3, 1.0))
    assert few.id != every.id
    assert [len(check(run).parts["train"].ids) for run in (few, every)] == [2, 6]


def kept(lab: Path, run: Run) -> str:
    """An encoder's weights as a pretraining leaves them, and where they lie in the laboratory."""
    torch.manual_seed(7)
    encoder = AST(32, **{"t": 2, "f": 32, "frames": 64, **run.recipe.network.arguments})
    arguments = {"t": 2, "f": 32, "frames": 64, **run.recipe.network.arguments}
    recipe = {"network": {"path": "models.ast.AST", "arguments": arguments}, "features": {"mel": 32}}
    save_file(encoder.state_dict(), lab / "encoder.safetensors", {"recipe": json.dumps(recipe)})
    return "encoder.safetensors"


def test_a_linear_probe_leaves_the_encoder_as_it_was_pretrained_and_trains_the_output(lab, tmp_path):
    path = kept(lab, run_of(lab, tmp_path))
    probe = run_of(lab, tmp_path, f"network.init={path}", FREEZE)
    execute(probe)
    torch.manual_seed(7)
    before = AST(32, t=2, f=32, frames=64, **probe.recipe.network.arguments).state_dict()
    after = weights(probe)
    held = {
        name: after[f"network.encoder.{name}"][: len(value)] for name, value in before.items()
    }  # more frames
    assert all(torch.equal(held[name], value) for name, value in before.items())
    again = run_of(lab, tmp_path / "more", f"network.init={path}", FREEZE, "training.schedule.s_f=24")
    execute(again)
    assert not torch.equal(weights(again)["network.output.weight"], after["network.output.weight"])


def test_a_whole_run_starts_from_the_encoder_and_trains_it(lab, tmp_path):
    path = kept(lab, run_of(lab, tmp_path))
    whole = run_of(lab, tmp_path, f"network.init={path}", "training.schedule.s_f=9")
    execute(whole)
    torch.manual_seed(7)
    before = AST(32, t=2, f=32, frames=64, **whole.recipe.network.arguments).state_dict()
    after = weights(whole)["network.encoder.embedding.weight"]
    assert not torch.equal(after, before["embedding.weight"])
    assert (after - before["embedding.weight"]).abs().max() < 0.2  # nine steps of 0.01 at most


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("text.classes=modo", "text.classes is 'modo', and no utterance has such a column; expected one of"),
        (
            "network={path: models.ast.ASTCTC, arguments: {width: 12, depth: 1, heads: 2}}",
            "network models.ast.ASTCTC has no method 'scores'; expected loss and transcribe and scores",
        ),
        ("text.classes=null", "network ASTClassifier fails on its first batch: ValueError: an utterance has"),
        (
            "text.classes=text",
            "data/dev.jsonl:1: class 'bc' of part dev is not in train; expected one of its",
        ),
        ("decodings=[{beam: 4}]", "decoding lm: ASTClassifier.transcribe has no beam"),
        (
            "text.pieces=9",
            "pieces is 9 and classes is 'mood'; expected one of them: a class is written whole",
        ),
        ("text.labelled=0", "labelled is 0.0; expected a share above 0, at most 1"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_trained(lab, tmp_path, capsys, override, told):
    words = ["train", str(lab / "experiments" / "tiny.yaml"), NETWORK, "text.classes=mood", override]
    assert cli.main([*words, "--runs", str(tmp_path)]) == 2
    assert told in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.glob("*/*/last.ckpt"))


def test_what_a_run_costs_is_counted_by_one_label_an_utterance(lab, tmp_path):
    every, few = (run_of(lab, tmp_path, f"text.labelled={share}") for share in (1.0, 0.3))
    assert (
        lengths_of(every.recipe, every.places).labels == 0.0
    )  # a frame: then each has the one that it must have
    assert [len(lengths_of(run.recipe, run.places).train) for run in (every, few)] == [6, 2]


def test_a_logger_is_told_what_is_right_where_there_are_classes():
    right = Transcript("u", "a", "a", Errors(total=1), Errors(total=1), 0.5)
    found = [
        Outcome({"test": Scores([one], 0.1)}, {}, {}, [], "plain", 1, 1)
        for one in (right, replace(right, missed=None))
    ]
    errors = {"test/final_wer": 0.0, "test/final_cer": 0.0}
    assert rates(found[0]) == {**errors, "test/final_accuracy": 1.0, "test/final_map": 0.5}
    assert rates(found[1]) == errors


def test_a_plan_says_how_many_classes_it_assumes(lab, capsys):
    words = ["plan", str(lab / "experiments" / "tiny.yaml"), NETWORK, "text.classes=mood"]
    assert cli.main(words) == 0
    assert "28 classes are assumed; training counts those of the corpus." in capsys.readouterr().out


def test_a_cost_without_the_classes_is_refused(lab, tmp_path):
    run = run_of(lab, tmp_path, "text.classes=modo")
    with pytest.raises(UserError, match="no utterance has such a column"):
        lengths_of(run.recipe, run.places)


@pytest.mark.slow
def test_an_ablation_of_classes_goes_all_the_way_to_table_and_page(lab, tmp_path, capsys):
    words = ["ablate", str(lab / "experiments" / "tiny.yaml"), NETWORK, "text.classes=mood", "seeds=0,1,2"]
    assert cli.main([*words, "--runs", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "accuracy and mean average precision by policy, in percent" in said
    assert "test, accuracy: 2 utterances" in said
    assert "test, mAP: 2 utterances" in said
    assert cli.main(["compare", str(tmp_path / "tiny"), "--by", "speaker", "--words"]) == 0
    assert "accuracy by speaker" in capsys.readouterr().out
    page = (tmp_path / "tiny" / "report.html").read_text()
    assert "<h2>Accuracy</h2>" in page
    assert "test, mAP" in page
    assert "accuracy on dev, %" in page
    assert "WER" not in "".join(re.findall(r"<(?:h2|h3|th|p)[^>]*>[^<]*", page))
    assert len(compare([tmp_path]).rows) == 2
