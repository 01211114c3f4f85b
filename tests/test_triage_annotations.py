import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specaug.errors import UserError
from specaug.study.triage.annotations import read_annotations

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
KINDS = ("sub", "del", "ins", "bad-reference")
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(str.strip)
ANSWERS = st.fixed_dictionaries(
    {
        "text": st.none() | TEXTS,
        "causes": st.lists(st.sampled_from(["noise", "accent", "wrong reference"]), unique=True),
        "marks": st.lists(st.sampled_from(KINDS), max_size=3),
        "annotator": st.integers(1, 3),
        "skipped": st.just(value=False),
    }
)


def data(utterance="u1", policy="LD", reference="one two"):
    return {
        "audio": "a.wav",
        "utterance": utterance,
        "part": "unseen",
        "policy": policy,
        "reference": reference,
    }


def answer(text=None, causes=(), marks=(), annotator=1, skipped=False):
    return {"text": text, "causes": causes, "marks": marks, "annotator": annotator, "skipped": skipped}


def clock(minute):
    return (NOON + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")


def region(mark):
    return {"start": 0.5, "end": 1.25, "channel": 0, "labels": [mark]}


def as_json(tasks):
    """Label Studio 1.2x's JSON export, as far as it is read: the answers of [(data, [answer, ...]), ...]."""
    items, minute = [], 0
    for number, (task, answers) in enumerate(tasks, 1):
        annotations = []
        for given_ in answers:
            minute += 1
            result = [
                {"from_name": "mark", "type": "labels", "value": region(m), "meta": {"text": ["a → b"]}}
                for m in given_["marks"]
            ]
            for name, key, words in (
                ("cause", "choices", list(given_["causes"])),
                ("corrected", "text", [given_["text"]] if given_["text"] else []),
            ):
                if words:
                    result.append({"from_name": name, "to_name": "audio", "value": {key: words}})
            annotations.append(
                {
                    "id": minute,
                    "completed_by": given_["annotator"],
                    "result": result,
                    "was_cancelled": given_["skipped"],
                    "created_at": clock(0),
                    "updated_at": clock(minute),
                }
            )
        items.append({"id": number, "annotations": annotations, "predictions": [number], "data": task})
    return items


def as_json_min(tasks):
    """The same as its JSON-MIN export: a row for each annotation, one word alone, several in an object."""
    rows, minute = [], 0
    for number, (task, answers) in enumerate(tasks, 1):
        for given_ in answers:
            minute += 1
            row = {**task, "id": number}
            if given_["marks"]:
                row["mark"] = [region(mark) for mark in given_["marks"]]
            if causes := list(given_["causes"]):
                row["cause"] = causes[0] if len(causes) == 1 else {"choices": causes}
            if given_["text"]:
                row["corrected"] = given_["text"]
            row |= {"annotator": given_["annotator"], "created_at": clock(0), "updated_at": clock(minute)}
            rows += [] if given_["skipped"] else [row]
    return rows


FORMS = {"JSON": as_json, "JSON-MIN": as_json_min}


def saved(folder, items):
    path = folder / "export.json"
    path.write_text(json.dumps(items), encoding="utf-8")
    return path


def facts(annotation):
    told = (annotation.corrected, annotation.bad, annotation.causes, annotation.annotator, annotation.time)
    return annotation.utterance, annotation.policy, *told


@pytest.mark.parametrize("form", FORMS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=st.lists(st.lists(ANSWERS, max_size=3), max_size=3))
def test_what_annotators_answered_is_read_back_from_either_form(tmp_path, form, answers):
    tasks = [(data(f"u{number}"), given_) for number, given_ in enumerate(answers)]
    said, minute = [], 0
    for task, given_ in tasks:
        for one in given_:
            minute += 1
            text = " ".join((one["text"] or "").split())
            corrected = text if text not in ("", "one two") else None
            bad = "wrong reference" in one["causes"] or "bad-reference" in one["marks"]
            who = str(one["annotator"])
            time = NOON + timedelta(minutes=minute)
            said.append((task["utterance"], "LD", corrected, bad, tuple(one["causes"]), who, time))
    read = read_annotations(saved(tmp_path, FORMS[form](tasks)))
    assert [facts(annotation) for annotation in read] == said


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("given_", "verdict"),
    [
        pytest.param(answer(), None, id="nothing"),
        pytest.param(answer(text=" one  two "), None, id="the reference itself"),
        pytest.param(answer(text="one six"), "one six", id="another text"),
        pytest.param(answer(marks=["sub", "bad-reference"]), "", id="marked"),
        pytest.param(answer(causes=["noise", "wrong reference"]), "", id="as a cause"),
        pytest.param(answer(text="one six", marks=["bad-reference"]), "one six", id="marked and mended"),
    ],
)
def test_a_verdict_is_another_text_or_that_the_reference_is_bad_or_nothing(tmp_path, form, given_, verdict):
    (read,) = read_annotations(saved(tmp_path, FORMS[form]([(data(), [given_])])))
    assert read.verdict == verdict


def test_annotations_come_in_the_order_of_their_last_change_and_skipped_ones_do_not(tmp_path):
    items = as_json([(data("u1"), [answer("a"), answer("b", skipped=True)]), (data("u2"), [answer("c")])])
    items.reverse()
    assert [a.corrected for a in read_annotations(saved(tmp_path, items))] == ["a", "c"]


def test_an_annotator_may_be_told_of_at_length(tmp_path):
    items = as_json([(data(), [answer("a")])])
    items[0]["annotations"][0]["completed_by"] = {"id": 7, "email": "a@example.org"}
    assert read_annotations(saved(tmp_path, items))[0].annotator == "a@example.org"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param('[{"a": 1},\n {"b" 2}]', r"export.json:2: not JSON \(Expecting ':'", id="damaged"),
        pytest.param("", "export.json:1: not JSON", id="empty"),
        pytest.param("[" * 100_000, "export.json: not JSON that can be read", id="too deep"),
        pytest.param('{"a": 1}', "a dict; expected Label Studio's export", id="an object"),
        pytest.param("[3]", "item 1: a int; expected an object", id="a number"),
        pytest.param('[{"data": 3, "annotations": [{"result": []}]}]', "item 1: data is a int", id="no data"),
        pytest.param('[{"data": {}}]', "item 1: no annotations; expected an export", id="the tasks"),
        pytest.param('[{"data": {}, "annotations": [{}]}]', "annotation without result", id="no result"),
        pytest.param('[{"text": "a"}]', "field utterance is None; expected a task of", id="others' tasks"),
    ],
)
def test_a_wrong_or_damaged_file_is_named_with_its_place(tmp_path, text, said):
    path = tmp_path / "export.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        read_annotations(path)


def test_a_file_that_is_missing_or_no_text_is_a_mistake_too(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_annotations(tmp_path / "export.json")
    (tmp_path / "export.json").write_bytes(b"PK\x03\x04\xff")
    with pytest.raises(UserError, match="not UTF-8 text"):
        read_annotations(tmp_path / "export.json")


def test_an_annotation_without_a_time_is_a_mistake(tmp_path):
    items = as_json_min([(data(), [answer("a")])])
    items[0]["updated_at"] = "yesterday"
    with pytest.raises(UserError, match="item 1: updated_at is 'yesterday'; expected a time"):
        read_annotations(saved(tmp_path, items))
