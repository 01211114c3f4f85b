"""What was edited by hand is found: identity by the recipe beside it, counts by the texts."""

import json

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_results import SOME, change, utterance, write_run

from specaug.errors import UserError
from specaug.study.results import Masked, read_result, read_utterances
from specaug.study.rows import characters

TEXTS = st.text("ab  ", max_size=8)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        pytest.param(("policy", "label"), "LD", "policy.label is 'None'; expected 'LD'", id="label"),
        pytest.param(("seed",), 4, "seed is 3; expected 4", id="seed"),
        pytest.param(("fold",), 0, "corpus.fold is 2; expected 0", id="fold"),
    ],
)
def test_a_result_that_says_another_run_than_its_recipe_is_refused(tmp_path, path, value, said):
    run = write_run(tmp_path / "run", seed=3, fold=2)
    assert read_result(run).seed == 3
    change(run / "result.json", path, value)
    with pytest.raises(UserError, match=rf"run/recipe\.yaml: {said} as in result\.json"):
        read_result(run)


def test_a_recipe_need_not_tell_what_its_corpus_does_not_have(tmp_path):
    run = write_run(tmp_path / "run")
    (run / "recipe.yaml").write_text("corpus: spoken\npolicy: LD\n", encoding="utf-8")
    assert read_result(run).recipe == {"corpus": "spoken", "policy": "LD"}


def test_a_finished_run_without_its_recipe_is_refused(tmp_path):
    run = write_run(tmp_path / "run")
    (run / "recipe.yaml").unlink()
    with pytest.raises(UserError, match=r"run/recipe\.yaml: no such file; expected the recipe of the run"):
        read_result(run)


@given(st.lists(st.tuples(TEXTS.filter(str.strip), TEXTS), min_size=1, max_size=4))
def test_characters_are_those_that_jiwer_counts(pairs):
    rows = [{"reference": reference, "hypothesis": hypothesis} for reference, hypothesis in pairs]
    out = [jiwer.process_characters(" ".join(said.split()), written) for said, written in pairs]
    assert characters(rows) == {
        "characters": sum(one.hits + one.substitutions + one.deletions for one in out),
        "character errors": sum(one.substitutions + one.deletions + one.insertions for one in out),
        "characters deleted less inserted": sum(one.deletions - one.insertions for one in out),
    }


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param({"characters": 1}, "22 characters; .* says 23", id="characters"),
        pytest.param({"insertions": 1, "errors": 1}, "15 character errors; .* says 16", id="errors"),
        pytest.param(
            {"deletions": -1, "insertions": 1}, "-2 characters deleted less inserted; .* says -4", id="kinds"
        ),
    ],
)
def test_counts_of_characters_must_be_those_of_the_texts(tmp_path, more, said):
    run = write_run(tmp_path / "run")
    cer = json.loads((run / "result.json").read_text(encoding="utf-8"))["parts"]["unseen"]["cer"]
    read_utterances(read_result(run))
    edited = cer | {name: cer[name] + count for name, count in more.items()}
    change(run / "result.json", ("parts", "unseen", "cer"), edited)
    with pytest.raises(UserError, match=rf"hypotheses\.jsonl: part unseen: {said}"):
        read_utterances(read_result(run))


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        pytest.param({}, "field expected.cells is missing", id="empty"),
        pytest.param(
            {"cells": "abc", "frames": 0, "channels": 0}, "expected.cells is 'abc'; expected a", id="text"
        ),
        pytest.param(7, "field expected is 7; expected an object", id="a number"),
    ],
)
def test_an_expectation_that_is_no_share_is_named(tmp_path, expected, said):
    run = write_run(tmp_path / "run", expected=expected)
    with pytest.raises(UserError, match=rf"run/result\.json: .*{said}"):
        read_result(run)


def test_what_a_run_expected_to_hide_is_read_and_older_ones_did_not_say(tmp_path):
    told = {"cells": 0.5, "frames": 0.25, "channels": 0.125}
    assert read_result(write_run(tmp_path / "new", expected=told)).expected == Masked(0.5, 0.25, 0.125)
    assert read_result(write_run(tmp_path / "unknown", expected=None)).expected is None
    assert read_result(write_run(tmp_path / "old")).expected is None


def test_an_empty_reference_is_named_with_its_line_part_and_id(tmp_path):
    run = write_run(tmp_path / "run", [SOME[0], utterance("unseen", "u9", "anna", 2)])
    lines = (run / "hypotheses.jsonl").read_text(encoding="utf-8").splitlines()
    empty = json.loads(lines[1]) | {"reference": " ", "words": 0, "insertions": 2}
    (run / "hypotheses.jsonl").write_text(f"{lines[0]}\n{json.dumps(empty)}\n", encoding="utf-8")
    with pytest.raises(
        UserError, match=r"jsonl:2: reference of 'u9' in part unseen is empty; expected words"
    ):
        read_utterances(read_result(run))
