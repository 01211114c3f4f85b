import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_results import characters

from specaug.errors import UserError
from specaug.speech.scoring import word_errors
from specaug.study.comparing.reading import read_runs
from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.run import Run, execute
from specaug.study.triage.cases import Case, Chosen, cases_of, worst
from specaug.study.triage.config import CAUSE, CAUSES, CORRECTED, MARK, config
from specaug.study.triage.export import export
from specaug.study.triage.sources import Sources
from specaug.study.triage.tasks import NOTHING, file_name

LABEL_STUDIOS = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement"}
ENDLESS = 9


@pytest.fixture(scope="module")
def runs(tiny, tmp_path_factory):
    """One run of each policy, with its checkpoints; W&B is off."""
    folder = tmp_path_factory.mktemp("triage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        recipe = load(tiny / "experiments" / "tiny.yaml", ["seeds=0"])
        for one in recipe.runs():
            execute(Run("tiny", one, Places(tiny, tiny / "data", folder / "cache", folder)))
    return folder / "tiny"


@pytest.fixture
def sources(tiny, monkeypatch, runs):
    monkeypatch.setenv("SPECAUG_CACHE", str(runs.parent / "cache"))
    return Sources(laboratory=tiny)


def told(folder):
    return json.loads((folder / "tasks.json").read_text(encoding="utf-8"))


def rewritten(folder, copy, hypothesis):
    """A copy of a run that wrote this for every utterance; its counts are made to fit."""
    shutil.copytree(folder, copy)
    lines = (copy / "hypotheses.jsonl").read_text().splitlines()
    result = json.loads((copy / "result.json").read_text())
    sums = {part: dict.fromkeys(("substitutions", "deletions", "insertions"), 0) for part in result["parts"]}
    rows = []
    for row in map(json.loads, lines):
        row["hypothesis"] = hypothesis
        errors = word_errors(row["reference"], hypothesis)
        counts = {kind: getattr(errors, kind) for kind in sums[row["part"]]}
        row.update(counts)
        for kind, count in counts.items():
            sums[row["part"]][kind] += count
        rows.append(row)
    for part, counts in sums.items():
        result["parts"][part]["wer"] |= counts | {"errors": sum(counts.values())}
        result["parts"][part]["cer"] = characters([row for row in rows if row["part"] == part])
    (copy / "hypotheses.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (copy / "result.json").write_text(json.dumps(result))
    return copy


@pytest.fixture(scope="module")
def talking(runs, tmp_path_factory):
    """A run that, so its file says, wrote "c b c a" whatever was said."""
    (folder,) = runs.glob("None-*")
    return rewritten(folder, tmp_path_factory.mktemp("talking") / "run", "c b c a")


def test_each_error_is_a_region_inside_the_audio_with_its_words(talking, sources, tmp_path):
    done = export(worst(cases_of(read_runs([talking])), None, ENDLESS), sources, tmp_path)
    kinds = set()
    for task in told(tmp_path):
        (prediction,) = task["predictions"]
        assert prediction["model_version"] == "None, seed 0"
        assert len(prediction["result"]) == task["data"]["errors"]
        for region in prediction["result"]:
            value, seconds = region["value"], task["data"]["seconds"]
            assert 0 <= value["start"] < value["end"] <= seconds == region["original_length"]
            assert (region["from_name"], region["to_name"], value["channel"]) == (MARK, "audio", 0)
            assert "→" in region["meta"]["text"][0]
            kinds |= set(value["labels"])
    assert kinds == {"sub", "ins"}
    assert done.regions == sum(task["data"]["errors"] for task in told(tmp_path))
    assert sources.lost == {}


def test_what_was_missed_is_marked_where_it_was_said(runs, sources, tmp_path_factory, tmp_path):
    (folder,) = runs.glob("None-*")
    silent = rewritten(folder, tmp_path_factory.mktemp("silent") / "run", "")
    export(worst(cases_of(read_runs([silent]), "test"), None, ENDLESS), sources, tmp_path)
    tasks = {task["data"]["utterance"]: task for task in told(tmp_path)}
    results = tasks["test-1"]["predictions"][0]["result"]  # "b c"
    assert [(r["value"]["labels"], r["meta"]["text"]) for r in results] == [
        (["del"], ["b →"]),
        (["del"], ["c →"]),
    ]
    assert results[0]["value"]["end"] <= results[1]["value"]["start"]
    assert tasks["test-1"]["data"]["hypotheses"].startswith(NOTHING)


def test_a_task_has_what_its_annotator_should_know(talking, sources, tmp_path):
    export(worst(cases_of(read_runs([talking]), "test"), None, 1), sources, tmp_path)
    (task,) = told(tmp_path)
    data = task["data"]
    assert (data["utterance"], data["part"], data["speaker"]) == ("test-0", "test", "test-speaker")
    assert (data["reference"], data["hypothesis"]) == ("ac", "c b c a")
    assert (data["policy"], data["seed"], data["words"], data["errors"]) == ("None", 0, 1, 4)
    assert data["wer"] == 4.0
    assert data["facts"].startswith("test, speaker test-speaker, ")
    assert data["facts"].endswith(", None: 4 errors with 1 seed (WER 400.00 %)")


def test_no_field_of_a_task_has_a_name_that_an_export_gives_to_something_else(talking, sources, tmp_path):
    export(worst(cases_of(read_runs([talking])), None, 1), sources, tmp_path)
    (task,) = told(tmp_path)
    assert not set(task["data"]) & (LABEL_STUDIOS | {MARK, CORRECTED, CAUSE})


def test_the_audio_is_the_utterance_and_is_in_the_task(talking, sources, tiny, tmp_path):
    export(worst(cases_of(read_runs([talking]), "test"), None, 1), sources, tmp_path)
    (task,) = told(tmp_path)
    head, body = task["data"]["audio"].split(",", 1)
    (file,) = (tmp_path / "audio").iterdir()
    assert head == "data:audio/wav"
    assert not set("?#,/:+ ") & set(body)  # or what is added to an address is taken for something else
    assert unquote_to_bytes(body) == file.read_bytes()
    wave, rate = soundfile.read(file)
    spoken, spoken_rate = soundfile.read(tiny / "data" / "test-0.wav")
    assert rate == spoken_rate
    assert np.abs(wave - spoken).max() < 1e-4


def test_audio_below_the_document_root_is_named_instead(talking, sources, tmp_path):
    out = tmp_path / "a b" / "out"
    export(worst(cases_of(read_runs([talking]), "test"), None, 1), sources, out, tmp_path)
    (task,) = told(out)
    address = task["data"]["audio"]
    assert address.startswith("/data/local-files/?d=a%20b/out/audio/")
    assert (tmp_path / unquote(address.partition("=")[2])).is_file()
    with pytest.raises(UserError, match=r"--root is .*; expected a folder that .* lies in"):
        export(worst(cases_of(read_runs([talking])), None, 1), sources, out, tmp_path / "elsewhere")


def test_too_much_audio_is_not_embedded(talking, sources, tmp_path, monkeypatch):
    monkeypatch.setattr("specaug.study.triage.export.HEAVIEST", 10_000)
    with pytest.raises(UserError, match="expected fewer utterances, or --root"):
        export(worst(cases_of(read_runs([talking])), None, 1), sources, tmp_path)
    assert not (tmp_path / "tasks.json").exists()


def test_without_checkpoints_there_are_tasks_without_regions_and_it_is_said_why(talking, sources, tmp_path):
    kept = shutil.copytree(talking, tmp_path / "kept", ignore=shutil.ignore_patterns("*.ckpt"))
    done = export(worst(cases_of(read_runs([kept])), None, ENDLESS), sources, tmp_path / "out")
    assert all("predictions" not in task for task in told(tmp_path / "out"))
    errors = sum(task["data"]["errors"] for task in told(tmp_path / "out"))
    assert (done.tasks, done.regions) == (4, 0)
    assert sources.lost == {"no checkpoint in the run folders (kept runs have none)": errors}


def test_a_network_without_emissions_tells_no_times(talking, tiny, tmp_path, sources):
    laboratory = shutil.copytree(tiny, tmp_path / "laboratory")
    ctc = laboratory / "models" / "ctc.py"
    ctc.write_text(ctc.read_text().replace("def emissions", "def omissions"))
    sources.laboratory = laboratory
    export(worst(cases_of(read_runs([talking])), None, 1), sources, tmp_path / "out")
    assert next(iter(sources.lost)).startswith("network models.bilstm.BiLSTMCTC has no method 'emissions'")


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        pytest.param(b"no weights", "damaged, or no checkpoint", id="damaged"),
        pytest.param({"state_dict": {}}, "it has no front.first.weight", id="another's"),
    ],
)
def test_a_damaged_checkpoint_costs_the_regions_alone(talking, sources, tmp_path, weights, said):
    other = shutil.copytree(talking, tmp_path / "other")
    if isinstance(weights, bytes):
        (other / "last.ckpt").write_bytes(weights)
    else:
        torch.save(weights, other / "last.ckpt")
    done = export(worst(cases_of(read_runs([other])), None, 1), sources, tmp_path / "out")
    assert (done.tasks, done.regions) == (1, 0)
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(next(iter(sources.lost)))


def test_a_corpus_that_has_changed_since_is_refused(talking, sources, tiny, tmp_path):
    laboratory = shutil.copytree(tiny, tmp_path / "laboratory")
    manifest = laboratory / "data" / "test.jsonl"
    manifest.write_text(manifest.read_text().replace('"b c"', '"b b"'))
    sources.laboratory = laboratory
    with pytest.raises(UserError, match=r"test.jsonl:2: text is 'b b'; expected 'b c' as in"):
        export(worst(cases_of(read_runs([talking]), "test"), None, 2), sources, tmp_path / "out")


def test_nothing_to_look_at_is_said(sources, tmp_path):
    with pytest.raises(UserError, match="nothing to write"):
        export([], sources, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_text_of_the_data_stands_in_no_configuration():
    tree = ET.fromstring(config())
    controls = {element.get("name"): element for element in tree.iter() if element.get("toName")}
    assert set(controls) == {MARK, CORRECTED, CAUSE}
    assert [choice.get("value") for choice in controls[CAUSE]] == list(CAUSES)
    assert [label.get("value") for label in controls[MARK]] == ["sub", "del", "ins", "bad-reference"]
    (audio,) = tree.iter("Audio")
    assert (audio.get("value"), audio.get("spectrogram"), audio.get("zoom")) == ("$audio", "true", "true")


@given(ids=st.lists(st.text(max_size=100), min_size=2, max_size=2, unique=True))
def test_names_of_files_are_safe_and_differ(ids):
    cases = [Case("unseen", 0, name, "s", "a", 1, {}) for name in ids]
    names = [file_name(case) for case in cases]
    assert names[0].lower() != names[1].lower()
    for name in names:
        assert len(name) < 120
        assert Path(name).name == name
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
        assert not name.startswith(".")


def test_the_hypotheses_of_all_runs_are_told(runs, sources, tmp_path):
    chosen = worst(cases_of(read_runs([runs])), "LD", 1)
    assert isinstance(chosen[0], Chosen)
    export(chosen, sources, tmp_path)
    (task,) = told(tmp_path)
    assert all(name in task["data"]["hypotheses"] for name in ("LD x 0.1 (seed 0)", "None (seed 0)"))
