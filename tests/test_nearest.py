import pytest

from specaug.study.nearest import hint


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        pytest.param("batc", ["peak", "batch"], "; did you mean 'batch'?", id="near"),
        pytest.param("ld", ["LB", "LD"], "; did you mean 'LD'?", id="case"),
        pytest.param("BATC", ["peak", "batch"], "; did you mean 'batch'?", id="case of the given"),
        pytest.param("zzz", ["LB", "LD"], "; known: LB, LD", id="far"),
    ],
)
def test_a_near_name_is_proposed_and_else_all_are_listed(name, known, expected):
    assert hint(name, known) == expected
