"""What runs that tell different columns of the same utterances say together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_gathered import RATES, edit, study
from test_results import utterance, write_run

from specaug.errors import UserError
from specaug.study.comparing.bins import ALL, NOT_GIVEN
from specaug.study.comparing.columns import columns
from specaug.study.comparing.gathered import gathered
from specaug.study.comparing.groups import grouped
from specaug.study.results import read_result, read_utterances

VALUES = st.sampled_from(["f", "m", None, "no column"])


def read(folder, genders, fold=0):
    """A run on an utterance for each gender, as it is read."""
    rows = [
        utterance("test", f"u{i}", "anna", 2, **({} if gender == "no column" else {"gender": gender}))
        for i, gender in enumerate(genders)
    ]
    result = read_result(write_run(folder, rows, seed=int(folder.name), fold=fold))
    return result, read_utterances(result)["test"]


def first_by_hand(told):
    return next((gender for gender in told if gender not in (None, "no column")), None)


@given(st.lists(st.lists(VALUES, min_size=3, max_size=3), min_size=1, max_size=3))
def test_an_utterance_has_what_the_first_run_that_tells_it_says(tmp_path_factory, told):
    root = tmp_path_factory.mktemp("columns")
    found = columns(read(root / f"{seed}", genders) for seed, genders in enumerate(told))
    expected = [first_by_hand(of) for of in zip(*told, strict=True)]
    some = [any(gender != "no column" for gender in genders) for genders in told]
    assert ("gender" in found) == any(some)
    if any(some):
        assert list(found["gender"].values) == expected
        lacking = [root / f"{seed}" for seed, has in enumerate(some) if not has]
        assert list(found["gender"].lacking) == lacking
        differ = any({"f", "m"} <= set(of) for of in zip(*told, strict=True))
        assert bool(found["gender"].clash) == differ


def test_folds_follow_one_another_and_need_not_tell_the_same(tmp_path):
    found = columns([read(tmp_path / "0", "fm", fold=1), read(tmp_path / "1", ["no column"], fold=0)])
    assert found["gender"].values == (None, "f", "m")
    assert found["gender"].lacking == ()


def test_only_the_column_that_is_asked_for_must_be_told_alike(tmp_path):
    runs = study(tmp_path, folds=1)
    edit(runs / "None-1-0", 3, gender="x")
    assert grouped(gathered([runs]), "speaker").parts
    said = r"None-1-0: gender of utterance 'dev-0-anna-03' is 'x'; expected 'f' as in \S+/None-0-0"
    with pytest.raises(UserError, match=said):
        grouped(gathered([runs]), "gender")


def test_runs_without_the_column_are_named_and_grouped_as_the_others_say(tmp_path):
    rows = [utterance("test", f"u{i}", f"{'ab'[i % 2]}{i}", 30, i % 3) for i in range(8)]
    for label in RATES:
        for seed in range(2):
            columns_of = [{} if label == "LD" else {"accent": "north" if i < 4 else None} for i in range(8)]
            told = [row | columns for row, columns in zip(rows, columns_of, strict=True)]
            write_run(tmp_path / f"{label}-{seed}", told, label, seed)
    found = grouped(gathered([tmp_path]), "accent")
    assert [(one.name, one.utterances) for one in found.parts[0].groups] == (
        [(ALL, 8), ("north", 4), (NOT_GIVEN, 4)]
    )
    folders = " ".join(str(tmp_path / f"LD-{seed}") for seed in range(2))
    assert found.notes[0] == f"2 runs without accent, which is as the others tell it: {folders}"


@pytest.mark.parametrize("name", [ALL, NOT_GIVEN])
def test_a_value_that_is_called_as_one_of_our_groups_is_another_group(tmp_path, name):
    rows = [utterance("test", f"u{i}", f"s{i}", 4, i % 2, group=name if i % 2 else "b") for i in range(6)]
    write_run(tmp_path / "run", [*rows, utterance("test", "v", "s9", 4, 0)])
    part = grouped(gathered([tmp_path]), "group").parts[0]
    rates = {one.name: part.scores[one.name]["None"].wer.value for one in part.groups}
    assert rates == {ALL: 3 / 28, "b": 0, repr(name): 0.25, NOT_GIVEN: 0}
