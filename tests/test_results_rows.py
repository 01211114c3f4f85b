import json
import math

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_results import KINDS, SOME, utterance, write_run

from specaug.errors import UserError
from specaug.study.results import read_lines, read_result, read_utterances

WORDS = st.lists(st.sampled_from(["one", "two", "three", "four"]), max_size=6).map(" ".join)


def write(tmp_path, *rows, end="\n"):
    folder = tmp_path / "run"
    folder.mkdir(exist_ok=True)
    text = end.join(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "hypotheses.jsonl").write_text(f"{text}\n", encoding="utf-8", newline="")
    return folder


@given(reference=WORDS.filter(bool), hypothesis=WORDS)
def test_counts_of_jiwer_pass_and_any_other_number_of_errors_does_not(
    tmp_path_factory, reference, hypothesis
):
    tmp_path = tmp_path_factory.mktemp("rows")
    out = jiwer.process_words(reference, hypothesis)
    counted = {kind: getattr(out, kind) for kind in KINDS} | {"words": len(reference.split())}
    row = SOME[0] | counted | {"reference": reference, "hypothesis": hypothesis}
    assert read_lines(write(tmp_path, row)) == [row]
    for name in (*KINDS, "words"):
        with pytest.raises(UserError, match=r"hypotheses\.jsonl:1: .* its reference and hypothesis give"):
            read_lines(write(tmp_path, row | {name: row[name] + 1}))


@pytest.mark.parametrize(
    ("edited", "said"),
    [
        pytest.param({"hypothesis": "w0 x w2"}, "2 errors; .* give 3", id="another word written"),
        pytest.param(
            {"hypothesis": "w0 w1 w2 w3 w4"}, "2 deletions less insertions; .* give 0", id="corrected"
        ),
        pytest.param({"reference": "w0 w1 w2"}, "5 words; .* give 3", id="fewer words said"),
        pytest.param({"deletions": 3, "insertions": 1}, "4 errors; .* give 2", id="an error on both sides"),
        pytest.param({"hypothesis": None}, "field hypothesis is None; expected text", id="no text"),
        pytest.param({"gender": ["f"]}, "field gender is a list; expected text or a number", id="a list"),
        pytest.param({"gender": {}}, "field gender is a dict; expected text or a number", id="an object"),
        pytest.param({"age": 10**400}, "field age is 10000000000000000000...; expected at most", id="huge"),
    ],
)
def test_an_edited_row_is_named_with_its_line(tmp_path, edited, said):
    assert read_lines(write(tmp_path, *SOME)) == SOME
    with pytest.raises(UserError, match=rf"run/hypotheses\.jsonl:2: {said}"):
        read_lines(write(tmp_path, SOME[0], SOME[1] | edited, SOME[2]))


@pytest.mark.parametrize("end", ["\u2028", "\x85", "\u2029"])
def test_a_transcript_may_hold_what_ends_a_line_elsewhere(tmp_path, end):
    row = utterance("dev", f"a{end}b", "anna", 2)
    assert read_lines(write(tmp_path, row, SOME[0])) == [row, SOME[0]]


def test_lines_that_end_as_on_windows_are_read(tmp_path):
    assert read_lines(write(tmp_path, *SOME, end="\r\n")) == SOME


def test_what_is_no_number_is_not_given_and_an_infinite_one_is(tmp_path):
    row = json.dumps(SOME[0])[:-1]
    (read,) = read_lines(write(tmp_path, f'{row}, "snr": NaN, "clean": Infinity}}'))
    assert (read["snr"], read["clean"]) == (None, math.inf)


@pytest.mark.parametrize("line", ["[" * 100_000, "{" * 100_000, '{"a": ' * 100_000])
def test_a_line_that_is_nested_too_deep_is_named(tmp_path, line):
    with pytest.raises(UserError, match=r"hypotheses\.jsonl:2: not JSON"):
        read_lines(write(tmp_path, SOME[0], line))


def test_an_empty_line_is_named(tmp_path):
    with pytest.raises(UserError, match=r"hypotheses\.jsonl:2: not JSON"):
        read_lines(write(tmp_path, SOME[0], "", SOME[1]))


def test_texts_and_further_columns_stand_beside_the_counts(tmp_path):
    rows = [utterance("dev", "b", "anna", 2, gender="f"), utterance("dev", "a", "bert", 1, 1, snr=7.5)]
    dev = read_utterances(read_result(write_run(tmp_path / "run", rows)))["dev"]
    assert (dev.references, dev.hypotheses) == (("w0", "w0 w1"), ("wrong", "w0 w1"))
    assert dev.columns == {"gender": (None, "f"), "snr": (7.5, None)}
