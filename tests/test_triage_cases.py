import pytest
from test_results import utterance, write_run

from specaug.errors import UserError
from specaug.study.comparing.reading import read_runs
from specaug.study.triage.cases import alike, cases_of, changed, policies_of, worst

ERRORS = {  # by policy and seed, the substitutions in each of four utterances
    ("LB x 0.25", 0): {"a": 0, "b": 0, "c": 1, "d": 0},
    ("LB x 0.25", 1): {"a": 0, "b": 2, "c": 0, "d": 0},
    ("LD x 0.25", 0): {"a": 1, "b": 3, "c": 2, "d": 0},
    ("LD x 0.25", 1): {"a": 2, "b": 3, "c": 1, "d": 0},
}

SNR = {name: {"snr": 3.5} for name in "abc"}


@pytest.fixture
def runs(tmp_path):
    for (label, seed), errors in ERRORS.items():
        rows = [utterance("unseen", name, "anna", 4, n, **SNR.get(name, {})) for name, n in errors.items()][
            ::-1
        ]
        rows.append(utterance("noisy", "e", "anna", 4, 4))
        write_run(tmp_path / f"{label}-{seed}", rows, label=label, seed=seed)
    return tmp_path


def ids(chosen):
    return [(one.case.id, one.errors, one.shown.run.seed, one.runs) for one in chosen]


def test_the_worst_have_the_most_errors_over_all_seeds_ties_by_id(runs):
    cases = cases_of(read_runs([runs]), "unseen")
    assert ids(worst(cases, "LD x 0.25", 9)) == [("b", 6, 0, 2), ("a", 3, 1, 2), ("c", 3, 0, 2)]
    assert ids(worst(cases, "LD x 0.25", 2)) == [("b", 6, 0, 2), ("a", 3, 1, 2)]


def test_all_parts_are_looked_at_unless_one_is_named(runs):
    assert ids(worst(cases_of(read_runs([runs])), "LB", 1)) == [("e", 8, 0, 2)]
    assert {case.part for case in cases_of(read_runs([runs]), "noisy")} == {"noisy"}
    with pytest.raises(UserError, match=r"--part is 'unsen'; did you mean 'unseen'\?"):
        cases_of(read_runs([runs]), "unsen")


def test_what_changed_was_right_with_the_seed_with_which_it_is_wrong(runs):
    cases = cases_of(read_runs([runs]), "unseen")
    assert ids(changed(cases, "LB", "LD", 9)) == [("a", 3, 1, 2), ("b", 3, 0, 1), ("c", 1, 1, 1)]
    assert ids(changed(cases, "LD", "LB", 9)) == []
    assert ids(changed(cases, "LB", "LD", 1)) == [("a", 3, 1, 2)]


def test_a_case_has_every_answer_and_the_columns_of_its_utterance(runs):
    (case,) = (case for case in cases_of(read_runs([runs])) if case.id == "b")
    assert [(a.run.label, a.run.seed, a.errors) for a in case.answers] == [
        (*run, errors["b"]) for run, errors in ERRORS.items()
    ]
    assert case.columns == {"snr": 3.5}
    assert {case.id for case in cases_of(read_runs([runs])) if not case.columns} == {"d", "e"}


def test_hypotheses_that_are_alike_are_told_once_with_their_writers(runs):
    (case,) = (case for case in cases_of(read_runs([runs])) if case.id == "b")
    assert alike(case) == [
        ("w0 w1 w2 w3", {"LB x 0.25": [0]}),
        ("wrong wrong w2 w3", {"LB x 0.25": [1]}),
        ("wrong wrong wrong w3", {"LD x 0.25": [0, 1]}),
    ]


def test_a_policy_must_be_named_where_there_are_several(runs):
    cases = cases_of(read_runs([runs]))
    assert policies_of(cases) == ["LB x 0.25", "LD x 0.25"]
    with pytest.raises(UserError, match=r"runs of LB x 0.25, LD x 0.25; expected --policy"):
        worst(cases, None, 5)
    with pytest.raises(UserError, match=r"no runs of policy 'LC'; known: LB x 0.25, LD x 0.25"):
        worst(cases, "LC", 5)
    assert worst(cases_of(read_runs([runs / "LD x 0.25-0"])), None, 1)[0].shown.run.label == "LD x 0.25"


def test_the_first_word_of_a_policy_is_not_enough_where_two_start_with_it(tmp_path):
    for label in ("LD x 0.25", "LD x 0.5", "LD"):
        write_run(tmp_path / label, label=label, seed=len(label))
    cases = cases_of(read_runs([tmp_path]))
    assert worst(cases, "LD", 1)[0].shown.run.label == "LD"
    with pytest.raises(UserError, match="no runs of policy 'LD'"):
        worst(cases_of(read_runs([tmp_path / "LD x 0.25", tmp_path / "LD x 0.5"])), "LD", 1)


def test_folds_are_looked_at_together_and_kept_apart(tmp_path):
    for fold in (0, 1):
        rows = [utterance("unseen", "a", "anna", 4, fold + 1)]
        write_run(tmp_path / f"{fold}", rows, fold=fold)
    chosen = worst(cases_of(read_runs([tmp_path])), None, 9)
    assert [(one.case.fold, one.errors) for one in chosen] == [(1, 2), (0, 1)]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        pytest.param(lambda lines: lines[:2], "part unseen: 2 utterances; .* says 4", id="rows are lost"),
        pytest.param(lambda lines: [*lines, lines[0]], "part unseen: id 'd' occurs twice", id="doubled"),
        pytest.param(
            lambda lines: [*lines, lines[0].replace("unseen", "other")], "part 'other' is not in", id="part"
        ),
    ],
)
def test_damaged_runs_are_refused(runs, edit, said):
    file = runs / "LD x 0.25-0" / "hypotheses.jsonl"
    file.write_text("\n".join(edit(file.read_text(encoding="utf-8").splitlines())), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        cases_of(read_runs([runs]))


def test_folders_without_finished_runs_are_a_mistake(tmp_path):
    with pytest.raises(UserError, match="no finished run"):
        cases_of(read_runs([tmp_path]))
