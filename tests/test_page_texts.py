import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_compare import rows
from test_compare import study as runs_in
from test_results import write_run

from specaug.speech.scoring import word_errors
from specaug.study.comparing.compare import compared
from specaug.study.comparing.reading import read_runs
from specaug.study.page.pick import by_turns, picked
from specaug.study.page.texts import Case, aligned, texts, written

WORDS = st.lists(st.sampled_from(["a", "b", "c", "dd"]), min_size=1, max_size=8).map(" ".join)


def read(*folders):
    found = read_runs(folders)
    return texts(compared(found), found.entries), compared(found)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return read(runs_in(tmp_path_factory.mktemp("runs")))


@given(WORDS, st.one_of(WORDS, st.just("")))
def test_the_steps_lead_from_the_reference_to_the_hypothesis_with_the_counted_errors(reference, hypothesis):
    told, steps = aligned(reference, hypothesis)
    said, heard = reference.split(), []
    for step in steps:
        if step == "i":
            heard.append("?")
        else:
            word = said.pop(0)
            heard += [word] if step == "=" else ["?"] if step == "s" else []
    assert said == []
    assert len(heard) == len(told.split())
    assert all(one in ("?", other) for one, other in zip(heard, told.split(), strict=True))
    errors = word_errors(reference, hypothesis)
    assert [steps.count(kind) for kind in "sdi"] == [
        errors.substitutions,
        errors.deletions,
        errors.insertions,
    ]


def test_what_is_equal_but_for_spaces_is_not_written_again():
    case = Case(0, "dev", "a", "anna", "one  two", 2)
    assert written(case, " one two ") == 0
    assert written(case, "one too") == ["one too", "=s"]


def test_every_utterance_of_every_fold_is_a_case_in_the_order_of_the_table(found):
    read, comparison = found
    assert len(read.cases) == sum(part.utterances for part in comparison.parts)
    order = [part.name for part in comparison.parts]
    keys = [(case.fold, order.index(case.part), case.id) for case in read.cases]
    assert keys == sorted(keys)
    assert [read.cases[place].fold for place in read.of_fold(1)] == [1] * len(read.of_fold(1))


def test_the_errors_of_the_cases_add_up_to_the_error_rate(found):
    read, comparison = found
    errors, seeds = read.errors(), read.seeds()
    for part in comparison.parts:
        mine = [place for place, case in enumerate(read.cases) if case.part == part.name]
        for number, row in enumerate(comparison.rows):
            rate = errors[number, mine].sum() / seeds[number] / part.words
            assert rate == pytest.approx(row.scores[part.name].wer.value)


def test_a_run_that_the_table_leaves_out_is_left_out(tmp_path):
    runs_in(tmp_path)
    write_run(tmp_path / "LD-9-0", rows(0, 0.3, 9), "LD", 9, 0)  # of two folds
    read_, comparison = read(tmp_path)
    assert {run.result.seed for run in read_.runs} == {0, 1, 2}
    assert len(read_.runs) == sum(len(row.runs) for row in comparison.rows)


def test_those_most_changed_and_the_worst_are_picked_by_turns_from_every_part(found):
    read = found[0]
    chosen = picked(read, 8)
    means = read.errors().sum(axis=2) / np.array(read.seeds())[:, None]
    for part in ("dev", "unseen"):
        mine = [place for place, case in enumerate(read.cases) if case.part == part]
        of_part = [place for place in chosen if read.cases[place].part == part]
        assert len(of_part) == 4
        assert np.ptp(means[:, of_part[0]]) == max(np.ptp(means[:, place]) for place in mine)
        assert max(means[:, of_part].sum(axis=0)) == max(means[:, place].sum() for place in mine)
    assert len(set(picked(read, 10_000))) == len(read.cases)


def test_turns_are_taken_and_nothing_comes_twice():
    assert by_turns([1, 2, 3], [3, 1, 2]) == [1, 3, 2]
