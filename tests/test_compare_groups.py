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
    expected = f"specaug: --format {form} with --by, --words or --models; expected text or markdown or tsv\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(
            ["--by", "speeker"], "no utterance has a column 'speeker'; did you mean 'speaker'?", id="column"
        ),
        pytest.param(
            ["--by", "gender", "--baseline", "XX"], "baseline is 'XX'; expected one of", id="baseline"
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
