"""Classes for transcripts: which utterances have which, which of them are labelled, and what training then gets."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_prepare import FEATURES, halved, noise

from specaug.errors import UserError
from specaug.speech.classes import Classes, asked_of, class_name, classes_of, labelled, labels_of
from specaug.speech.corpus import Corpus
from specaug.speech.manifest import Utterance
from specaug.speech.options import Text
from specaug.speech.prepare import Prepared, prepare
from specaug.speech.text import Units

MOODS = Text(classes="mood")


def utterance(name: str, text: str = "a b", speaker: str = "s", **columns: object) -> Utterance:
    return Utterance(
        id=name, text=text, speaker=speaker, duration=1.0, columns=columns, where=f"m.jsonl:{name}"
    )


def corpus_of(**parts: list[Utterance]) -> Corpus:
    return Corpus("toy", "toy", False, parts)


@pytest.fixture
def moods() -> Corpus:
    """Utterances of three moods, one of them two words long."""
    train = [utterance(f"t{i}", mood=mood) for i, mood in enumerate(["glad", "very sad", "glad", "calm"])]
    return corpus_of(
        train=train, dev=[utterance("d0", mood="calm")], test=[utterance("e0", mood=" very  sad ")]
    )


def test_names_and_labels_are_each_others_inverse_and_label_0_is_no_class():
    classes = Classes(("calm", "glad", "sad"))
    assert isinstance(classes, Units)
    assert classes.size == 4
    assert classes.tokens == ["calm", "glad", "sad"]
    assert [classes.encode(name) for name in classes.names] == [[1], [2], [3]]
    assert [classes.decode([label]) for label in (1, 2, 3)] == ["calm", "glad", "sad"]


def test_a_name_that_is_no_class_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="'bad' is none of the 2 classes: calm, glad"):
        Classes(("calm", "glad")).encode("bad")


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text())
def test_the_name_of_a_class_is_one_word_or_none_at_all(value):
    name = class_name(value)
    blank = value is None or value != value or (isinstance(value, str) and not value.split())
    assert (name == "") == blank
    assert len(name.split()) == (0 if blank else 1)


def test_the_classes_are_the_sorted_names_of_training_as_one_word_each(moods):
    asked, problems = asked_of(moods, MOODS)
    assert problems == []
    assert classes_of(asked, "mood").names == ("calm", "glad", "very_sad")
    assert labels_of(moods, MOODS) == 4
    assert [u.text for u in asked.parts["train"]] == ["glad", "very_sad", "glad", "calm"]
    assert [u.text for u in asked.parts["test"]] == ["very_sad"]
    assert [u.columns for u in asked.parts["train"]] == [u.columns for u in moods.parts["train"]]


@pytest.mark.parametrize(("column", "names"), [("text", ("a_b", "c")), ("speaker", ("anna", "bert"))])
def test_text_and_speaker_are_columns_too(column, names):
    train = [utterance("t0", "a b", "anna"), utterance("t1", "c", "bert")]
    corpus = corpus_of(train=train, dev=train[:1])
    asked, _ = asked_of(corpus, Text(classes=column))
    assert classes_of(asked, column).names == names


@pytest.mark.parametrize(("one", "other"), [("go_on", "go on"), ("go  on", "go_on"), ("a b_c", "a_b c")])
def test_two_values_that_would_be_one_class_are_refused_with_their_places(moods, one, other):
    asked_of(
        replace(moods, parts={**moods.parts, "test": [utterance("x0", mood=one), utterance("x1", mood=one)]}),
        MOODS,
    )
    parts = {**moods.parts, "dev": [utterance("x0", mood=one)], "test": [utterance("x1", mood=other)]}
    first, second = (" ".join(value.split()) for value in (one, other))
    said = f"m.jsonl:x1: mood is {second!r}, and {first!r} at m.jsonl:x0, which would be one class; expected one spelling"
    with pytest.raises(UserError, match=said):
        asked_of(replace(moods, parts=parts), MOODS)


@pytest.mark.parametrize(("one", "other"), [("go  on", " go on"), (1, "1"), (True, "true"), (None, " ")])
def test_values_that_are_written_alike_are_one_class(moods, one, other):
    train = [utterance("x0", mood=one), utterance("x1", mood=other)]
    asked, _ = asked_of(replace(moods, parts={**moods.parts, "test": train}), MOODS)
    assert len({u.text for u in asked.parts["test"]}) == (one is not None)


def test_without_classes_and_with_all_labels_the_corpus_is_as_it_is(moods):
    assert asked_of(moods, Text()) == (moods, [])


def test_an_utterance_without_a_class_is_left_out_and_told(moods):
    blank = [utterance("x0"), utterance("x1", mood=None), utterance("x2", mood=" ")]
    train = [*moods.parts["train"], *blank]
    asked, problems = asked_of(replace(moods, parts={**moods.parts, "train": train}), MOODS)
    assert [u.id for u in asked.parts["train"]] == ["t0", "t1", "t2", "t3"]
    assert [str(p) for p in problems] == [
        f"m.jsonl:x{n}: no mood, which is the class; expected one" for n in range(3)
    ]


def test_a_column_that_no_utterance_has_is_refused_with_those_that_there_are(moods):
    told = "text.classes is 'modo', and no utterance has such a column; expected one of text, speaker, mood"
    with pytest.raises(UserError, match=re.escape(told)):
        asked_of(moods, Text(classes="modo"))


def test_fewer_than_two_classes_are_refused(moods):
    one = replace(moods, parts={**moods.parts, "train": moods.parts["train"][:1]})
    with pytest.raises(UserError, match=re.escape("of which train has 1 (glad); expected 2 classes or more")):
        labels_of(one, MOODS)


@pytest.mark.parametrize("part", ["dev", "test"])
def test_a_class_that_training_does_not_know_is_refused_with_its_place(moods, part):
    strange = replace(moods, parts={**moods.parts, part: [utterance("z", mood="angry")]})
    told = f"m.jsonl:z: class 'angry' of part {part} is not in train; expected one of its 3: calm, glad, very_sad"
    with pytest.raises(UserError, match=re.escape(told)):
        labels_of(strange, MOODS)


def test_a_message_lists_a_dozen_classes_and_counts_the_others():
    with pytest.raises(ValueError, match="11 and 8 more"):
        Classes(tuple(f"{n:02}" for n in range(20))).encode("x")


many = st.lists(st.sampled_from("abcd"), min_size=1, max_size=60)
shares = st.floats(0, 1, exclude_min=True)


def spread(names: list[str]) -> list[Utterance]:
    return [utterance(f"u{place}", name) for place, name in enumerate(names)]


@given(many, shares, shares, st.booleans())
def test_a_smaller_share_lies_inside_a_larger_one_in_the_same_order(names, one, other, by_class):
    found = spread(names)
    small, large = (labelled(found, share, by_class) for share in sorted((one, other)))
    assert {u.id for u in small} <= {u.id for u in large}
    assert small == [u for u in found if u in small]


@given(many, shares)
def test_of_each_class_its_share_is_taken_and_at_least_one(names, share):
    kept = Counter(u.text for u in labelled(spread(names), share, by_class=True))
    assert kept == {name: max(1, round(share * count)) for name, count in Counter(names).items()}


@given(many, shares)
def test_without_classes_the_share_is_of_all(names, share):
    assert len(labelled(spread(names), share, by_class=False)) == max(1, round(share * len(names)))


@given(many, shares, st.randoms(use_true_random=False))
def test_the_choice_is_of_the_ids_and_not_of_their_order(names, share, chance):
    found = spread(names)
    again = chance.sample(found, len(found))
    chosen = [{u.id for u in labelled(us, share, by_class=True)} for us in (found, again)]
    assert chosen[0] == chosen[1]


def test_the_choice_is_the_same_on_every_machine_and_not_that_of_the_first():
    kept = [u.id for u in labelled(spread(["a"] * 20), 0.2, by_class=True)]
    assert kept == ["u2", "u4", "u11", "u18"]
    assert kept != [f"u{n}" for n in range(4)]


@pytest.mark.parametrize(
    ("given_", "told"),
    [
        ({"classes": " "}, "classes is ' '; expected a column of the manifest"),
        ({"classes": ""}, "classes is ''; expected a column of the manifest"),
        (
            {"classes": "text", "pieces": 9},
            "pieces is 9 and classes is 'text'; expected one of them: a class is written whole",
        ),
        ({"labelled": 0.0}, "labelled is 0.0; expected a share above 0, at most 1"),
        ({"labelled": 1.5}, "labelled is 1.5; expected a share above 0, at most 1"),
        ({"labelled": float("nan")}, "labelled is nan; expected a share above 0"),
    ],
)
def test_a_recipe_that_asks_for_what_cannot_be_is_refused(given_, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        Text(**given_)


@pytest.fixture
def spoken(tmp_path) -> Corpus:
    """Five utterances of two speakers to train on; what the second one says, no alphabet can write."""
    folder = tmp_path / "audio"
    train = [replace(noise(folder, f"t{i}"), speaker="ab"[i % 2], text="a?"[i % 2]) for i in range(5)]
    return corpus_of(train=train, dev=[replace(noise(folder, "d1"), speaker="b")])


def prepared(corpus: Corpus, cache, text: Text) -> Prepared:
    return prepare(corpus, FEATURES, text, halved, cache)


def test_what_is_prepared_has_one_label_an_utterance_and_the_class_for_its_text(spoken, tmp_path):
    ready = prepared(spoken, tmp_path / "cache", Text(classes="speaker"))
    assert ready.units == Classes(("a", "b"))
    assert ready.parts["train"].labels == [[1], [2], [1], [2], [1]]
    assert [u.text for u in ready.parts["dev"].utterances] == ["b"]
    assert [u.speaker for u in ready.parts["train"].utterances] == list("ababa")


def test_all_recipes_share_one_store_and_one_fingerprint(spoken, tmp_path):
    texts = [Text(classes="speaker"), Text(classes="speaker", labelled=0.4), Text(alphabet="ab?")]
    found = [prepared(spoken, tmp_path / "cache", text) for text in texts]
    assert len({ready.fingerprint for ready in found}) == 1
    assert sum(path.is_dir() for path in (tmp_path / "cache").glob("features-*")) == 1
    few, every = found[1].parts["train"], found[0].parts["train"]
    assert len(few.ids) == 2 < len(every.ids)
    for place, name in enumerate(few.ids):
        assert np.array_equal(few.features(place), every.features(every.ids.index(name)))


def test_what_is_not_labelled_may_have_any_transcript(spoken, tmp_path):
    kept = {u.id for u in labelled(spoken.parts["train"], 0.4, by_class=False)}
    train = [replace(u, text="a" if u.id in kept else "?") for u in spoken.parts["train"]]
    dev = [replace(u, text="a") for u in spoken.parts["dev"]]
    corpus = replace(spoken, parts={"train": train, "dev": dev})
    ready = prepared(corpus, tmp_path / "cache", Text(alphabet="a", labelled=0.4))
    assert set(ready.parts["train"].ids) == kept
    with pytest.raises(UserError, match=re.escape("characters '?' are not in the alphabet 'a'")):
        prepared(corpus, tmp_path / "other", Text(alphabet="a"))


def test_without_a_class_it_stops_or_is_skipped_as_the_recipe_says(spoken, tmp_path):
    train = [
        replace(u, columns={"mood": "xyx"[i]} if i < 3 else {}) for i, u in enumerate(spoken.parts["train"])
    ]
    dev = [replace(u, columns={"mood": "x"}) for u in spoken.parts["dev"]]
    corpus = replace(spoken, parts={"train": train, "dev": dev})
    with pytest.raises(
        UserError, match=re.escape("m.jsonl:t3: no mood, which is the class; expected one (and 1 more)")
    ):
        prepared(corpus, tmp_path / "cache", MOODS)
    ready = prepared(corpus, tmp_path / "cache", replace(MOODS, on_bad_utterance="skip"))
    assert ready.parts["train"].ids == ["t0", "t1", "t2"]
    assert [problem.where for problem in ready.skipped] == ["m.jsonl:t3", "m.jsonl:t4"]


def test_one_frame_of_output_is_enough_for_a_class_and_none_is_not(spoken, tmp_path):
    short = replace(noise(tmp_path / "audio", "s", seconds=0.035), speaker="a")  # two frames, one output
    corpus = replace(spoken, parts={**spoken.parts, "train": [*spoken.parts["train"], short]})
    assert prepared(corpus, tmp_path / "cache", Text(classes="speaker")).parts["train"].frames[-1] == 2
    short = replace(noise(tmp_path / "audio", "ss", seconds=0.025), speaker="a")
    corpus = replace(spoken, parts={**spoken.parts, "train": [*spoken.parts["train"], short]})
    with pytest.raises(UserError, match=r"m\.jsonl:ss: too short: no frame of output"):
        prepared(corpus, tmp_path / "cache", Text(classes="speaker"))
