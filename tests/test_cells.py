"""Which scores are set in bold, and what names a row."""

import re
from dataclasses import replace

import pytest
from test_table import by_hand

from specaug.study.comparing.compare import PartFacts
from specaug.study.comparing.systems import System
from specaug.study.page.rates import remarks, tables
from specaug.study.stats.statistics import BETTER, NO_DIFFERENCE, WORSE, Difference, Estimate
from specaug.study.tables.cells import earned, earned_in, reported, side_by_side
from specaug.study.tables.table import as_latex, as_markdown, as_text

SYSTEMS = [System("Net", told, "m.Net", {}, 7, {"s_f": s_f}) for told, s_f in (("s_f=1", 1), ("s_f=2", 2))]


def scored(*given):
    """Policies A, B, ... of which A is the baseline, with these rates and verdicts, in one system."""
    comparison = by_hand()
    rows = []
    for row, (value, verdict) in zip(comparison.rows, given, strict=False):
        told = (
            None
            if row.label == "A"
            else Difference(value - given[0][0], -1.0, 1.0, 0.01, 0.02, 0.1, 0.1, verdict)
        )
        rows.append(
            replace(
                row, scores={"unseen": replace(row.scores["unseen"], wer=Estimate(value), difference=told)}
            )
        )
    return replace(comparison, rows=rows)


@pytest.mark.parametrize(
    ("given", "bold"),
    [
        pytest.param([(0.3, None), (0.2, BETTER), (0.1, BETTER)], {(2, 0)}, id="the lower of two"),
        pytest.param(
            [(0.3, None), (0.2, BETTER), (0.1, NO_DIFFERENCE)], set(), id="the lowest is not told apart"
        ),
        pytest.param([(0.3, None), (0.2, None)], set(), id="too few to say"),
        pytest.param([(0.1, None), (0.2, WORSE)], set(), id="the baseline is the lowest"),
        pytest.param([(0.3, None), (0.1, BETTER), (0.1, BETTER)], {(1, 0), (2, 0)}, id="two are the lowest"),
    ],
)
def test_only_the_lowest_rate_that_is_told_apart_is_bold(given, bold):
    assert earned(scored(*given)) == bold
    assert as_latex(scored(*given)).count("textbf") == len(bold)


def two_systems():
    """B is told apart in the second system alone, where all rates are higher than in the first."""
    first = scored((0.15, None), (0.1, NO_DIFFERENCE)).rows
    second = scored((0.3, None), (0.2, BETTER)).rows
    rows = [
        replace(row, system=s.name) for s, rows in zip(SYSTEMS, (first, second), strict=True) for row in rows
    ]
    return replace(by_hand(), rows=rows, systems=SYSTEMS)


def test_the_lowest_is_that_of_a_system_and_the_mark_is_in_every_format():
    compared = two_systems()
    assert earned(compared) == {(3, 0)}
    shown = [line.split() for line in as_text(compared).splitlines()]
    assert ["B", "20.00*"] in shown
    assert ["B", "10.00"] in shown
    assert "| **20.00** |" in as_markdown(compared)
    assert "| B | **20.00** |" in as_markdown(compared)
    assert as_markdown(compared).count("**") == 6  # in both tables that have the cell, and the title
    assert as_latex(compared).count(r"\textbf{20.00}") == 1


def test_with_one_system_the_same_rate_is_marked_in_every_format_and_the_mark_explained():
    compared = scored((0.3, None), (0.2, BETTER), (0.1, BETTER))
    told = "the lowest rate of its part, where it is told apart from A after correction."
    assert re.findall(r"[\d.]+\*", as_text(compared)) == ["10.00*"]
    assert f"\n*: {told}\n" in as_text(compared)
    assert re.findall(r"\| \*\*(.*?)\*\*", as_markdown(compared)) == ["10.00"]
    assert f"\n- Bold: {told}\n" in as_markdown(compared)
    assert re.findall(r"<strong>(.*?)</strong>", "".join(tables(compared))) == ["10.00"]
    assert f"<li>Bold: {told}</li>" in remarks(compared)


def test_what_everything_is_chosen_on_is_never_marked():
    dev = PartFacts("dev", 1, 1, 1, "speakers")
    compared = scored((0.3, None), (0.2, BETTER))
    rows = [replace(row, scores={**row.scores, "dev": row.scores["unseen"]}) for row in compared.rows]
    compared = replace(compared, rows=rows, parts=[*compared.parts, dev])
    assert earned_in(compared, compared.parts[0], None) == {(2, 1)}
    assert earned_in(compared, dev, None) == set()


def test_without_a_mark_the_text_does_not_explain_one():
    rows = [replace(row, scores=two_systems().rows[0].scores) for row in two_systems().rows]
    assert "*" not in as_text(replace(two_systems(), rows=rows))
    assert "Bold" not in as_markdown(replace(two_systems(), rows=rows))


def test_a_system_is_named_in_its_first_row_with_its_schedule_where_schedules_differ():
    table = side_by_side(two_systems(), lambda given: f"{given.value}")
    assert table == [
        ("network", "schedule", "policy", "unseen"),
        ("Net", "s_f=1", "A", "0.15"),
        ("", "", "B", "0.1"),
        ("Net", "s_f=2", "A", "0.3"),
        ("", "", "B", "0.2"),
    ]
    plain = replace(two_systems(), systems=[replace(s, told="") for s in SYSTEMS])
    plain = replace(plain, rows=[replace(row, system="Net") for row in plain.rows])
    assert side_by_side(plain, lambda given: "")[0] == ("network", "policy", "unseen")


def test_what_everything_is_chosen_on_is_not_reported_unless_there_is_nothing_else():
    dev = PartFacts("dev", 1, 1, 1, "speakers")
    both = replace(by_hand(), parts=[*by_hand().parts, dev])
    assert [part.name for part in reported(both)] == ["unseen"]
    assert [part.name for part in reported(replace(both, parts=[dev]))] == ["dev"]
