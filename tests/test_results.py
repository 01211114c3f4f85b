import gzip
import json
import lzma
from pathlib import Path

import numpy as np
import pytest

from specaug.errors import UserError
from specaug.speech.scoring import add, character_errors
from specaug.study.results import find_runs, read_lines, read_result, read_utterances

KINDS = ("substitutions", "deletions", "insertions")


def utterance(part, name, speaker, words, substitutions=0, deletions=0, insertions=0, **columns):
    """A row whose texts have these errors: the words of the reference differ, the wrong ones are in none."""
    counts = dict(zip(("words", *KINDS), (words, substitutions, deletions, insertions), strict=True))
    said = [f"w{place}" for place in range(words)]
    heard = ["wrong"] * substitutions + said[substitutions : words - deletions] + ["more"] * insertions
    texts = {"reference": " ".join(said), "hypothesis": " ".join(heard)}
    return {"part": part, "id": name, "speaker": speaker} | texts | counts | columns


SOME = [
    utterance("dev", "d1", "anna", 4, 1, 0, 0),
    utterance("unseen", "u2", "carl", 5, 0, 2, 0),
    utterance("unseen", "u1", "bert", 3, 1, 0, 1),
]
SHORTER = utterance("unseen", "u1", "bert", 2, 1, 0, 1)


def totals(rows):
    counts = {kind: sum(row[kind] for row in rows) for kind in KINDS}
    return counts | {"errors": sum(counts.values())}, sum(row["words"] for row in rows)


def characters(rows):
    found = add(character_errors(row["reference"], row["hypothesis"]) for row in rows)
    counts = {kind: getattr(found, kind) for kind in KINDS}
    return counts | {"errors": found.errors, "characters": found.total}


def write_run(folder, rows=SOME, label="None", seed=0, fold=0, **other):
    """A finished run as the training side leaves it; `other` replaces fields of result.json."""
    folder.mkdir(parents=True)
    parts = {}
    for part in dict.fromkeys(row["part"] for row in rows):
        mine = [row for row in rows if row["part"] == part]
        counts, words = totals(mine)
        wer = counts | {"words": words}
        parts[part] = {"utterances": len(mine), "wer": wer, "cer": characters(mine), "loss": 1.5}
    policy = {
        "label": label,
        "name": label.split()[0],
        "W": 20,
        "F": 27,
        "m_F": 2,
        "T": 25,
        "p": 1.0,
        "m_T": 2,
    }
    result = {
        "run": f"{sum(map(ord, str(folder))):012x}",
        "experiment": "toy",
        "policy": policy,
        "seed": seed,
        "fold": fold,
        "corpus": {"name": "toy", "title": "Toy corpus", "synthetic": False, "fingerprint": f"f{fold}"},
        "network": {"path": "models.toy.Toy", "arguments": {"width": 8}, "parameters": 1234567},
        "alphabet": "ab ",
        "parts": parts,
        "masked": {"cells": 0.25, "frames": 0.125, "channels": 0.5},
        "epochs": 3,
        "steps": 30,
        "wall_seconds": 1.5,
        "skipped": [],
        "versions": {},
        "commit": "c0ffee",
    }
    recipe = {"corpus": {"name": "toy", "fold": fold}, "policy": {"label": label}, "seed": seed}
    (folder / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")  # which is YAML as well
    (folder / "result.json").write_text(json.dumps(result | other), encoding="utf-8")
    (folder / "hypotheses.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return folder


def change(file, path, value):
    facts = json.loads(file.read_text(encoding="utf-8"))
    inner = facts
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    file.write_text(json.dumps(facts), encoding="utf-8")


def test_a_result_says_what_the_run_wrote(tmp_path):
    result = read_result(write_run(tmp_path / "run", label="LD x 0.25", seed=3, fold=2))
    assert (result.label, result.seed, result.fold, result.corpus) == ("LD x 0.25", 3, 2, "toy")
    assert result.policy == {"name": "LD", "W": 20, "F": 27, "m_F": 2, "T": 25, "p": 1.0, "m_T": 2}
    assert (result.network, result.arguments, result.parameters) == ("models.toy.Toy", {"width": 8}, 1234567)
    assert (result.masked.cells, result.masked.frames, result.masked.channels) == (0.25, 0.125, 0.5)
    assert result.trained is None  # as in results of older versions
    unseen = result.parts["unseen"]
    assert (unseen.utterances, unseen.wer.errors, unseen.wer.total) == (2, 4, 8)
    assert unseen.cer.total == len("w0 w1 w2 w3 w4") + len("w0 w1 w2")
    assert (unseen.wer.substitutions, unseen.wer.deletions, unseen.wer.insertions) == (1, 2, 1)


def test_utterances_come_sorted_by_id_with_their_counts(tmp_path):
    unseen = read_utterances(read_result(write_run(tmp_path / "run")))["unseen"]
    assert (unseen.ids, unseen.speakers) == (("u1", "u2"), ("bert", "carl"))
    assert unseen.words.tolist() == [3, 5]
    assert unseen.errors.tolist() == [2, 2]
    assert unseen.deletions.tolist() == [0, 2]
    assert unseen.words.dtype == np.int64


@pytest.mark.parametrize(
    ("ending", "write"),
    [
        pytest.param(".xz", lzma.open, id="xz"),
        pytest.param(".gz", gzip.open, id="gzip"),
    ],
)
def test_compressed_hypotheses_read_as_plain_ones(tmp_path, ending, write):
    folder = write_run(tmp_path / "run")
    plain = read_lines(folder)
    with write(folder / f"hypotheses.jsonl{ending}", "wb") as file:
        file.write((folder / "hypotheses.jsonl").read_bytes())
    (folder / "hypotheses.jsonl").unlink()
    assert read_lines(folder) == plain == SOME


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        pytest.param(("seed",), "0", "field seed is '0'", id="text for a number"),
        pytest.param(("seed",), True, "field seed is True", id="truth for a number"),
        pytest.param(("fold",), -1, "field fold is -1", id="negative count"),
        pytest.param(("corpus", "synthetic"), 1, "field corpus.synthetic is 1", id="number for a truth"),
        pytest.param(("masked", "cells"), 25, r"field masked.cells is 25; expected a share", id="percent"),
        pytest.param(("policy",), "LD", "field policy is 'LD'; expected an object", id="text for an object"),
        pytest.param(("parts", "dev", "wer", "errors"), 7, "parts.dev.wer.errors is 7; expected 1", id="sum"),
        pytest.param(("parts", "dev", "wer", "words"), 0, "parts.dev.wer.words is 0", id="no words"),
        pytest.param(
            ("wall_seconds",), float("inf"), "field wall_seconds is inf; expected a finite", id="inf"
        ),
        pytest.param(
            ("wall_seconds",), 10**400, "field wall_seconds is 10{79}; expected a finite", id="huge"
        ),
        pytest.param(("parts",), {}, "field parts is {}; expected one or more", id="no part"),
        pytest.param(("parts", "dev", "cer"), {}, "parts.dev.cer.substitutions is missing", id="missing"),
    ],
)
def test_a_damaged_result_is_named_with_its_field(tmp_path, path, value, said):
    folder = write_run(tmp_path / "run")
    change(folder / "result.json", path, value)
    with pytest.raises(UserError, match=rf"run/result\.json: .*{said}"):
        read_result(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', "\x00", "[" * 100_000])
def test_what_is_no_json_object_is_no_result(tmp_path, text):
    folder = write_run(tmp_path / "run")
    (folder / "result.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"run/result\.json: "):
        read_result(folder)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("{", ":2: not JSON", id="cut off"),
        pytest.param("[]", ":2: a list", id="a list"),
        pytest.param(json.dumps(SOME[1] | {"words": 1.5}), ":2: field words is 1.5", id="fraction"),
        pytest.param(json.dumps(SOME[1] | {"deletions": -1}), ":2: field deletions is -1", id="negative"),
        pytest.param(json.dumps(SOME[1] | {"speaker": None}), ":2: field speaker is None", id="speaker"),
    ],
)
def test_a_damaged_line_is_named_with_its_number(tmp_path, line, said):
    folder = write_run(tmp_path / "run")
    lines = (folder / "hypotheses.jsonl").read_text(encoding="utf-8").splitlines()
    lines[1] = line
    (folder / "hypotheses.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(UserError, match=rf"hypotheses\.jsonl{said}"):
        read_utterances(read_result(folder))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param(SOME[:2], "part unseen: 1 utterances; result.json says 2", id="a line is lost"),
        pytest.param([*SOME[:2], SHORTER], "part unseen: 7 words; result.json says 8", id="other words"),
        pytest.param([*SOME, SOME[0]], "part dev: id 'd1' occurs twice", id="a line is doubled"),
        pytest.param([*SOME, utterance("test", "t", "s", 1)], "part 'test' is not in result.json", id="part"),
    ],
)
def test_hypotheses_must_add_up_to_the_result(tmp_path, rows, said):
    folder = write_run(tmp_path / "run")
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "hypotheses.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        read_utterances(read_result(folder))


def test_kinds_of_error_must_add_up_to_the_result(tmp_path):
    row = utterance("dev", "d1", "anna", 4, substitutions=2)
    folder = write_run(tmp_path / "run", [row])
    otherwise = row | {"substitutions": 0, "deletions": 1, "insertions": 1}  # as many errors, as many words
    (folder / "hypotheses.jsonl").write_text(json.dumps(otherwise), encoding="utf-8")
    with pytest.raises(UserError, match=r"part dev: 0 substitutions; result\.json says 2"):
        read_utterances(read_result(folder))


@pytest.mark.parametrize("ending", ["", ".xz", ".gz"])
def test_damaged_or_missing_hypotheses_are_a_mistake_of_the_user(tmp_path, ending):
    folder = write_run(tmp_path / "run")
    (folder / "hypotheses.jsonl").unlink()
    with pytest.raises(UserError, match=r"hypotheses\.jsonl: no such file"):
        read_lines(folder)
    (folder / f"hypotheses.jsonl{ending}").write_bytes(b"\xff\xfe\x00nonsense")
    with pytest.raises(UserError, match=rf"hypotheses\.jsonl{ending}: damaged"):
        read_lines(folder)


def test_runs_are_found_at_any_depth_and_once(tmp_path):
    deep = write_run(tmp_path / "a" / "b" / "deep")
    write_run(deep / "checkpoints" / "inner")  # inside a run: not looked at
    half = tmp_path / "a" / "half"
    half.mkdir()
    (half / "recipe.yaml").touch()
    (tmp_path / "a" / "wandb").mkdir()
    found = find_runs([tmp_path, tmp_path / "a", deep, Path(f"{tmp_path}/a/../a/b")])
    assert [run.folder.resolve() for run in found.finished] == [deep]
    assert [folder.resolve() for folder in found.unfinished] == [half]


def test_a_path_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere: no such folder"):
        find_runs([tmp_path / "nowhere"])


def test_a_file_is_no_folder_of_runs(tmp_path):
    (tmp_path / "README.md").touch()
    with pytest.raises(UserError, match=r"README\.md: a file; expected a run folder or a folder that holds"):
        find_runs([tmp_path / "README.md"])


@pytest.mark.parametrize(
    ("title", "synthetic", "heading"),
    [
        pytest.param("Toy", False, "Toy", id="real"),
        pytest.param("Toy", True, "Toy (synthetic speech)", id="synthetic"),
        pytest.param("Toy: Synthetic Speech", True, "Toy: Synthetic Speech", id="said already"),
    ],
)
def test_a_heading_says_where_speech_is_synthetic(tmp_path, title, synthetic, heading):
    corpus = {"name": "toy", "title": title, "synthetic": synthetic, "fingerprint": "f"}
    assert read_result(write_run(tmp_path / "run", corpus=corpus)).heading == heading
