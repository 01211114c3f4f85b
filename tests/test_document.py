import pytest
from test_compare import study

from specaug.errors import UserError
from specaug.study.tables.document import grouped_table, keep_run, refresh, results_table


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
    assert results_table(tmp_path / "kept") == results_table(runs)


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
    assert shown == text.format(runs.name).replace("old\n", f"\n{results_table(runs)}\n")
    assert refresh(document, runs.parent, check=True)
    document.write_text(shown.replace("LD", "LX"), encoding="utf-8")
    assert not refresh(document, runs.parent, check=True)


def test_a_document_may_ask_for_the_table_by_a_column(tmp_path, runs):
    document = tmp_path / "results.md"
    document.write_text(f"<!-- table: {runs.name} by speaker -->\n<!-- end -->\n", encoding="utf-8")
    assert not refresh(document, runs.parent, check=False)
    assert grouped_table(runs, "speaker") in document.read_text(encoding="utf-8")
    assert "(all)" in grouped_table(runs, "speaker")
    assert refresh(document, runs.parent, check=True)


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
