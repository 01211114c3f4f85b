"""Our runs beside the rows of a published table."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from specaug.study.choice import SYMBOLS
from specaug.study.comparing.systems import settings_in
from specaug.study.load import load, validated
from specaug.study.published.tables import DAGGER, Cell, Row, Table
from specaug.study.recipe import Recipe
from specaug.study.results import RECIPE, Result
from specaug.study.tables.plain_table import Plain

COLUMNS = ("row", "part", "language model", "ours", "published", "difference", "seeds", "remark")
LEFT = 3  # columns of text
OTHER_DATA, OTHER_TRAINING = "not comparable: other data", "not comparable: another network or training"
FREE = ("devices", "accumulate", "precision")  # of training: how a machine goes about it (decision D117)


@dataclass(frozen=True)
class Ours:
    """The finished runs of a row's network, training and policy, and why they are not to be compared with it, if so."""

    row: Row
    results: Sequence[Result]
    remark: str


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
        "Word error rates in percent; ours over all seeds together, difference: ours less the published one.",
        f"Cells without a language model are ours decoded as {table.plain!r}, or greedily where that was not done.",
    ]
    if any(not cell.checked for row in rows for cell in table.cells(row)):
        remarks.append(f"{DAGGER} typed from one recollection of the table, not cross-checked.")
    return Plain(f"{table.paper}: {table.about}", [COLUMNS, *lines], LEFT, remarks)


def ours(
    row: Row, runs: Sequence[tuple[Result, Recipe]], experiments: Path, overrides: Sequence[str]
) -> Ours:
    """The runs that are those of a row, whatever their seed; those on its own data where there are any."""
    published = next(load(experiments / row.recipe).runs())
    wanted = next(load(experiments / row.recipe, overrides).runs())
    alike = [(result, recipe) for result, recipe in runs if named(recipe) == named(wanted)]
    same = [result for result, recipe in alike if recipe.corpus == published.corpus]
    changed = OTHER_TRAINING if named(wanted) != named(published) else ""
    return Ours(row, same or [result for result, _ in alike], changed or ("" if same else OTHER_DATA))


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
    )


def compared(table: Table, one: Ours) -> Iterator[tuple[str, ...]]:
    """A line for each cell of a row."""
    seeds = str(len({result.seed for result in one.results}) or "-")
    remark = one.remark if one.results else ""
    for cell in table.cells(one.row):
        rate = rate_of(cell, one.results)
        told = "-" if rate is None else f"{rate:.1f}"
        less = "-" if rate is None or remark else f"{rate - cell.value:+.1f}"
        words = "with" if cell.kind == "lm" else "without"
        yield one.row.row, cell.part, words, told, cell.told, less, seeds, remark


def rate_of(cell: Cell, results: Sequence[Result]) -> float | None:
    """Our word error rate for a cell, in percent; None where there is no such part."""
    greedy = () if cell.kind == "lm" else (cell.part,)
    for part in (f"{cell.part}+{cell.decoding}", *greedy):
        scores = [result.parts[part].wer for result in results if part in result.parts]
        if scores and len(scores) == len(results):
            return 100 * sum(score.errors for score in scores) / sum(score.total for score in scores)
    return None
