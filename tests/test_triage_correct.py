from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from specaug.errors import UserError
from specaug.speech.manifest import Utterance
from specaug.study.triage.annotations import Annotation
from specaug.study.triage.correct import Corrected, as_text, as_tsv, causes, correct

TEXTS = {"u1": "one two", "u2": "three", "u3": "four five"}
MANIFEST = [
    Utterance(id=name, text=text, speaker="s", duration=1.0, audio=Path("a.wav"), columns={"snr": 3})
    for name, text in TEXTS.items()
]


def said(utterance="u1", corrected=None, bad=False, why=(), policy="LD", annotator="1", minute=0, **other):
    time = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(minutes=minute)
    reference = other.get("reference", TEXTS.get(utterance, ""))
    place = f"export.json: item {minute}"
    return Annotation(
        place, utterance, "unseen", policy, reference, corrected, bad, tuple(why), annotator, time
    )


def texts(corrected):
    return {u.id: u.text for u in corrected.utterances}


def test_what_was_corrected_is_replaced_and_nothing_else():
    got = correct(MANIFEST, [said("u1", "one six"), said("u2")])
    assert texts(got) == TEXTS | {"u1": "one six"}
    assert (got.changed, got.left_out, got.disagreements) == (["u1"], [], [])
    assert got.utterances[0].columns == {"snr": 3}


def test_a_bad_reference_is_left_out_or_kept_or_replaced_where_it_was_corrected():
    annotations = [said("u1", bad=True), said("u2", "six", bad=True)]
    assert texts(correct(MANIFEST, annotations)) == {"u2": "six", "u3": "four five"}
    assert correct(MANIFEST, annotations).left_out == ["u1"]
    assert texts(correct(MANIFEST, annotations, keep_bad=True)) == TEXTS | {"u2": "six"}


def test_the_last_verdict_counts_and_that_annotators_disagree_is_told():
    annotations = [
        said("u1", "one six", annotator="1"),
        said("u1", "one ten", annotator="2", minute=1),
        said("u1", annotator="3", minute=2),
    ]
    got = correct(MANIFEST, annotations)
    assert texts(got)["u1"] == "one ten"
    assert got.disagreements == [
        "u1: annotator 1 writes 'one six', annotator 2 writes 'one ten', annotator 3 leaves it; "
        "taken: writes 'one ten'"
    ]


def test_who_changes_his_mind_disagrees_with_nobody():
    annotations = [said("u1", "one six"), said("u1", bad=True, minute=1)]
    got = correct(MANIFEST, annotations)
    assert (got.left_out, got.disagreements) == (["u1"], [])


def test_corrections_may_be_made_again():
    annotations = [said("u1", "one six"), said("u3")]
    once = correct(MANIFEST, annotations)
    again = correct(once.utterances, annotations)
    assert texts(again) == texts(once)
    assert again.changed == []


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        pytest.param(said("u9"), "item 0: utterance 'u9' is not in the manifest", id="unknown id"),
        pytest.param(
            said("u1", "x", reference="one three"),
            "reference of 'u1' is 'one three'; expected 'one two'",
            id="another text",
        ),
    ],
)
def test_annotations_of_another_manifest_are_refused(annotation, message):
    with pytest.raises(UserError, match=message):
        correct(MANIFEST, [annotation])


def test_ids_are_unique():
    with pytest.raises(UserError, match="id 'u1' is also at"):
        correct([*MANIFEST, replace(MANIFEST[0])], [])


def test_causes_are_counted_by_policy_each_utterance_by_its_last_annotation():
    table = causes(
        [
            said("u1", why=["noise"], policy="LD"),
            said("u1", why=["accent", "noise"], policy="LB"),
            said("u1", why=["accent"], policy="LD", minute=1),
            said("u2", why=["accent", "lunch"], policy="LD", minute=2),
            said("u3", policy="LD", minute=3),
        ]
    )
    rows = {row[0]: row[1:] for row in table}
    assert rows["cause"] == ["LB", "LD"]
    assert (rows["noise"], rows["accent"], rows["lunch"]) == (["1", "0"], ["1", "2"], ["0", "1"])
    assert (rows["none given"], rows["utterances"]) == (["0", "1"], ["1", "3"])


def test_the_table_is_printed_as_text_and_as_tsv_without_control_characters():
    annotations = [said("u1", "one\x1b six", annotator="1"), said("u1", bad=True, annotator="2", minute=1)]
    got = correct(MANIFEST, annotations)
    text, tsv = as_text(annotations, got), as_tsv(annotations, got)
    assert text.splitlines()[:2] == ["cause            LD", "noise             0"]
    assert "left out, with bad references: u1" in text
    assert "annotators disagree: u1: annotator 1 writes" in text
    assert "\x1b" not in text + tsv + as_tsv([], Corrected([], [], ["u\x1b1"], []))
    assert tsv.splitlines()[0] == "cause\tLD"
    assert "# 0 texts corrected; 2 utterances written" in tsv.splitlines()
