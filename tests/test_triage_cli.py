import argparse
import json
import subprocess
import sys

import pytest
from test_triage_annotations import answer, as_json
from test_triage_export import runs, sources, talking  # noqa: F401 (fixtures)

from specaug.cli.triage import add_triage
from specaug.errors import UserError
from specaug.speech.manifest import read_manifest


def specaug(*words):
    parser = argparse.ArgumentParser()
    add_triage(parser.add_subparsers(required=True))
    arguments = parser.parse_args(["triage", *map(str, words)])
    return arguments.verb(arguments)


@pytest.fixture
def environment(monkeypatch, runs):  # noqa: F811 (a fixture)
    monkeypatch.setenv("SPECAUG_CACHE", str(runs.parent / "cache"))


@pytest.mark.usefixtures("environment")
def test_errors_go_out_and_corrections_come_back(tiny, talking, tmp_path, capsys):  # noqa: F811
    words = (talking, "--laboratory", tiny, "--part", "test", "--out", tmp_path / "out")
    assert specaug("export", *words) == 0
    said = capsys.readouterr().out.splitlines()
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    marked = sum(len(task["predictions"][0]["result"]) for task in tasks)
    assert said[0] == f"{tmp_path / 'out' / 'tasks.json'}\t2 utterances, {marked} errors marked"
    manifest = said[-1].removesuffix("\tto be corrected")
    answers = [(task["data"], [answer(text="b b", causes=["noise"])]) for task in tasks[:1]]
    (tmp_path / "export.json").write_text(json.dumps(as_json(answers)))
    out = tmp_path / "elsewhere" / "corrected.jsonl"
    words = (tmp_path / "export.json", "--manifest", manifest, "--out", out, "--format", "tsv")
    assert specaug("import", *words) == 0
    assert "noise\t1" in capsys.readouterr().out.splitlines()
    before, after = ({u.id: u for u in read_manifest(path)} for path in (tiny / "data" / "test.jsonl", out))
    assert {name: u.text for name, u in after.items()} == {"test-0": "b b", "test-1": "b c"}
    for name, utterance in after.items():
        assert utterance.audio.resolve() == before[name].audio.resolve()


@pytest.mark.usefixtures("environment")
def test_what_is_left_out_is_said(tiny, talking, tmp_path, capsys):  # noqa: F811 (a fixture)
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / "recipe.yaml").touch()
    words = (talking, tmp_path / "killed", "--laboratory", tiny, "--worst", 1, "--out", tmp_path / "out")
    assert specaug("export", *words) == 0
    out, said = capsys.readouterr()
    assert f"Unfinished, not counted: {tmp_path / 'killed'}\n" in said
    assert "\t1 utterance, " in out


@pytest.mark.usefixtures("environment")
def test_what_changed_takes_two_policies(tiny, runs, tmp_path):  # noqa: F811
    words = ("export", runs, "--laboratory", tiny, "--out", tmp_path / "out")
    for given in ("None", "None,", ",LD"):
        with pytest.raises(UserError, match="expected two policies, as LB,LD"):
            specaug(*words, "--changed", given)
    with pytest.raises(UserError, match="expected no --policy beside it"):
        specaug(*words, "--changed", "None,LD", "--policy", "LD")
    with pytest.raises(UserError, match="--worst is 0; expected at least 1"):
        specaug(*words, "--worst", 0)


def test_the_manifest_is_not_written_over_and_something_must_be_said(tiny, tmp_path):
    manifest = tiny / "data" / "test.jsonl"
    export = tmp_path / "export.json"
    export.write_text("[]")
    with pytest.raises(UserError, match="the manifest itself; expected another file"):
        specaug("import", export, "--manifest", manifest, "--out", tiny / "data" / "." / "test.jsonl")
    with pytest.raises(UserError, match="no annotations; expected some that are submitted"):
        specaug("import", export, "--manifest", manifest, "--out", tmp_path / "corrected.jsonl")


def test_annotations_of_other_parts_are_passed_over_where_a_part_is_named(tiny, tmp_path):
    known = {"utterance": "test-0", "part": "test", "policy": "LD", "reference": "ac"}
    other = {"utterance": "dev-0", "part": "dev", "policy": "LD", "reference": "bc"}
    answers = [(known, [answer(causes=["wrong reference"])]), (other, [answer(text="c")])]
    (tmp_path / "export.json").write_text(json.dumps(as_json(answers)))
    words = ("import", tmp_path / "export.json", "--manifest", tiny / "data" / "test.jsonl")
    with pytest.raises(UserError, match="item 2: utterance 'dev-0' is not in the manifest"):
        specaug(*words, "--out", tmp_path / "out.jsonl")
    assert specaug(*words, "--out", tmp_path / "out.jsonl", "--part", "test") == 0
    assert [u.id for u in read_manifest(tmp_path / "out.jsonl")] == ["test-1"]
    assert specaug(*words, "--out", tmp_path / "out.jsonl", "--part", "test", "--keep-bad") == 0
    assert [u.id for u in read_manifest(tmp_path / "out.jsonl")] == ["test-0", "test-1"]


def test_reading_annotations_imports_nothing_slow(tiny, tmp_path):
    known = {"utterance": "test-0", "part": "test", "policy": "LD", "reference": "ac"}
    (tmp_path / "export.json").write_text(json.dumps(as_json([(known, [answer(text="a")])])))
    words = [
        tmp_path / "export.json",
        "--manifest",
        tiny / "data" / "test.jsonl",
        "--out",
        tmp_path / "o.jsonl",
    ]
    code = (
        "import argparse, sys; from specaug.cli.triage import add_triage; p = argparse.ArgumentParser();"
        "add_triage(p.add_subparsers()); a = p.parse_args(sys.argv[1:]); a.verb(a);"
        "sys.exit(' '.join({'lightning', 'torchaudio', 'scipy'} & set(sys.modules)) or 0)"
    )
    command = [sys.executable, "-c", code, "triage", "import", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
