"""Our runs beside the rows of a published table."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from specaug.study.choice import SYMBOLS
from specaug.study.comparing.systems import settings_in
from specaug.study.load import load, validated
from specaug.study.plural import counted
from specaug.study.published.reasons import decoded_otherwise, tested_on, trained_on
from specaug.study.published.tables import Cell, Row, Table
from specaug.study.recipe import Recipe
from specaug.study.results import RECIPE, Result
from specaug.study.tables.plain_table import Plain

COLUMNS = ("row", "part", "language model", "ours", "published", "difference", "seeds", "remark")
LEFT = 3  # columns of text
OTHER_DATA, OTHER_TRAINING, GREEDY = "other data", "another network or training", "greedy"
FREE = ("devices", "accumulate", "precision")  # of training: how a machine goes about it (decision D117)


@dataclass(frozen=True)
class Ours:
    """The finished runs of a row's network, training and policy, and why none of them is to be compared with it, if so."""

    row: Row
    published: Recipe  # of the row, without overrides
    runs: Sequence[tuple[Result, Recipe]]
    reason: str

    @property
    def results(self) -> list[Result]:
        """What came out of the runs."""
        return [result for result, _ in self.runs]


def beside(
    table: Table,
    rows: Sequence[Row],
    results: Sequence[Result],
    experiments: Path,
    overrides: Sequence[str] = (),
) -> Plain:
    """Ours, theirs and the difference for each cell of the rows; word error rates in percent, pooled over seeds.

    `overrides` are those that ours were trained with.
    """
    runs = [(result, recipe_of(result)) for result in results]
    found = [ours(row, runs, experiments, overrides) for row in rows]
    lines = [line for one in found for line in compared(table, one)]
    remarks = [
        "Word error rates in percent; ours over all seeds together, difference: ours less the published one."
    ]
    if any(row.plain for row in rows):
        instead = "greedy ones stand there where that was not done"
        remarks.append(f"Cells without a language model are ours decoded as {table.plain!r}; {instead}.")
    matched = {result.folder for one in found for result in one.results}
    if other := len(results) - len(matched):
        remarks.append(f"In no row above: {other:,} of {counted(len(results), 'finished run')}.")
    remarks += table.doubts(rows)
    return Plain(f"{table.paper}: {table.about}", [COLUMNS, *lines], LEFT, remarks)


def ours(
    row: Row, runs: Sequence[tuple[Result, Recipe]], experiments: Path, overrides: Sequence[str]
) -> Ours:
    """The runs that are those of a row, whatever their seed; those on its own data where there are any."""
    published = next(load(experiments / row.recipe).runs())
    wanted = next(load(experiments / row.recipe, overrides).runs())
    alike = [(result, recipe) for result, recipe in runs if named(recipe) == named(wanted)]
    same = [run for run in alike if run[1].corpus == published.corpus]
    whole = [run for run in same if not trained_on(*run)]
    if named(wanted) != named(published):
        reason = OTHER_TRAINING
    else:
        reason = "" if whole else next((trained_on(*run) for run in same), OTHER_DATA)
    return Ours(row, published, whole or same or alike, reason)


def recipe_of(result: Result) -> Recipe:
    """The recipe of a finished run, with today's defaults."""
    return validated(dict(result.recipe), str(result.folder / RECIPE))


def named(recipe: Recipe) -> tuple[object, ...]:
    """What a row of a table names: network, training with features and text, policy."""
    policy = recipe.policy.resolved()
    return (
        recipe.network.path,
        sorted(recipe.network.arguments.items()),
        {name: value for name, value in settings_in(recipe).items() if name not in FREE},
        asdict(recipe.text),
        [getattr(policy, symbol) for symbol in SYMBOLS],
        policy.operations,
        policy.strength,
    )


def compared(table: Table, one: Ours) -> Iterator[tuple[str, ...]]:
    """A line for each cell of a row."""
    seeds = str(len({result.seed for result in one.results}) or "-")
    for cell in table.cells(one.row):
        part = part_of(cell, one.results)
        rate = None if part is None else rate_of(part, one.results)
        reason = one.reason if one.runs else ""
        if part is not None and not reason:
            reason = reason_of(cell, part, one)
        told = "-" if rate is None else f"{rate:.1f}"
        less = "-" if rate is None or reason else f"{rate - cell.value:+.1f}"
        words = "with" if cell.kind == "lm" else "without"
        remark = f"not comparable: {reason}" if reason else ""
        yield one.row.row, cell.part, words, told, cell.told, less, seeds, remark


def part_of(cell: Cell, results: Sequence[Result]) -> str | None:
    """Our part for a cell, which all runs have: the greedy one where there is no other and no language model is meant."""
    greedy = () if cell.kind == "lm" else (cell.part,)
    names = (f"{cell.part}+{cell.decoding}", *greedy)
    return next((name for name in names if results and all(name in one.parts for one in results)), None)


def reason_of(cell: Cell, part: str, one: Ours) -> str:
    """Why our rate of a part is not to be compared with a cell; empty where it is."""
    if part == cell.part:
        return GREEDY
    found = (
        decoded_otherwise(cell.decoding, recipe, one.published)
        or tested_on(cell.part, result.parts[part].utterances, recipe)
        for result, recipe in one.runs
    )
    return next(filter(None, found), "")


def rate_of(part: str, results: Sequence[Result]) -> float:
    """Our word error rate of a part, in percent."""
    scores = [result.parts[part].wer for result in results]
    return 100 * sum(score.errors for score in scores) / sum(score.total for score in scores)
