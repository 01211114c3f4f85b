"""The list of mutants is about the code as it is; `make mutants` sees them die."""

from collections import Counter

import pytest
from mutants import ROOT, broken, read_mutants


def test_every_edit_finds_its_place_and_its_tests():
    for mutant in read_mutants():
        text = (ROOT / mutant.file).read_text(encoding="utf-8")
        assert text.count(mutant.old) == 1, mutant
        assert mutant.old != mutant.new
        assert (ROOT / mutant.tests.split("::")[0]).is_file(), mutant


def test_every_edit_leaves_code():
    for mutant in read_mutants():
        if mutant.file.endswith(".py"):
            text = (ROOT / mutant.file).read_text(encoding="utf-8")
            compile(text.replace(mutant.old, mutant.new), str(mutant), "exec")


@pytest.mark.parametrize(
    ("ends", "error"),
    [
        (["a.py:1: NameError"], "NameError"),
        (["a.py:1: AssertionError", "tests/b.py:2: SyntaxError", "---- Captured stdout ----"], "SyntaxError"),
        (["a.py:1: NameError", "a.py:3: AssertionError", "said: NameError"], ""),
        ([], ""),
    ],
)
def test_an_edit_that_names_what_is_not_there_is_told_from_one_that_is_noticed(ends, error):
    assert broken("\n".join(["E   some", *ends, "FAILED tests/b.py::test_c"])) == error


def test_no_edit_is_there_twice():
    assert max(Counter(read_mutants()).values()) == 1
