import pytest
from test_compare import study
from test_compare_systems import system

from specaug.errors import UserError
from specaug.study.tables.document import keep_run, refresh, table_of


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return study(tmp_path_factory.mktemp("runs"))


def test_a_kept_run_gives_the_table_of_the_run_itself(tmp_path, runs):
    for folder in sorted(runs.iterdir()):
        kept = keep_run(folder, tmp_path / "kept")
        assert sorted(file.name for file in kept.iterdir()) == [
            "hypotheses.jsonl.xz",
            "recipe.yaml",
            "result.json",
        ]
    assert table_of([tmp_path / "kept"]) == table_of([runs])


def test_a_damaged_run_is_not_kept(tmp_path):
    run = study(tmp_path / "runs", ["None"], seeds=1, folds=1) / "None-0-0"
    (run / "hypotheses.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="part dev: 0 utterances"):
        keep_run(run, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_keeping_a_run_twice_gives_the_same_bytes(tmp_path, runs):
    one, two = (keep_run(runs / "LD-0-0", tmp_path / name) / "hypotheses.jsonl.xz" for name in "ab")
    assert one.read_bytes() == two.read_bytes()


def test_a_document_is_refreshed_once_and_then_current(tmp_path, runs):
    document = tmp_path / "results.md"
    text = "# Results\n\n<!-- table: {} -->\nold\n<!-- end -->\n\nAfter.\n"
    document.write_text(text.format(runs.name), encoding="utf-8")
    before = document.read_bytes()
    assert not refresh(document, runs.parent, check=True)
    assert document.read_bytes() == before
    assert not refresh(document, runs.parent, check=False)
    shown = document.read_text(encoding="utf-8")
    assert shown == text.format(runs.name).replace("old\n", f"\n{table_of([runs])}\n")
    assert refresh(document, runs.parent, check=True)
    document.write_text(shown.replace("LD", "LX"), encoding="utf-8")
    assert not refresh(document, runs.parent, check=True)


def test_a_document_may_ask_for_the_table_by_a_column(tmp_path, runs):
    document = tmp_path / "results.md"
    document.write_text(f"<!-- table: {runs.name} by speaker -->\n<!-- end -->\n", encoding="utf-8")
    assert not refresh(document, runs.parent, check=False)
    assert table_of([runs], "speaker") in document.read_text(encoding="utf-8")
    assert "(all)" in table_of([runs], "speaker")
    assert refresh(document, runs.parent, check=True)


def test_a_document_may_ask_for_pairs_and_for_the_runs_of_several_folders(tmp_path):
    for name, width in (("a", 8), ("b", 16)):
        system(tmp_path / name, width, policies=["None", "LB"], seeds=1, folds=1)
    document = tmp_path / "results.md"
    asked = ("a + b", "a + b in pairs of gains", "a + b in pairs of networks", "a in pairs of policies")
    document.write_text("".join(f"<!-- table: {marker} -->\n<!-- end -->\n" for marker in asked))
    assert not refresh(document, tmp_path, check=False)
    shown = document.read_text(encoding="utf-8")
    both = [tmp_path / "a", tmp_path / "b"]
    assert table_of(both) in shown
    assert table_of(both, pairs="gains") in shown
    assert "gains over None with two networks in pairs" in shown
    assert table_of(both, pairs="networks") in shown
    assert table_of(both[:1], pairs="policies") in shown
    assert refresh(document, tmp_path, check=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("<!-- table: a -->\n", r"d\.md:1: the table has no end", id="no end"),
        pytest.param(
            "\n<!-- table: a -->\n<!-- table: b -->\n<!-- end -->\n", r"d\.md:2: the t", id="nested"
        ),
        pytest.param(
            "<!-- table: gone -->\n<!-- end -->\n", r"d\.md:1: .*gone: no such folder", id="no folder"
        ),
        pytest.param(
            "<!-- table: runs + gone -->\n<!-- end -->\n", r"d\.md:1: .*gone: no such folder", id="one of two"
        ),
        pytest.param(
            "<!-- table: runs in pairs of gains -->\n<!-- end -->\n",
            r"d\.md:1: .*no two systems",
            id="no pair",
        ),
        pytest.param("<!-- table: runs by age -->\n<!-- end -->\n", r"d\.md:1: .*'age'", id="no such column"),
    ],
)
def test_a_wrong_marker_is_named_and_the_document_is_left_alone(tmp_path, runs, text, said):
    (tmp_path / "runs").symlink_to(runs)
    document = tmp_path / "d.md"
    document.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        refresh(document, tmp_path, check=False)
    assert document.read_text(encoding="utf-8") == text
