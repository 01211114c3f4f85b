"""The list of mutants is about the code as it is; `make mutants` sees them die."""

from collections import Counter

from mutants import ROOT, read_mutants


def test_every_edit_finds_its_place_and_its_tests():
    for mutant in read_mutants():
        text = (ROOT / mutant.file).read_text(encoding="utf-8")
        assert text.count(mutant.old) == 1, mutant
        assert mutant.old != mutant.new
        assert (ROOT / mutant.tests.split("::")[0]).is_file(), mutant


def test_no_edit_is_there_twice():
    assert max(Counter(read_mutants()).values()) == 1
