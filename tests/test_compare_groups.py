import subprocess
import sys

import pytest
from test_gathered import study

from specaug.cli import main
from specaug.cli.tables import FORMATS, GROUPED
from specaug.study.tables import groups_table, table


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return study(tmp_path_factory.mktemp("runs"))


def test_by_and_words_are_told_instead_of_the_table(runs, capsys):
    assert main(["compare", str(runs), "--by", "gender", "--by=speaker", "--words", "1"]) == 0
    said = capsys.readouterr().out
    assert "unseen by gender" in said
    assert "unseen by speaker" in said
    assert "unseen: words that LD writes otherwise than None" in said
    assert "masked %" not in said
    assert said.count(" > ") == 1


def test_without_them_the_table_is_as_before(runs, capsys):
    assert main(["compare", str(runs)]) == 0
    assert "masked %" in capsys.readouterr().out


@pytest.mark.parametrize(("form", "start"), [("text", "Toy corpus: "), ("markdown", "**"), ("tsv", "# ")])
def test_every_format_that_is_offered_is_written(runs, capsys, form, start):
    assert main(["compare", str(runs), "--words", "--format", form, "--baseline", "LD"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(start)
    assert "None writes otherwise than LD" in said or "\tNone\tLD\tword\t" in said


@pytest.mark.parametrize("form", sorted({*FORMATS} - {*GROUPED}))
def test_other_formats_are_refused_in_one_line(runs, capsys, form):
    assert main(["compare", str(runs), "--by", "speaker", "--format", form]) == 2
    expected = f"specaug: --format {form} with --by; expected text or markdown or tsv or csv\n"
    assert capsys.readouterr().err == expected


def test_a_file_of_commas_is_one_table(runs, capsys):
    assert main(["compare", str(runs), "--by", "gender", "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("column,part,group,policy,")
    assert main(["compare", str(runs), "--models", "--words", "--format", "csv"]) == 2
    expected = (
        "specaug: --format csv with --models and --words; expected one of them, for a file is one table\n"
    )
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize(("form", "start"), [("text", "part "), ("markdown", "| part "), ("csv", "part,")])
def test_pairs_and_models_are_told_instead_of_the_table(runs, capsys, form, start):
    for option, named in (["--pairs=all"], "minus"), (["--models"], "segments"):
        assert main(["compare", str(runs), *option, "--format", form]) == 0
        said = capsys.readouterr().out
        (header,) = [line for line in said.splitlines() if line.startswith(start)]
        assert named in header
        assert "masked %" not in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(
            ["--by", "speeker"], "no utterance has a column 'speeker'; did you mean 'speaker'?", id="column"
        ),
        pytest.param(
            ["--by", "gender", "--baseline", "XX"], "no runs of policy 'XX'; known: None, LD", id="baseline"
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(runs, capsys, options, said):
    assert main(["compare", str(runs), *options]) == 2
    assert capsys.readouterr().err.startswith(f"specaug: {said}")


@pytest.mark.parametrize("count", ["0", "-1", "some", "1.5"])
def test_words_are_counted_from_one(runs, capsys, count):
    with pytest.raises(SystemExit, match="2"):
        main(["compare", str(runs), f"--words={count}"])
    assert (
        f"expected a number from 1 on, got '{count}'; folders come before --words" in capsys.readouterr().err
    )


def test_the_formats_on_offer_are_those_of_the_tables():
    assert tuple(table.FORMATS) == FORMATS
    assert tuple(groups_table.FORMATS) == GROUPED


def test_offering_them_imports_nothing_slow():
    code = (
        "import sys, specaug.cli.tables; print({'numpy', 'scipy', 'torch', 'rapidfuzz'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
