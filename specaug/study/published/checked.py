"""The rows of a published table, all of them looked at before any is trained."""

from collections.abc import Sequence
from pathlib import Path

from specaug.errors import UserError
from specaug.study.ablation import Experiment, ready
from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.published.tables import Row, Table, experiment
from specaug.study.screen import Screen


def checked(
    name: str,
    table: Table,
    rows: Sequence[Row],
    experiments: Path,
    places: Places,
    overrides: Sequence[str],
    screen: Screen,
) -> tuple[list[Experiment], list[str]]:
    """The experiments of the rows that can be trained, and what is wrong with the others, each fault once.

    Raises UserError for an override that no recipe takes.
    """
    recipes = [load(experiments / row.recipe, overrides) for row in rows]
    fine: list[Experiment] = []
    faults: dict[str, list[str]] = {}
    for row, recipe in zip(rows, recipes, strict=True):
        screen.say(f"{experiments / row.recipe}: checking the recipe and the data")
        called = experiment(name, row)
        try:
            fine.append(Experiment(called, recipe, ready(called, recipe, places, screen)))
        except UserError as error:
            faults.setdefault(str(error), []).append(table.place(row))
    return fine, [f"{_rows(at)}: {fault}" for fault, at in faults.items()]


def _rows(places: Sequence[str]) -> str:
    return f"row{'s' * (len(places) > 1)} {', '.join(places)}"
