import pytest
from test_compare import study

from specaug.study.comparing.gathered import gathered
from specaug.study.stats.mapsswe import aligned, matched_pairs
from specaug.study.tables.models_table import COLUMNS, pairs, plain
from specaug.study.tables.plain_table import FORMATS


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return gathered([study(tmp_path_factory.mktemp("runs"))])


def test_there_is_a_pair_for_every_part_policy_and_common_seed(found):
    told = [(pair.part, pair.policy, pair.tests.seed) for pair in pairs(found)]
    assert told == [
        (part.name, label, seed)
        for part in found.parts
        for label in found.others
        for seed in sorted(set(found.seeds[label]) & set(found.seeds[found.baseline]))
    ]
    assert told


def test_a_pair_is_the_test_of_its_two_models(found):
    part = found.parts[0]
    for pair in pairs(found):
        if pair.part == part.name:
            ours, theirs = (
                aligned(part.references, part.hypotheses[label][pair.tests.seed])
                for label in (pair.policy, found.baseline)
            )
            expected = matched_pairs(ours, theirs)
            assert pair.tests.matched.segments == expected.segments
            assert pair.tests.matched.z == pytest.approx(expected.z)


def test_tab_separated_lines_have_as_many_cells_as_the_header(found):
    lines = [line.split("\t") for line in FORMATS["tsv"](plain(found)).splitlines() if line[0] != "#"]
    assert lines[0] == list(COLUMNS)
    assert {len(line) for line in lines} == {len(COLUMNS)}


@pytest.mark.parametrize("form", FORMATS)
def test_no_rendering_calls_a_policy_better(found, form):
    said = FORMATS[form](plain(found))
    assert "tests of two models and not of two policies" in " ".join(said.split()) or form == "csv"
    assert "better" not in said
    assert "significant" not in said
